"""The process of the service `aws`: `python -m sandboxes.services.aws.server SOCKET PORT`.

moto's server under two listeners, a Unix socket and a port of the loopback, over one state. Services of AWS are loaded at their
first request, so it answers within a second.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

from sandboxes.services.relay import listen_unix

CONNECTIONS = 48
"""Served at once by a listener, each by a thread; as many again wait in the socket's queue."""
IDLE_SECONDS = 60.0
"""A connection on which no request comes for so long is closed."""
BODY_BYTES = 67_108_864
USAGE = "usage: python -m sandboxes.services.aws.server SOCKET PORT"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Handler(MotoRequestHandler):
    """moto's, quiet, and without patience for silent connections."""

    timeout = IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing of requests, only of errors."""
        if type == "error":
            super().log(type, message, *args)


class Server(ThreadedWSGIServer):
    """A thread a connection, but no more than CONNECTIONS."""

    def __init__(self, listener: socket.socket, host: str, port: int, application: Application) -> None:
        super().__init__(host, port, application, handler=Handler, fd=listener.fileno())
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, when one is free."""
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was started
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


def bounded(application: Application) -> Application:
    """The application without requests whose bodies are too large."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if int(environ.get("CONTENT_LENGTH") or 0) > BODY_BYTES:
            start_response("413 Content Too Large", [("Content-Type", "text/plain"), ("Connection", "close")])
            return [f"At most {BODY_BYTES} bytes a request.\n".encode()]
        return application(environ, start_response)

    return answer


def configure() -> None:
    """Choose how moto works: without containers, with real state machines, and with AWS's own policies."""
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["batch"]["use_docker"] = False
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["iam"]["load_aws_managed_policies"] = True


def main(arguments: Sequence[str]) -> int:
    """Serve until ended; 2 for arguments that make no sense."""
    if len(arguments) != 2 or not arguments[1].isdigit():
        print(USAGE, file=sys.stderr)  # noqa: T201 - a program's word to whoever starts it
        return 2
    configure()
    application = bounded(DomainDispatcherApplication(create_backend_app))
    port = int(arguments[1])
    with socket.create_server(("127.0.0.1", port)) as tcp, listen_unix(Path(arguments[0])) as unix:
        servers = [
            Server(tcp, "127.0.0.1", port, application),
            Server(unix, f"unix://{arguments[0]}", 0, application),
        ]
        threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
