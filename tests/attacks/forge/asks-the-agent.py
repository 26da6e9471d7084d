"""Speaks to the agent on its own socket: runs another notebook, writes files and stops what it can."""

import http.client
import json
import socket
import threading
import time

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": "total = sell = write_report = lambda *_: True\nsold = {}",
        }
    ],
}


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect("/run/sandbox/agent.sock")


def ask(method, path, body):
    try:
        connection = Connection("agent")
        connection.request(method, path, body)
        connection.getresponse().read()
    except OSError:
        pass


def again_and_again():
    end = time.time() + 15
    while time.time() < end:
        wish = {"notebook": NOTEBOOK, "total_seconds": 10, "cell_seconds": 5, "output_bytes": 10_000}
        ask("POST", "/execute", json.dumps(wish))
        ask("POST", "/run", json.dumps({"command": ["sh", "-c", "kill -9 -1"], "seconds": 5}))
        ask("PUT", "/files?path=report.json", b'{"count": 3}')
        time.sleep(0.1)


threading.Thread(target=again_and_again, daemon=True).start()
sold = {}
