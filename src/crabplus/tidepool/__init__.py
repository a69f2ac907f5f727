"""Tidepool: a small world with exact ground truth that writes real media files."""
