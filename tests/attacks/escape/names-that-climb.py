"""Makes files whose names climb, break lines and end terminals, for whoever lists or copies them."""

LOCAL = True
import os

for name in (
    "..\\..\\attack-was-here",
    "-rf",
    "--no-preserve-root",
    "\x1b[2J",
    "a\nb",
    "\u202egnp.exe",
    "$(touch attack-was-here)",
    "x" * 255,
):
    try:
        os.makedirs(name + "/" + name)
    except OSError:
        pass
for name in (b"\xff\xfe", b"\x80", b"*", b"; rm -r ~", b" "):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass
