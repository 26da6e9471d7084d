"""What proves a lab: `proof.json` in its folder says what grading every case gave, on each driver, and for which content.

`python -m labs verify --write` grades and writes it; a test requires that it fits the folder as it is. So nobody changes what is
graded without having proven it, and CI need not grade every wrong answer each time. Each case stands there with a fingerprint of
what its result follows from (`labs.verify.fingerprints`): a changed wrong answer is to be proven again alone, changed checks
with all cases, and changed text not at all. The same results give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.catalogue import Lab
from labs.verify import COMBINED, Proof, cases, fingerprints

FILE = "proof.json"
SCHEMA = 2
MAX_BYTES = 262_144

Results = Mapping[str, Any]
"""Name of a case → its fingerprint (`graded`), the `seed`, and the tasks that it `lost`."""


@dataclass(frozen=True)
class Wanted:
    """What a proof must say of a case."""

    graded: str
    lost: list[str]

    def is_said_by(self, result: object) -> bool:
        """Whether it does."""
        return isinstance(result, dict) and (result.get("graded"), result.get("lost")) == (
            self.graded,
            self.lost,
        )


def wanted(lab: Lab) -> dict[str, Wanted]:
    """Name of a case → what a proof must say of it."""
    every = cases(lab)
    marks = fingerprints(lab, every)
    return {case.name: Wanted(marks[case.name], sorted(case.loses)) for case in every}


def record(lab: Lab, driver: str, proofs: Iterable[Proof], seed: int) -> Path:
    """Write what a driver gave for some cases. One that does not hold loses what stood there for it.

    What other cases and drivers gave is kept while it fits, and no case is kept that the lab no longer has.
    """
    must = wanted(lab)
    former = read(lab.path)
    drivers = {
        name: {
            case: result for case, result in results.items() if case in must and must[case].is_said_by(result)
        }
        for name, results in (former["drivers"] if former else {}).items()
    }
    results = drivers.setdefault(driver, {})
    for proof in proofs:
        name = proof.case.name
        if name == COMBINED:
            continue
        results.pop(name, None)
        if proof.holds:
            results[name] = {"graded": must[name].graded, "seed": seed, "lost": sorted(proof.report.lost)}
    order = {name: place for place, name in enumerate(must)}
    document = {
        "schema": SCHEMA,
        "lab": lab.id,
        "drivers": {
            name: dict(sorted(drivers[name].items(), key=lambda item: order[item[0]]))
            for name in sorted(drivers)
        },
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
        and all(isinstance(results, dict) for results in document["drivers"].values())
    )
    return document if well_formed else None


def missing(lab: Lab, driver: str) -> set[str]:
    """The cases of which the lab's proof does not say, or not for the lab as it is, what this driver gave."""
    document = read(lab.path)
    results = document["drivers"].get(driver, {}) if document else {}
    return {name for name, one in wanted(lab).items() if not one.is_said_by(results.get(name))}


def problems(lab: Lab, drivers: Iterable[str]) -> list[str]:
    """What is missing for the lab to count as proven on these drivers, one sentence each; empty when nothing is."""
    advice = f"run `make labs NAME={lab.id} ARGS=--stale` and commit {FILE}"
    document = read(lab.path)
    if document is None:
        return [f"{lab.id} has no {FILE} that can be read: {advice}"]
    must = wanted(lab)
    found = []
    for driver in drivers:
        results: Results = document["drivers"].get(driver, {})
        unproven = [name for name in must if name not in results]
        stale = [name for name, one in must.items() if name in results and not one.is_said_by(results[name])]
        unknown = [name for name in results if name not in must]
        if unproven:
            found.append(f"{lab.id}: not proven on {driver}: {_named(unproven)}: {advice}")
        if stale:
            found.append(f"{lab.id}: changed since proven on {driver}: {_named(stale)}: {advice}")
        if unknown:
            found.append(f"{lab.id}: the proof on {driver} has what there is not: {_named(unknown)}: {advice}")
    return found


def _named(names: Collection[str], at_most: int = 3) -> str:
    shown = ", ".join(list(names)[:at_most])
    return f"{shown} and {len(names) - at_most} more" if len(names) > at_most else shown
