"""What runs and adapters say beyond scores: transfer between tasks, before and after training; use of heads."""
