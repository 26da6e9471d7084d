"""What launches are held against: `docker run` of the same image with a plain Jupyter server in it."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from bench.product import free_port, wait_for


@contextlib.contextmanager
def plain_jupyter(image: str) -> Iterator[tuple[str, float]]:
    """The name of a container whose Jupyter answers, and the seconds from the command to its first answer."""
    name, port = f"bench-{secrets.token_hex(4)}", free_port()
    started = time.perf_counter()
    try:
        subprocess.run(
            [
                "docker", "run", "--detach", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:8888", image,
                "jupyter", "server", "--no-browser", "--ip=0.0.0.0", "--port=8888", "--IdentityProvider.token=bench",
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        wait_for(lambda: _answers(f"http://127.0.0.1:{port}/api"), "an answer of a plain Jupyter")
        yield name, time.perf_counter() - started
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True, timeout=120)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False
    except Exception:  # the connection is reset while nobody listens inside yet
        return False
