"""Go as a tool: the learner runs `go` in the workspace, without the internet and without C.

In a container compiled packages are kept below the learner's home; what the image compiled of the standard library is linked
there at the first use. Processes on this machine share one cache.
"""

from __future__ import annotations

import os

from sandboxes.services.base import ServiceFailed, Tool, find_program, run_tool

TOOL_SECONDS = 30.0
CACHE = "go-build"

LACKING = "Go is not installed: run `make services`, or let the lab use the image go."


class Go(Tool):
    """A toolchain that never fetches anything."""

    name = "go"

    @classmethod
    def missing(cls) -> str | None:
        return None if find_program(cls.name) else LACKING

    def environment(self) -> dict[str, str]:
        variables = {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=mod -modcacherw -buildvcs=false",
            "GOPROXY": "off",
            "GOSUMDB": "off",
            "GOTELEMETRY": "off",
            "GOTOOLCHAIN": "local",
        }
        if os.access(self.place.cache_dir, os.W_OK):
            variables["GOCACHE"] = str(self.place.cache_dir / CACHE)
        return variables

    def probe(self) -> None:
        program = find_program(self.name)
        if program is None:
            raise ServiceFailed(LACKING)
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        home = {"HOME": str(self.place.data_dir), "PATH": os.environ.get("PATH", os.defpath)}
        run_tool([program, "version"], home | self.environment() | {"GOCACHE": "off"}, TOOL_SECONDS)
