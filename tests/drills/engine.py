"""A Docker engine of one's own, to be killed at will: nobody else's containers are touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import docker

START_SECONDS = 120


class PrivateEngine:
    """One `dockerd` with its own data, in a network namespace of its own: without a bridge it would remove the machine's."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pge-", dir="/tmp"))
        self.host = f"unix://{self.folder}/docker.sock"
        self._log = (self.folder / "log").open("ab")

    def start(self) -> None:
        """Start it and return when it answers."""
        folder = self.folder
        # As after a power cut: the numbers in these files may be anybody's by now.
        for note in (folder / "pid", folder / "exec" / "containerd" / "containerd.pid"):
            note.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                "unshare", "--net", "dockerd",
                "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
                "--pidfile", str(folder / "pid"), "--host", self.host,
                "--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false",
            ],
            stdout=self._log,
            stderr=self._log,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client().ping()
                return
            except docker.errors.DockerException:
                assert self.process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.1)

    def client(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.host, timeout=60)

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def load(self, tag: str, name: str) -> None:
        """Give it an image of the machine's engine, under another name."""
        with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as save:
            subprocess.run(
                ["docker", "--host", self.host, "load", "--quiet"],
                stdin=save.stdout, check=True, timeout=900, capture_output=True,
            )  # fmt: skip
        client = self.client()
        client.tag(tag, *name.rsplit(":", 1))
        client.remove_image(tag)

    def stop(self) -> None:
        """End it as a restart of the service does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_SECONDS)

    def kill(self) -> None:
        """End it and its helper without a chance to tidy up, as a crash does."""
        self.process.kill()
        self.process.wait(60)
        deadline = time.monotonic() + START_SECONDS
        # Until it is gone: the next one needs its files.
        while found := self._helpers("containerd", "--config"):
            assert time.monotonic() < deadline, f"{found} do not end"
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def close(self) -> None:
        """End it with everything that ran in it."""
        if self.process.poll() is not None:
            self.start()
        client = self.client()
        for container in client.containers(all=True):
            client.remove_container(container["Id"], force=True)
        self.stop()
        self._log.close()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _helpers(self, *words: str) -> list[int]:
        """Processes that name our folder on their command lines, and these words."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if str(self.folder / "exec") in " ".join(line) and all(w in " ".join(line[:2]) for w in words):
                    found.append(int(place.name))
        return found
