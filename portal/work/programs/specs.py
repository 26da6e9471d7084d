"""The sandbox that programs of a language run in: also what a pool keeps ready for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from question_bank.runner import Language
from sandboxes.interface import Limits, SandboxSpec

PURPOSE = "program"


@dataclass(frozen=True)
class Home:
    """Where programs of one language run."""

    image: str
    services: tuple[str, ...]
    memory_mb: int


HOMES: Mapping[Language, Home] = {
    "python": Home("base", (), 512),
    "go": Home("go", ("go",), 1024),  # the linker needs more than any program
    "sql": Home("base", ("postgres",), 512),
}


def program_spec(language: Language, workspace: Path, labels: Mapping[str, str] | None = None) -> SandboxSpec:
    """A sandbox for one answer."""
    home = HOMES[language]
    return SandboxSpec(
        workspace=workspace,
        services={name: {} for name in home.services},
        image=home.image,
        limits=Limits(memory_mb=home.memory_mb, pids=128, disk_mb=256, workspace_mb=16, workspace_files=500),
        jupyter=False,
        environment={"LAB_SLUG": f"programs in {language}"},
        labels={**(labels or {}), "purpose": PURPOSE, "language": language},
    )
