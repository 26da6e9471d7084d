"""`load`: from a folder of files to a `Catalogue`.

The work goes in three steps, none of which stops at a fault: read each file by its schema; give each id to one
entry; tie the entries together and leave out what does not resolve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from roadmap import companions, quotes, references, rules, tracks
from roadmap.planning_schema import GlossaryFile, ScorecardFile
from roadmap.schema import LessonHead, ModuleFile, TrackFile
from roadmap.shelves import EntryT, Placed, Shelves
from roadmap.sources import Source
from roadmap.values import Activity, ActivityKind, Catalogue, Fault, Kind, Lesson, Module, Reading, Topic, Track

CONTENT_ROOT = Path(__file__).parent / "content"
"""The content that comes with the package."""

ARTIFACT_HOURS = 4
"""What a module's artifact is reckoned to take."""

T = TypeVar("T")


REPOSITORY = Path(__file__).parent.parent
"""Where lessons quote code from."""


def load(root: Path | None = None, repository: Path = REPOSITORY) -> Catalogue:
    """Read all content below `root` (by default the package's own), and what it quotes below `repository`.

    Never raises for what is in the files: look at `faults`. Reads everything anew on each call:
    keep the result.
    """
    shelves = Shelves(root or CONTENT_ROOT)
    shelves.read()
    return _Builder(shelves, repository).build()


def check(root: Path | None = None, repository: Path = REPOSITORY) -> tuple[Catalogue, tuple[Fault, ...]]:
    """What `load` gives, and every fault: its own, and what the rules for lessons find."""
    shelves = Shelves(root or CONTENT_ROOT)
    shelves.read()
    catalogue = _Builder(shelves, repository).build()
    broken = (fault for lesson in shelves.lessons.values() for fault in rules.of_lesson(lesson))
    return catalogue, tuple(sorted({*catalogue.faults, *broken}))


def lint(root: Path | None = None, repository: Path = REPOSITORY) -> tuple[Fault, ...]:
    """Every fault: those of `load`, and what the rules for lessons find."""
    return check(root, repository)[1]


