"""`python -m labs`."""

from commandline.loading import loading

with loading():
    from labs.cli import main

main()
