"""The program inside a sandbox: starts its services and its Jupyter, runs notebooks, and speaks for it on one Unix socket."""
