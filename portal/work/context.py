"""What every job of the worker uses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from portal.content import Content, ContentSource
from portal.database import Database
from portal.settings import Settings
from portal.work.workspaces import Workspaces
from sandboxes.interface import Driver, DriverUnavailable, Phase

if TYPE_CHECKING:
    from portal.work.warming import Warming


@dataclass(frozen=True)
class WorkContext:
    """The parts of one worker process."""

    settings: Settings
    database: Database
    source: ContentSource
    driver: Driver | None
    """None when no driver works here; `driver_reason` says why."""
    driver_reason: str
    workspaces: Workspaces
    warming: Warming | None = None
    """What keeps sandboxes ready; None where nothing does."""
    starts: dict[int, tuple[Phase, float]] = field(default_factory=dict, repr=False)
    """Launches under way here: session id → the phase, and when it began (monotonic seconds)."""

    @property
    def content(self) -> Content:
        """The content of this moment, with what instructors published since the start."""
        return self.source.current()

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that tell this portal's sandboxes from those of another one on the same engine."""
        return {"instance": hashlib.sha256(str(self.settings.instance_dir).encode()).hexdigest()[:12]}

    def require_driver(self) -> Driver:
        """The driver. Raises DriverUnavailable when there is none."""
        if self.driver is None:
            raise DriverUnavailable(self.driver_reason)
        return self.driver
