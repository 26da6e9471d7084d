"""Start Jupyter in a sandbox, fast: `python -m sandboxes.gateway.jupyter_start`.

Same as `jupyter server --config=jupyter_config.py`, three times as fast and with none of the machine's own
Jupyter settings. It takes the environment variables that `jupyter_config.py` names, and SANDBOX_JUPYTER_FD, the
descriptor of its socket where somebody else has bound that; arguments are passed on to Jupyter.
"""

import os
import socket
import sys
import tempfile
from pathlib import Path

CONFIG = Path(__file__).resolve().parent / "jupyter_config.py"


def prepare() -> None:
    """Set up this process before the first import of Jupyter."""
    # jsonschema asks for it to check IRIs, which no schema of Jupyter uses; it compiles a grammar for 0.8 s
    # when imported.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    place = Path(os.environ["SANDBOX_JUPYTER_SOCKET"]).parent
    home = Path(os.environ.setdefault("SANDBOX_JUPYTER_HOME", str(place / "jupyter")))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Terminals start where the server is.
    os.chdir(os.environ["SANDBOX_WORKSPACE"])
    os.environ["JUPYTER_NO_CONFIG"] = "1"
    # A faulty configuration must end the start: Jupyter would go on with its defaults, on a TCP port.
    os.environ["TRAITLETS_APPLICATION_RAISE_CONFIG_FILE_ERROR"] = "1"
    os.environ["JUPYTER_DATA_DIR"] = str(home / "data")
    os.environ["JUPYTER_RUNTIME_DIR"] = str(home / "runtime")
    os.environ.setdefault("IPYTHONDIR", str(home / "ipython"))
    # JUPYTER_NO_CONFIG makes a fresh, empty directory once per process: let it be in our home, not in /tmp for
    # ever.
    from jupyter_core.paths import jupyter_config_dir

    tempfile.tempdir = str(home)
    jupyter_config_dir()
    tempfile.tempdir = None
    # Importing JupyterLab's application starts a Node process to ask yarn for its registry, which only builds
    # need.
    from jupyterlab import commands  # type: ignore[import-untyped]

    commands._yarn_config = lambda logger: {"yarn config": {}}


def take_socket() -> None:
    """Let Jupyter listen on the socket that it inherited, when there is one: its folder is closed to this user then."""
    number = os.environ.pop("SANDBOX_JUPYTER_FD", "")
    if not number:
        return
    inherited = socket.socket(fileno=int(number))
    inherited.set_inheritable(False)
    inherited.setblocking(False)
    from jupyter_server import serverapp

    vars(serverapp).update(unix_socket_in_use=lambda path: False, bind_unix_socket=lambda path, mode: inherited)


def main() -> None:
    """Run the server until it is told to stop."""
    prepare()
    take_socket()
    from jupyter_server.serverapp import launch_new_instance

    launch_new_instance([f"--config={CONFIG}", *sys.argv[1:]])


if __name__ == "__main__":
    main()