class _Builder:
    """Ties the entries together."""

    def __init__(self, shelves: Shelves, repository: Path) -> None:
        self.shelves = shelves
        self.repository = repository
        self.faults = shelves.faults

    def build(self) -> Catalogue:
        """Tie the entries together."""
        prerequisites = references.sound_prerequisites(self.shelves.modules, self.faults)
        lessons = {id_: self._lesson(source) for id_, source in self.shelves.lessons.items()}
        modules = {
            id_: self._module(source, lessons, prerequisites[id_])
            for id_, source in self.shelves.modules.items()
        }
        activities = {each.id: each for module in modules.values() for each in module.activities}
        known: dict[str, Collection[str]] = {
            "module": modules,
            "topic": self.shelves.topics,
            "lesson": lessons,
            "activity": activities,
        }
        found = tracks.build(self.shelves.tracks, self.shelves.modules, references.Targets(known), self.faults)
        self._report_unreachable(found, modules)
        card_source = companions.read_alone(self.shelves.root, companions.SCORECARD, ScorecardFile, self.faults)
        card = companions.scorecard(card_source, references.Targets(known), self.faults)
        terms = companions.glossary(
            companions.read_alone(self.shelves.root, companions.GLOSSARY, GlossaryFile, self.faults),
            lessons,
            self.faults,
        )
        known |= {
            "track": found,
            "stage": [stage.id for track in found.values() for stage in track.stages],
            "criterion": [each.id for track in found.values() for each in track.criteria],
            "commitment": [each.id for each in card.commitments],
        }
        plans = companions.plans(self.shelves.plans, found, references.Targets(known), self.faults)
        modules = _in_order((id_ for track in found.values() for id_ in track.modules), modules)
        lessons = _in_order((id_ for module in modules.values() for id_ in module.lessons), lessons)
        return Catalogue(
            tracks=MappingProxyType(found),
            modules=MappingProxyType(modules),
            topics=MappingProxyType({t.id: t for module in modules.values() for t in module.topics}),
            lessons=MappingProxyType(lessons),
            activities=MappingProxyType({a.id: a for module in modules.values() for a in module.activities}),
            plans=MappingProxyType(plans),
            terms=MappingProxyType(terms),
            scorecard=card,
            replaced=self._replaced(card_source),
            faults=tuple(sorted(self.faults.faults)),
        )

    def _lesson(self, source: Source[LessonHead]) -> Lesson:
        head = source.data
        references.check_body(source, set(self.shelves.lessons), self.faults)
        return Lesson(
            id=head.id,
            title=head.title,
            summary=head.summary,
            minutes=head.minutes,
            topics=references.known(
                source, ("topics",), head.topics, self.shelves.topics, Kind.TOPIC, self.faults
            ),
            labs=references.distinct(source, ("labs",), head.labs, self.faults),
            quick=references.distinct(source, ("quick",), head.quick, self.faults),
            body=quotes.filled(source, self.repository, self.faults).strip("\n") + "\n",
            content_hash=hashlib.sha256(source.text.encode()).hexdigest(),
        )

    def _module(
        self, source: Source[ModuleFile], lessons: Mapping[str, Lesson], prerequisites: tuple[str, ...]
    ) -> Module:
        data = source.data
        own_lessons = references.known(source, ("lessons",), data.lessons, lessons, Kind.LESSON, self.faults)
        reading_order = [*own_lessons, *lessons]
        topics = tuple(
            Topic(
                id=entry.id,
                title=entry.title,
                summary=entry.summary,
                module=data.id,
                lesson=next((id_ for id_ in reading_order if entry.id in lessons[id_].topics), None),
            )
            for entry in data.topics
            if self.shelves.topics[entry.id].entry is entry
        )
        return Module(
            id=data.id,
            title=data.title,
            summary=data.summary,
            objectives=tuple(data.objectives),
            prerequisites=prerequisites,
            hours=data.hours,
            depth=data.depth,
            topics=topics,
            lessons=own_lessons,
            labs=references.distinct(source, ("labs",), data.labs, self.faults),
            activities=self._activities(source),
            artifact=data.artifact,
            reading=tuple(Reading(e.title, e.by, e.kind, e.why, e.url) for e in data.reading),
        )

    def _activities(self, module: Source[ModuleFile]) -> tuple[Activity, ...]:
        """Those of the file, and the module's artifact."""
        data = module.data
        found = [
            Activity(
                id=entry.id,
                kind=entry.kind,
                title=entry.title,
                brief=entry.brief,
                done_when=tuple(entry.done_when),
                hours=entry.hours,
                topics=references.known(
                    module,
                    ("activities", index, "topics"),
                    entry.topics,
                    self.shelves.topics,
                    Kind.TOPIC,
                    self.faults,
                ),
                module=data.id,
            )
            for index, entry in enumerate(data.activities)
            if self.shelves.activities[entry.id].entry is entry
        ]
        artifact = _artifact_id(data.id)
        if artifact in self.shelves.activities:
            line = self.shelves.activities[artifact].line
            self.faults.add(
                module.path, line, f"'{artifact}' is the id of the module's artifact: choose another"
            )
            return tuple(found)
        return (
            *found,
            Activity(
                id=artifact,
                kind=ActivityKind.ARTIFACT,
                title=f"{data.title}: the artifact",
                brief=data.artifact,
                done_when=_conditions(data.artifact),
                hours=ARTIFACT_HOURS,
                topics=(),
                module=data.id,
            ),
        )

    def _report_unreachable(self, tracks: Mapping[str, Track], modules: Mapping[str, Module]) -> None:
        in_tracks = {id_ for track in tracks.values() for id_ in track.modules}
        in_modules = {id_ for module in modules.values() for id_ in module.lessons}
        for id_, module in self.shelves.modules.items():
            if id_ not in in_tracks and not self.faults.broken[Kind.TRACK]:
                self.faults.add(
                    module.path, module.lines.of("id"), f"no track names the module '{id_}', so nobody finds it"
                )
        for id_, lesson in self.shelves.lessons.items():
            if id_ not in in_modules and not self.faults.broken[Kind.MODULE]:
                self.faults.add(
                    lesson.path,
                    lesson.lines.of("id"),
                    f"no module names the lesson '{id_}', so nobody finds it",
                )

    def _replaced(self, card: Source[ScorecardFile] | None) -> Mapping[Kind, Mapping[str, str]]:
        claims: dict[Kind, list[references.Claim]] = {
            Kind.TRACK: list(references.claims(self.shelves.tracks)),
            Kind.MODULE: list(references.claims(self.shelves.modules)),
            Kind.LESSON: list(references.claims(self.shelves.lessons)),
            Kind.PLAN: list(references.claims(self.shelves.plans)),
            Kind.TOPIC: _part_claims(self.shelves.topics),
            Kind.ACTIVITY: _part_claims(self.shelves.activities),
        }
        in_use: dict[Kind, Collection[str]] = {
            Kind.TRACK: self.shelves.tracks,
            Kind.MODULE: self.shelves.modules,
            Kind.LESSON: self.shelves.lessons,
            Kind.PLAN: self.shelves.plans,
            Kind.TOPIC: self.shelves.topics,
            Kind.ACTIVITY: self.shelves.activities,
        }
        for kind, lists in _listed(self.shelves.tracks.values(), card).items():
            claims[kind] = [claim for one in lists for claim in references.listed_claims(*one)]
            in_use[kind] = {entry.id for _source, _key, entries in lists for entry in entries}
        found = {
            kind: references.resolve_claims(kind, claims[kind], in_use[kind], self.faults) for kind in claims
        }
        # Whoever takes a module's place takes its artifact's.
        artifacts = {_artifact_id(old): _artifact_id(now) for old, now in found[Kind.MODULE].items()}
        found[Kind.ACTIVITY] = MappingProxyType(artifacts | dict(found[Kind.ACTIVITY]))
        return MappingProxyType(found)


