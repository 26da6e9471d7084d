"""What stands behind `tracing.py` while traces are on: recording them, keeping them in files, reading them."""
