"""Sleeps in its cell until somebody gives up."""

LOCAL = True
CELL = "first"
KEEPS = True
SAYS = "took longer than 6 s"
import time

time.sleep(3_600)
