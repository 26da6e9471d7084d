"""Go as a tool: the learner runs `go` in the workspace, without the internet and without C, but for the race detector.

In a container compiled packages are kept below the learner's home; what the image compiled of the standard library, which
nobody can change, is linked there at the first use. Processes on this machine share the cache that the toolchain has for
their user, which outlives every run directory: the standard library takes minutes to compile for the race detector. That
cache can't be kept from the learner's code, as nothing of that user can on that driver.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sandboxes.services.base import ServiceFailed, Tool, find_program, run_tool

TOOL_SECONDS = 30.0
CACHE = "go-build"
OWN_CACHE = Path(".cache") / CACHE
"""Below the user's home: where the toolchain itself keeps what it compiled."""

WITHOUT_C = "-tags=netgo,osusergo"
RACE = ("off", "on")

LACKING = "Go is not installed: run `make services`, or let the lab use the image go."
LACKING_C = (
    "The race detector needs a C compiler: install one (apt-get install gcc libc6-dev), or let the lab run in a container of the "
    "image go."
)


def own_cache() -> Path | None:
    """The toolchain's cache for the user of this process; None when they have no home that can be written to."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    cache = home / OWN_CACHE
    there = next((folder for folder in (cache, cache.parent) if folder.exists()), home)
    return cache if os.access(there, os.W_OK) else None


class Go(Tool):
    """A toolchain that never fetches anything.

    With `race: "on"` it has the race detector. Nothing else uses the C compiler: the tags keep the standard library from it, so
    that all else is compiled as it is without.
    """

    name = "go"
    option_names = frozenset({"race"})

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        if options.get("race", "off") not in RACE:
            raise ValueError("the option race of the service go is on or off")

    @classmethod
    def missing(cls) -> str | None:
        return None if find_program(cls.name) else LACKING

    def environment(self) -> dict[str, str]:
        variables = {
            "CGO_ENABLED": "1" if self._races else "0",
            "GOFLAGS": "-mod=mod -modcacherw -buildvcs=false" + (f" {WITHOUT_C}" if self._races else ""),
            "GOPROXY": "off",
            "GOSUMDB": "off",
            "GOTELEMETRY": "off",
            "GOTOOLCHAIN": "local",
        }
        if os.access(self.place.cache_dir, os.W_OK):
            variables["GOCACHE"] = str(own_cache() or self.place.cache_dir / CACHE)
        return variables

    def probe(self) -> None:
        program = find_program(self.name)
        if program is None:
            raise ServiceFailed(LACKING)
        if self._races and find_program(os.environ.get("CC", "gcc")) is None:
            raise ServiceFailed(LACKING_C)
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        home = {"HOME": str(self.place.data_dir), "PATH": os.environ.get("PATH", os.defpath)}
        run_tool([program, "version"], home | self.environment() | {"GOCACHE": "off"}, TOOL_SECONDS)

    @property
    def _races(self) -> bool:
        return self.options.get("race") == "on"
