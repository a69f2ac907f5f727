"""What is shipped: packs, and the tiny model with its tokenizer and adapter."""
