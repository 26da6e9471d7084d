"""What stands beside the tracks: ready-made plans, the glossary, the scorecard. Their references must lead somewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from roadmap import references
from roadmap.planning import Aim, Commitment, Dimension, Metric, Plan, PlanWeek, Scorecard, Term
from roadmap.planning_schema import DimensionEntry, GlossaryFile, PlanFile, ScorecardFile
from roadmap.references import FaultLog, Targets
from roadmap.sources import FileT, Source, read_yaml_file
from roadmap.values import Kind

GLOSSARY = "glossary.yaml"
SCORECARD = "scorecard.yaml"


def read_alone(root: Path, name: str, schema: type[FileT], faults: FaultLog) -> Source[FileT] | None:
    """The file of that name, when there is one."""
    if not (root / name).is_file():
        return None
    source, found = read_yaml_file(root / name, name, schema)
    for fault in found:
        faults.add(fault.path, fault.line, fault.message)
    return source


def plans(
    sources: Mapping[str, Source[PlanFile]], tracks: Collection[str], targets: Targets, faults: FaultLog
) -> dict[str, Plan]:
    """The ready-made plans by id; one for a track that doesn't exist is left out."""
    taken: dict[str, str] = {}
    found = {}
    for id_, source in sources.items():
        data = source.data
        if not references.known(source, ("track",), [data.track], tracks, Kind.TRACK, faults):
            continue
        weeks = []
        for index, week in enumerate(data.weeks):
            aims = []
            for number, aim in enumerate(week.aims):
                place = ("weeks", index, "aims", number)
                here = f"{source.path}:{source.lines.of(*place, 'id')}"
                if taken.setdefault(aim.id, here) != here:
                    message = f"the aim id '{aim.id}' is already taken at {taken[aim.id]}"
                    faults.add(source.path, source.lines.of(*place, "id"), message)
                    continue
                refs = references.resolved(source, (*place, "refs"), aim.refs, targets, faults)
                aims.append(Aim(aim.id, aim.title, refs))
            weeks.append(PlanWeek(week.title, week.weeks, tuple(aims)))
        found[id_] = Plan(id_, data.title, data.summary, data.track, data.hours_per_week, tuple(weeks))
    return found


def glossary(
    source: Source[GlossaryFile] | None, lessons: Collection[str], faults: FaultLog
) -> dict[str, Term]:
    """The terms by id, in the order of the alphabet. Each word leads to one term."""
    if source is None:
        return {}
    terms: dict[str, Term] = {}
    words: dict[str, str] = {}
    for index, entry in enumerate(source.data.terms):
        line = source.lines.of("terms", index, "id")
        if entry.id in terms:
            faults.add(source.path, line, f"the term id '{entry.id}' stands here twice")
            continue
        for word in (entry.term, *entry.also):
            if (owner := words.setdefault(word.casefold(), entry.id)) != entry.id:
                faults.add(source.path, line, f"the word '{word}' already leads to the term '{owner}'")
        lesson = entry.lesson
        if lesson is not None:
            references.known(source, ("terms", index, "lesson"), [lesson], lessons, Kind.LESSON, faults)
            lesson = lesson if lesson in lessons else None
        terms[entry.id] = Term(entry.id, entry.term, tuple(entry.also), entry.text, lesson)
    return dict(sorted(terms.items(), key=lambda item: item[1].title.casefold()))


def scorecard(source: Source[ScorecardFile] | None, targets: Targets, faults: FaultLog) -> Scorecard:
    """The scorecard; an empty one when there is no file."""
    if source is None:
        return Scorecard()
    data = source.data
    for key in ("dimensions", "commitments", "metrics"):
        _once(source, key, (entry.id for entry in getattr(data, key)), faults)
    commitments = {entry.id for entry in data.commitments}
    return Scorecard(
        data.months,
        tuple(
            _dimension(source, index, entry, commitments, targets, faults)
            for index, entry in enumerate(data.dimensions)
        ),
        tuple(Commitment(e.id, e.title, e.per_week, e.advice) for e in data.commitments),
        tuple(Metric(e.id, e.title) for e in data.metrics),
    )


def _dimension(
    source: Source[ScorecardFile],
    index: int,
    entry: DimensionEntry,
    commitments: Collection[str],
    targets: Targets,
    faults: FaultLog,
) -> Dimension:
    place = ("dimensions", index, "evidence")
    evidence = entry.evidence
    return Dimension(
        entry.id,
        entry.title,
        entry.question,
        tuple(entry.levels),
        references.known(
            source, (*place, "modules"), evidence.modules, targets.ids(Kind.MODULE), Kind.MODULE, faults
        ),
        references.known(
            source,
            (*place, "activities"),
            evidence.activities,
            targets.ids(Kind.ACTIVITY),
            Kind.ACTIVITY,
            faults,
        ),
        references.known(
            source, (*place, "commitments"), evidence.commitments, commitments, Kind.COMMITMENT, faults
        ),
    )


def _once(source: Source[ScorecardFile], key: str, ids: Iterable[str], faults: FaultLog) -> None:
    seen: set[str] = set()
    for index, id_ in enumerate(ids):
        if id_ in seen:
            faults.add(
                source.path, source.lines.of(key, index, "id"), f"the id '{id_}' stands in '{key}' twice"
            )
        seen.add(id_)
