"""The groups of commands of `python -m reference_impl`."""
