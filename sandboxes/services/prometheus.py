"""Prometheus on the loopback, and on a Unix socket by a relay.

It scrapes itself, the lab's `targets`, and what the learner's code names in files of PROMETHEUS_TARGETS_DIR: lists of
`{"targets": ["host:port"], "labels": {…}}` as JSON or YAML, read again within seconds. Rules of PROMETHEUS_RULES_DIR are
read by a POST to /-/reload: faulty ones are answered by 500 and the former stay; `promtool check rules` and the service's
log say what is wrong with them.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import Command, Place, Service, ServiceFailed, free_port, probe_http

FOLDER = "prometheus"
SOCKET = f"{FOLDER}/prometheus.sock"
BASE_URL = "http://prometheus"
TARGETS = 32
DEFAULTS: Mapping[str, str] = {"targets": "", "scrape_interval": "1s", "retention": "6h", "retention_mb": "32"}
LARGEST_RETENTION_MB = 128
LIMITS: Mapping[str, Any] = {
    "sample_limit": 20_000,
    "target_limit": 64,
    "label_limit": 64,
    "label_value_length_limit": 1024,
    "body_size_limit": "8MB",
}
"""Of each scrape and each list of targets."""
PROBE_SECONDS = 2.0
PASS = 0o011

LACKING = "Prometheus is not installed: install the package prometheus."


class Prometheus(Service):
    """One server; `targets` are jobs by name."""

    name = "prometheus"
    option_names: ClassVar[frozenset[str] | None] = frozenset(DEFAULTS)
    sockets = (SOCKET,)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self.port = free_port()

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        wanted = {**DEFAULTS, **options}
        parse_targets(wanted["targets"])
        seconds = re.fullmatch(r"([1-9][0-9]?)s", wanted["scrape_interval"])
        if not seconds or int(seconds[1]) > 60:
            raise ValueError(
                "the option scrape_interval of the service prometheus is written like 5s, from 1s to 60s"
            )
        if not re.fullmatch(r"[1-9][0-9]?[mhd]", wanted["retention"]):
            raise ValueError("the option retention of the service prometheus is written like 30m, 6h or 2d")
        size = wanted["retention_mb"]
        if not re.fullmatch(r"[1-9][0-9]{0,3}", size) or int(size) > LARGEST_RETENTION_MB:
            raise ValueError(
                f"the option retention_mb of the service prometheus is a number from 1 to {LARGEST_RETENTION_MB}"
            )

    @property
    def _targets_dir(self) -> Path:
        return self.place.data_dir / "targets"

    @property
    def _rules_dir(self) -> Path:
        return self.place.data_dir / "rules"

    @classmethod
    def missing(cls) -> str | None:
        return None if shutil.which("prometheus") else LACKING

    def environment(self) -> dict[str, str]:
        return {
            "PROMETHEUS_URL": f"http://127.0.0.1:{self.port}",
            "PROMETHEUS_TARGETS_DIR": str(self._targets_dir),
            "PROMETHEUS_RULES_DIR": str(self._rules_dir),
        }

    def prepare(self) -> Command:
        program = shutil.which("prometheus")
        if program is None:
            raise ServiceFailed(LACKING)
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        # The learner's code may run as another user: it passes through these two, to the folders it may write to.
        self.place.data_dir.chmod(0o711)
        above = self.place.data_dir.parent
        mode = stat.S_IMODE(above.stat().st_mode)
        if mode & PASS != PASS:
            above.chmod(mode | PASS)
        for folder in (self._targets_dir, self._rules_dir):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        socket = self.place.run_dir / SOCKET
        socket.parent.mkdir(exist_ok=True)
        file = self.place.data_dir / "prometheus.yml"
        # JSON is YAML too.
        file.write_text(json.dumps(self.configuration(), indent=1), encoding="utf-8")
        wanted = {**DEFAULTS, **self.options}
        return Command(
            arguments=(
                sys.executable, "-m", "sandboxes.services.relay", str(socket), str(self.port), "--",
                program,
                f"--config.file={file}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.max-connections=128",
                "--web.enable-lifecycle",
                f"--storage.tsdb.path={self.place.data_dir / 'series'}",
                f"--storage.tsdb.retention.time={wanted['retention']}",
                f"--storage.tsdb.retention.size={wanted['retention_mb']}MB",
                # Small files: a log or a block takes its whole size on the disk before anything is in it.
                "--storage.tsdb.min-block-duration=15m",
                "--storage.tsdb.max-block-duration=1h",
                "--storage.tsdb.wal-segment-size=10MB",
                "--storage.tsdb.max-block-chunk-segment-size=8MB",
                "--query.max-samples=5000000",
                "--query.max-concurrency=4",
                "--query.timeout=20s",
                "--log.level=warn",
            ),
            working_dir=self.place.data_dir,
            environment={"PYTHONPATH": str(self.place.code_dir), "GOMEMLIMIT": "192MiB"},
        )  # fmt: skip

    def configuration(self) -> dict[str, Any]:
        """prometheus.yml as a document."""
        wanted = {**DEFAULTS, **self.options}
        interval = wanted["scrape_interval"]
        jobs: dict[str, Any] = {
            name: {"static_configs": [{"targets": targets}]}
            for name, targets in parse_targets(wanted["targets"]).items()
        }
        jobs["prometheus"] = {"static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]}
        files = [str(self._targets_dir / f"*.{ending}") for ending in ("json", "yml", "yaml")]
        jobs["files"] = {"file_sd_configs": [{"files": files, "refresh_interval": "2s"}]}
        return {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval if int(interval[:-1]) < 10 else "10s",
                "evaluation_interval": interval,
            },
            "rule_files": [str(self._rules_dir / f"*.{ending}") for ending in ("yml", "yaml")],
            "scrape_configs": [{"job_name": name, **LIMITS, **job} for name, job in jobs.items()],
        }

    def probe(self) -> None:
        probe_http(self.place.run_dir / SOCKET, "/-/ready", PROBE_SECONDS)

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        return Endpoint(cls.name, folder / SOCKET, {"base_url": BASE_URL})


def parse_targets(text: str) -> dict[str, list[str]]:
    """The jobs of "name=host:port,…", in order; a name that comes again adds to its job. Raises ValueError."""
    jobs: dict[str, list[str]] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > TARGETS:
        raise ValueError(f"the service prometheus takes at most {TARGETS} targets")
    for part in parts:
        found = re.fullmatch(r"([a-z][a-z0-9_-]{0,40})=([A-Za-z0-9.-]{1,100}):([0-9]{1,5})", part)
        if not found or not 0 < int(found[3]) < 65_536:
            raise ValueError(f"the service prometheus can't scrape {part!r}: write name=host:port")
        if found[1] in ("prometheus", "files"):
            raise ValueError(
                f"the service prometheus has a job {found[1]} of its own: name the target otherwise"
            )
        jobs.setdefault(found[1], []).append(f"{found[2]}:{found[3]}")
    return jobs
