"""Serve the sandbox origin: `python -m sandboxes.gateway --run-dir DIR --portal-origin http://localhost:8000`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from aiohttp import web

from sandboxes.gateway.app import create_gateway
from sandboxes.gateway.redaction import RedactingFormatter


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(
        prog="python -m sandboxes.gateway", description="Serve the sandbox origin."
    )
    arguments.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    arguments.add_argument("--port", type=int, default=8001, help="port to listen on (default: %(default)s)")
    arguments.add_argument(
        "--run-dir", type=Path, required=True, help="directory with the sandboxes' sockets and routes"
    )
    arguments.add_argument(
        "--portal-origin", required=True, help="the portal's origin, e.g. http://localhost:8000"
    )
    arguments.add_argument(
        "--public-origin", help="the gateway's own origin, when a proxy that ends TLS is before it"
    )
    return arguments


def main() -> int:
    """Serve until a signal; 2 when the arguments are wrong, 1 when the port is taken."""
    options = parser().parse_args()
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        app = create_gateway(options.run_dir, options.portal_origin, options.public_origin)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        # No access log: the paths in it are secrets.
        web.run_app(
            app, host=options.host, port=options.port, access_log=None, print=None, shutdown_timeout=2.0
        )
    except OSError as error:
        print(
            f"The gateway can't listen on {options.host}:{options.port}: {error.strerror or error}. "
            "Choose another --port.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
