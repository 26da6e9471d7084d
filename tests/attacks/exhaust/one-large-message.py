"""Displays one object of forty megabytes."""

CELL = "last"
KEEPS = True
SAYS = "printed more than|broke the kernel|took longer|ended"
from IPython.display import HTML, display

display(HTML("<b>" * 13_000_000))
