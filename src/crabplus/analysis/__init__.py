"""What runs say beyond their scores: transfer between tasks, before and after training."""
