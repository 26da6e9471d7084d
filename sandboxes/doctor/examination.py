"""All checks together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandboxes.doctor import deep as deep_checks
from sandboxes.doctor import engine, machine, processes
from sandboxes.doctor.finding import Check, Finding, State, run_all
from sandboxes.drivers import DRIVERS
from sandboxes.drivers.docker import DockerDriver
from sandboxes.drivers.image_context import image_names
from sandboxes.services import SERVICES


@dataclass(frozen=True)
class Surroundings:
    """What is examined."""

    run_dir: Path
    workspaces: Path
    deep: bool = False
    """Also start a real sandbox by each driver, which takes up to some minutes."""


def examine(surroundings: Surroundings) -> list[Finding]:
    """Every finding, in a fixed order. Never raises; answers within a minute, with `deep` within some."""
    answered: list[engine.EngineFacts] = []

    def ask() -> Finding:
        told = engine.ask_engine()
        if isinstance(told, Finding):
            return told
        answered.append(told)
        return engine.engine(told)

    found = run_all([Check("engine", ask)])
    facts = answered[0] if answered else None
    found += run_all([*_engine_checks(facts, surroundings), *_machine_checks(facts, surroundings)])
    if surroundings.deep:
        # One after the other: together they would slow each other down until they fail.
        for name in DRIVERS:
            found += _deep(name, facts, surroundings)
    return found


def usable_drivers(findings: Iterable[Finding]) -> list[str]:
    """The drivers that no problem makes unusable."""
    blocked = {name for finding in findings if finding.state is State.PROBLEM for name in finding.blocks}
    return [name for name in DRIVERS if name not in blocked]


def _deep(name: str, facts: engine.EngineFacts | None, surroundings: Surroundings) -> list[Finding]:
    title = f"{name} sandbox"
    if name == "docker":
        if facts is None:
            return []  # there is no engine, as the first finding says
        if engine.image(facts, deep_checks.IMAGE).state is not State.OK:
            return [
                Finding(title, State.WARNING, "Not tried: its image is not built.", "Run `make images` first.")
            ]
    return run_all([Check(title, partial(deep_checks.deep, name, surroundings.run_dir), deep_checks.SECONDS)])


def _engine_checks(facts: engine.EngineFacts | None, surroundings: Surroundings) -> list[Check]:
    if facts is None:
        return []
    return [
        Check("limits", partial(engine.limits, facts)),
        Check("confinement", partial(engine.confinement, facts)),
        Check("shared folders", partial(engine.shared_folders, facts)),
        Check("two users", lambda: engine.two_users(DockerDriver(surroundings.run_dir))),
        *(Check(f"image {name}", partial(engine.image, facts, name)) for name in image_names()),
        Check("base image", partial(engine.base_images, facts)),
        Check("engine's disk", partial(engine.engine_disk, facts)),
    ]


def _machine_checks(facts: engine.EngineFacts | None, surroundings: Surroundings) -> list[Check]:
    run_dir, workspaces = surroundings.run_dir, surroundings.workspaces
    return [
        Check("Python packages", processes.packages),
        *(Check(f"local {name}", partial(processes.service, name)) for name in SERVICES),
        Check("run directory", partial(machine.run_dir, run_dir)),
        Check(
            "run directory's disk",
            partial(
                machine.disk, "run directory's disk", run_dir, "Free some, or set RUN_DIR to a place with more."
            ),
        ),
        Check(
            "workspaces' disk",
            partial(
                machine.disk,
                "workspaces' disk",
                workspaces,
                "Learners' files go there: free some, or set INSTANCE_DIR.",
            ),
        ),
        Check("memory", machine.memory),
        Check("kernel limits", machine.kernel_limits),
        Check("clock", partial(machine.clock, facts.time if facts else None)),
    ]
