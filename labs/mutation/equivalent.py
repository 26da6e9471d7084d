"""`equivalent_mutants.yaml` of a lab: the changes of its solution that make no difference which a check could see, and why.

::

    equivalent:
      - mutant: m3f0c5d1e9a7
        reason: The column is written for people only; no property of the lab speaks of it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from labs.faults import Fault
from labs.yaml_source import parse_mapping, validate

FILE = "equivalent_mutants.yaml"
MOST = 200


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Equivalent(_Model):
    mutant: Annotated[str, StringConstraints(pattern=r"^m[0-9a-f]{11}$")]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=400)]


class _Document(_Model):
    equivalent: tuple[_Equivalent, ...] = Field(max_length=MOST)


def read(folder: Path, known: Collection[str]) -> tuple[dict[str, str], list[Fault]]:
    """Fingerprint → reason, and every fault in the file; `known` are the fingerprints of all mutants there are."""
    path = folder / FILE
    if not path.is_file():
        return {}, []
    source, faults = parse_mapping(path.read_text(encoding="utf-8"), path)
    if source is None:
        return {}, faults
    document, more = validate(_Document, source)
    faults += more
    reasons: dict[str, str] = {}
    for index, entry in enumerate(document.equivalent if document else ()):
        line = source.line(("equivalent", index, "mutant"))
        if entry.mutant not in known:
            faults.append(
                Fault(
                    path, line, f"names {entry.mutant}, which is no mutant of this lab (any more): take it out"
                )
            )
        if entry.mutant in reasons:
            faults.append(Fault(path, line, f"names {entry.mutant} twice"))
        reasons[entry.mutant] = entry.reason
    return reasons, faults
