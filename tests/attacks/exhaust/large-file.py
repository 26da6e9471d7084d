"""Hands in a report that claims to be terabytes long."""

import os


def write_report(rows):
    with open("report.json", "wb") as file:
        file.write(b"{")
        for size in (10**13, 10**10, 60 * 1024 * 1024, 20_000):
            try:
                file.truncate(size)
                return
            except OSError:
                pass


sold = {}
