"""Leaves a process behind that has cleared its environment and torn itself loose, to outlive the sandbox."""

import os
import sys

LOOP = "import time\nend = time.time() + 600\nwhile time.time() < end: time.sleep(1)"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-c", LOOP, "attack-was-here"], {})
    os._exit(0)
