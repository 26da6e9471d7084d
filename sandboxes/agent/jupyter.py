"""Jupyter in a sandbox: how it is started, and how to tell that it answers.

Its settings are the gateway's business (`sandboxes/gateway/jupyter_config.py`), because the gateway is what stands before it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sandboxes.protocol import JUPYTER_SOCKET
from sandboxes.services.base import probe_http

LAUNCHER = Path(__file__).parents[1] / "gateway" / "jupyter_start.py"


def command() -> list[str]:
    """The command line; by the script's path, so that our packages are not on the path of the learner's kernels."""
    return [sys.executable, "-P", str(LAUNCHER)]


def variables(
    socket_dir: Path, workspace: Path, web_path: str, home: Path, descriptor: int | None = None
) -> dict[str, str]:
    """What the settings are made from. Variables, because everybody on the machine may read command lines.

    `descriptor` is that of the socket when it is bound already; Jupyter inherits it.
    """
    bound = {} if descriptor is None else {"SANDBOX_JUPYTER_FD": str(descriptor)}
    return bound | {
        "SANDBOX_JUPYTER_SOCKET": str(socket_dir / JUPYTER_SOCKET),
        "SANDBOX_JUPYTER_HOME": str(home),
        "SANDBOX_WEB_PATH": web_path,
        "SANDBOX_WORKSPACE": str(workspace),
    }


def probe(socket_dir: Path, web_path: str) -> None:
    """Return when Jupyter answers. Raises NotReady."""
    probe_http(socket_dir / JUPYTER_SOCKET, f"{web_path}api", 5.0, called="it")
