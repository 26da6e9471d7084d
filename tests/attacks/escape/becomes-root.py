"""Becomes root by setuid programs, by programs with capabilities, and by asking for it."""

LOOT = "LOOT-ROOT"
import os
import shutil
import subprocess

for call in (
    lambda: os.setuid(0),
    lambda: os.setgid(0),
    lambda: os.setgroups([0]),
    lambda: os.setresuid(0, 0, 0),
):
    try:
        call()
    except OSError:
        continue
    raise RuntimeError("LOOT-ROOT by asking")
for program in ("su", "mount", "umount", "passwd", "chfn", "newgrp", "gpasswd", "sudo", "pkexec", "ping"):
    path = shutil.which(program)
    if path:
        with subprocess.Popen(
            [path, "-c", "id"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            try:
                text = process.communicate(timeout=0.4)[0]
                status = b""
            except subprocess.TimeoutExpired:
                status = open(f"/proc/{process.pid}/status", "rb").read()
                text = b""
                process.kill()
        if b"uid=0" in text or b"\nUid:\t1000\t0" in status:
            raise RuntimeError(f"LOOT-ROOT by {program}")
for folder in (os.path.expanduser("~"), ".", "/tmp"):
    try:
        shutil.copy("/usr/bin/id", f"{folder}/own-id")
        os.chmod(f"{folder}/own-id", 0o6755)
        os.chown(f"{folder}/own-id", 0, 0)
    except OSError:
        continue
    raise RuntimeError("LOOT-ROOT gave a file away")
