"""Waits for input that never comes."""

CELL = "first"
KEEPS = True
import getpass
import sys

try:
    input("password: ")
except BaseException:
    pass
try:
    getpass.getpass()
except BaseException:
    pass
sys.stdin.read(1)
