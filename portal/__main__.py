"""`python -m portal`: see `portal.cli`."""

from commandline.loading import loading

with loading():
    from portal.cli import main

if __name__ == "__main__":
    main()
