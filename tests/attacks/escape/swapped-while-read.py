"""Swaps the report for a link and back as fast as it can, to be read at the wrong moment."""

LOCAL = True
import os
import threading


def swap():
    while True:
        with open("plain", "w") as file:
            file.write("{}")
        os.replace("plain", "report.json")
        os.symlink(HOST["file"], "link")
        os.replace("link", "report.json")


threading.Thread(target=swap, daemon=True).start()


def write_report(rows):
    pass


sold = {}
