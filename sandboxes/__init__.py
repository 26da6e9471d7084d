"""Sandboxes: where a learner's code runs, and the only door to it."""
