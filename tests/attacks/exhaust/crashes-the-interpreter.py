"""Crashes the interpreter with a bad address, in a call and in an exit handler."""

LOCAL = True
CELL = "sum-up"
KEEPS = True
SAYS = "ended the Python kernel"
import ctypes


def total(lines):
    ctypes.string_at(0)
