"""Sends every signal it may to every process it sees, the agent first."""

import os
import signal

for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGINT, signal.SIGKILL):
    for pid in [1, *range(2, 300)]:
        if pid != os.getpid():
            try:
                os.kill(pid, number)
            except OSError:
                pass
