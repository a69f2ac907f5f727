"""What adapters do: measured on samples, without training."""
