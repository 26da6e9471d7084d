"""Stops its own process with SIGSTOP, so that it neither answers nor ends."""

CELL = "sum-up"
KEEPS = True
SAYS = "did not answer in time"
import os
import signal


def total(lines):
    os.kill(os.getpid(), signal.SIGSTOP)
