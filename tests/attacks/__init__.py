"""Hostile notebooks and submissions, and what must come of each: a clear result, nothing gained, nobody harmed."""
