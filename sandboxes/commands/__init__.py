"""The commands of `python -m sandboxes`: one module each, with `configure` for its options and `run` for its answer."""
