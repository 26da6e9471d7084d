"""Meridian, the commerce platform that learners study, as one process on a Unix socket."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import Command, Service, probe_http

SOCKET = "meridian.sock"
BASE_URL = "http://meridian"
HEALTH_PATH = "/health/readiness"
NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "structlog", "pydantic")


class Meridian(Service):
    """Its options become the variables MERIDIAN_<OPTION> of its process."""

    name = "meridian"
    option_names: ClassVar[frozenset[str] | None] = None
    sockets = (SOCKET,)

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        for key in options:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", key):
                raise ValueError(f"the service meridian can't take an option named {key!r}")

    @classmethod
    def missing(cls) -> str | None:
        lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        return (
            f"Python packages are missing ({', '.join(lacking)}): run `make run`, which installs them."
            if lacking
            else None
        )

    @property
    def _socket(self) -> str:
        return str(self.place.run_dir / SOCKET)

    def environment(self) -> dict[str, str]:
        return {"MERIDIAN_SOCKET": self._socket, "MERIDIAN_URL": BASE_URL}

    def prepare(self) -> Command:
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        variables = {f"MERIDIAN_{key.upper()}": value for key, value in self.options.items()}
        return Command(
            arguments=(
                sys.executable, "-m", "reference_impl", "serve",
                "--uds", self._socket, "--data", str(self.place.data_dir),
            ),
            working_dir=self.place.data_dir,
            environment={"PYTHONPATH": str(self.place.code_dir), **variables},
        )  # fmt: skip

    def probe(self) -> None:
        probe_http(Path(self._socket), HEALTH_PATH, 2.0)

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        return Endpoint(cls.name, folder / SOCKET, {"base_url": BASE_URL})
