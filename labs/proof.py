"""What proves a lab: `proof.json` in its folder says what grading every case gave, on each driver, and for which content.

`python -m labs verify --write` grades and writes it; a test requires that it fits the folder as it is. So nobody changes a lab
without having proven all of it, and CI need not grade every wrong answer each time. The same results give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labs.catalogue import Lab
from labs.verify import Proof, cases

FILE = "proof.json"
SCHEMA = 1
MAX_BYTES = 262_144

Results = Mapping[str, Sequence[str]]
"""Name of a case → the tasks that it lost."""


def record(lab: Lab, proofs: Mapping[str, Iterable[Proof]], seed: int) -> Path | None:
    """Write what these drivers gave, and keep what others gave for the same content. None when some case does not hold.

    `proofs` has every case of the lab, by the driver's name.
    """
    graded = {name: list(some) for name, some in proofs.items()}
    if not all(proof.holds for some in graded.values() for proof in some):
        return None
    former = read(lab.path)
    drivers = dict(former["drivers"]) if former and _fits(former, lab) else {}
    for name, some in graded.items():
        drivers[name] = {proof.case.name: sorted(proof.report.lost) for proof in some}
    document = {
        "schema": SCHEMA,
        "lab": lab.id,
        "content_hash": lab.content_hash,
        "seed": seed,
        "drivers": {name: dict(sorted(drivers[name].items())) for name in sorted(drivers)},
    }
    path = lab.path / FILE
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> dict[str, Any] | None:
    """The proof in a lab's folder, or None when there is none that can be read."""
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    well_formed = (
        isinstance(document, dict)
        and document.get("schema") == SCHEMA
        and isinstance(document.get("drivers"), dict)
    )
    return document if well_formed else None


def problems(lab: Lab, drivers: Iterable[str]) -> list[str]:
    """What is missing for the lab to count as proven on these drivers, one sentence each; empty when nothing is."""
    advice = f"run `make labs NAME={lab.id}` and commit {FILE}"
    document = read(lab.path)
    if document is None:
        return [f"{lab.id} has no {FILE} that can be read: {advice}"]
    if not _fits(document, lab):
        return [f"{lab.id} has changed since it was proven: {advice}"]
    wanted = {case.name: sorted(case.loses) for case in cases(lab)}
    found = []
    for driver in drivers:
        results = document["drivers"].get(driver)
        if not isinstance(results, dict):
            found.append(f"{lab.id} was not proven on the driver {driver}: {advice}")
            continue
        found += [
            f"{lab.id}, {name}, on {driver}: the proof says {results.get(name, 'nothing')}, and it must lose {loses}: {advice}"
            for name, loses in wanted.items()
            if results.get(name) != loses
        ]
        found += [
            f"{lab.id}: the proof on {driver} has a case {name} that there is not: {advice}"
            for name in results.keys() - wanted
        ]
    return found


def _fits(document: Mapping[str, Any], lab: Lab) -> bool:
    return document.get("lab") == lab.id and document.get("content_hash") == lab.content_hash