Listed = tuple[Source[Any], str, Sequence[references.Renamable]]
"""A file, a key in it, and the entries of the list there."""


def _listed(
    tracks: Iterable[Source[TrackFile]], card: Source[ScorecardFile] | None
) -> dict[Kind, list[Listed]]:
    """The entries that are renamed where they stand in a list of their file."""
    found: dict[Kind, list[Listed]] = {
        Kind.CRITERION: [(track, "criteria", track.data.criteria) for track in tracks]
    }
    if card is not None:
        found[Kind.DIMENSION] = [(card, "dimensions", card.data.dimensions)]
        found[Kind.COMMITMENT] = [(card, "commitments", card.data.commitments)]
        found[Kind.METRIC] = [(card, "metrics", card.data.metrics)]
    return found


def _artifact_id(module: str) -> str:
    return f"{module}-artifact"


def _part_claims(placed: Mapping[str, Placed[EntryT]]) -> list[references.Claim]:
    return [
        references.Claim(part.entry.id, former, part.path, part.line)
        for part in placed.values()
        for former in part.entry.replaces
    ]


def _conditions(artifact: str) -> tuple[str, ...]:
    """The items of the list in an artifact's text."""
    lines = artifact.split("\n")
    starts = [index for index, line in enumerate(lines) if line.startswith("- ")]
    found = []
    for start in starts:
        end = start + 1
        while end < len(lines) and lines[end].startswith("  "):
            end += 1
        found.append(" ".join(line.strip() for line in (lines[start][2:], *lines[start + 1 : end])))
    return tuple(found)


def _in_order(wanted: Iterable[str], entries: Mapping[str, T]) -> dict[str, T]:
    """`entries` with the `wanted` ones first, in that order, and the others behind."""
    return {id_: entries[id_] for id_ in dict.fromkeys([*wanted, *entries])}
