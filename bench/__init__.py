"""Benchmarks: `make bench NAME=launch`. Each measures ours and what it is held against in one run, in turns, so that the ratio
counts whatever else the machine does. One JSON object a line on standard output, and nothing else there."""
