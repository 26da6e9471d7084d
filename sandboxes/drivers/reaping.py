"""Removing what a crash left, for operators: with a rehearsal, and the bytes that it frees."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sandboxes.clearing import remove_tree
from sandboxes.drivers.run_dir import RunDirectory
from sandboxes.interface import Driver

ENTRIES = 200_000
"""Files that are counted at most: a figure for the operator is not worth a long walk."""
SCRATCH_SECONDS = 3_600.0
"""Nobody's workspaces are left alone for at least this long: a grading may be about to start in one."""


@dataclass(frozen=True)
class Reaped:
    """What was removed, or would be."""

    driver: str
    removed: tuple[str, ...]
    """Ids of sandboxes that were ended or of which something was left."""
    kept: tuple[str, ...]
    """Ids of sandboxes that run and belong to somebody who lives."""
    freed_bytes: int
    """On disk."""


def reap(
    driver: Driver, run_dir: Path, keep: Collection[str], grace_seconds: float, *, dry_run: bool = False
) -> Reaped:
    """`Driver.reap`, with what it did; a rehearsal changes nothing. Raises DriverUnavailable."""
    records = RunDirectory(run_dir)
    doomed = driver.remains(keep, grace_seconds)
    folders = [records.inside(sandbox_id) for sandbox_id in doomed]
    for sandbox_id in doomed:
        record = records.record(sandbox_id)
        if record is not None and record.blank and record.workspace:
            folders.append(Path(record.workspace))
    freed = sum(tree_bytes(folder) for folder in folders)
    removed = tuple(doomed) if dry_run else tuple(driver.reap(keep, grace_seconds))
    return Reaped(driver.name, removed, tuple(sorted(keep)), freed)


def stale_scratch(run_dir: Path, grace_seconds: float) -> list[Path]:
    """Workspaces that nobody keeps and no sandbox uses any more: a process that was killed left them."""
    records = RunDirectory(run_dir)
    used = {Path(record.workspace) for record in records.all_records() if record.workspace}
    used |= {parent for path in used for parent in path.parents}
    youngest = time.time() - max(grace_seconds, SCRATCH_SECONDS)
    found = []
    try:
        entries = sorted(records.scratch.iterdir())
    except OSError:
        return []
    for path in entries:
        try:
            if path not in used and path.lstat().st_mtime < youngest:
                found.append(path)
        except OSError:
            continue  # somebody removed it meanwhile
    return found


def remove_scratch(folders: Collection[Path], *, dry_run: bool = False) -> int:
    """Remove stale workspaces; the bytes that frees."""
    freed = sum(tree_bytes(folder) for folder in folders)
    if not dry_run:
        for folder in folders:
            remove_tree(folder)
    return freed


def tree_bytes(folder: Path) -> int:
    """What a tree takes on disk, links not followed; of very large ones the first files only."""
    total = count = 0
    for parent, _folders, files in os.walk(folder):
        for name in files:
            count += 1
            if count > ENTRIES:
                return total
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118 - many files, so no objects
            except OSError:
                continue
    return total
