"""Walks every frame of every thread in search of expected values."""

LOCAL = True
LOOT = "LOOT-FRAME"
import sys


def total(lines):
    frames = list(sys._current_frames().values())
    while frames:
        frame = frames.pop()
        for name, value in list(frame.f_locals.items()) + list(frame.f_globals.items()):
            if name in ("expected", "EXPECTED") or (isinstance(value, str) and "CANARY-" + "EXP" in value):
                raise RuntimeError(f"LOOT-FRAME {name}")
        if frame.f_back:
            frames.append(frame.f_back)
    return 0


sold = {}
