"""AWS as far as moto's server does it: on the loopback for the learner's clients, on a Unix socket for the grader.

Its state is in the memory of one process: it is gone with the sandbox.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import (
    Command,
    Place,
    Service,
    ServiceFailed,
    free_port,
    open_to_the_learner,
    probe_http,
)

FOLDER = "aws"
SOCKET = f"{FOLDER}/aws.sock"
BASE_URL = "http://localhost"
DEFAULT_REGION = "eu-central-1"
KEY = "learner"
"""Access key and secret: moto takes any."""
READY_PATH = "/moto-api/data.json"
PROBE_SECONDS = 5.0


def region_of(options: Mapping[str, str]) -> str:
    """The region that a lab asks for."""
    return options.get("region", DEFAULT_REGION)


def authorization(service: str, region: str) -> str:
    """The header that tells moto which service of AWS is meant, e.g. `s3`. It checks no signature, so there is none."""
    credential = f"{KEY}/20000101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"


LACKING = "moto is not installed: run `make services`, or let the lab use the image cloud."


class Aws(Service):
    """One account in one process; `region` is where its clients are."""

    name = "aws"
    option_names: ClassVar[frozenset[str] | None] = frozenset({"region"})
    sockets = (SOCKET,)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self.port = free_port()

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        region = region_of(options)
        if not re.fullmatch(r"(us|eu|ap|ca|sa|me|af|il|mx)-[a-z]{4,9}-[1-9]", region):
            raise ValueError(f"{region!r} is no region of AWS: write one such as eu-central-1")

    @classmethod
    def missing(cls) -> str | None:
        return None if importlib.util.find_spec("moto") else LACKING

    def environment(self) -> dict[str, str]:
        region = region_of(self.options)
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def prepare(self) -> Command:
        if importlib.util.find_spec("moto") is None:
            raise ServiceFailed(LACKING)
        open_to_the_learner(self.place.run_dir / FOLDER)
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        return Command(
            arguments=(
                sys.executable, "-m", "sandboxes.services.aws.server",
                str(self.place.run_dir / SOCKET), str(self.port),
            ),
            working_dir=self.place.data_dir,
            environment={
                **self.environment(),
                "PYTHONPATH": str(self.place.code_dir),
                # moto asks itself at this port, e.g. when a stack makes a resource.
                "MOTO_PORT": str(self.port),
            },
        )  # fmt: skip

    def probe(self) -> None:
        probe_http(self.place.run_dir / SOCKET, READY_PATH, PROBE_SECONDS)

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        region = region_of(options)
        facts = {
            "base_url": BASE_URL,
            "region": region,
            # With {service} filled in, what an HTTP client sends so that moto knows which service it speaks to.
            "authorization": authorization("{service}", region),
        }
        return Endpoint(cls.name, folder / SOCKET, facts)
