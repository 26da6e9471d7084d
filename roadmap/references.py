"""What ties the entries together: ids that name other entries, prerequisites, links in texts, and former ids.

Each function keeps what is sound, leaves out what is not, and adds a fault for it to the log it is given.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from roadmap.markdown_lines import fenced_blocks, own_links
from roadmap.planning_schema import PlanFile
from roadmap.schema import LessonHead, ModuleFile, TrackFile
from roadmap.sources import FileT, Location, Source
from roadmap.values import Fault, Kind

TopFileT = TypeVar("TopFileT", TrackFile, ModuleFile, LessonHead, PlanFile)

_HOME = {Kind.TRACK: "tracks/{}.yaml", Kind.MODULE: "modules/{}.yaml", Kind.LESSON: "lessons/{}.md"}
"""Where the file of an entry belongs; a topic has none of its own."""
_LISTED = {
    Kind.TOPIC: "; a module has to list it under 'topics'",
    Kind.ACTIVITY: "; a module has to list it under 'activities'",
}


@dataclass(slots=True)
class FaultLog:
    """The faults so far, and the ids whose own file has faults: their absence needs no second one."""

    faults: set[Fault] = field(default_factory=set)
    broken: dict[Kind, set[str]] = field(default_factory=lambda: {kind: set() for kind in Kind})

    def add(self, path: str, line: int, message: str) -> None:
        """Note a fault."""
        self.faults.add(Fault(path, line, message))

    def is_explained(self, kind: Kind, id_: str) -> bool:
        """Whether `id_` may be missing because of a broken file; topics and activities live in the modules' files."""
        return (
            bool(self.broken[Kind.MODULE]) if kind in (Kind.TOPIC, Kind.ACTIVITY) else id_ in self.broken[kind]
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """`owner` says that it replaces the id `former`."""

    owner: str
    former: str
    path: str
    line: int


LAB = "lab"


@dataclass(frozen=True, slots=True)
class Targets:
    """What references may name: ids by kind. References to labs are checked only where the labs are given."""

    by_kind: Mapping[str, Collection[str]]

    def ids(self, kind: Kind) -> Collection[str]:
        """All ids of a kind."""
        return self.by_kind.get(kind, ())


def distinct(source: Source[FileT], place: Location, ids: Sequence[str], faults: FaultLog) -> tuple[str, ...]:
    """`ids` of the list at `place`, each once."""
    for index, id_ in enumerate(ids):
        if id_ in ids[:index]:
            faults.add(source.path, source.lines.of(*place, index), f"'{id_}' stands in '{place[-1]}' twice")
    return tuple(dict.fromkeys(ids))


def resolved(
    source: Source[FileT], place: Location, refs: Sequence[str], targets: Targets, faults: FaultLog
) -> tuple[str, ...]:
    """Those of `refs` (`topic/cache-aside`) that name an entry, each once; labs stay unchecked."""
    sound = []
    for index, ref in enumerate(refs):
        kind, _, id_ = ref.partition("/")
        line = source.lines.of(*place, index)
        known = targets.by_kind.get(kind)
        if known is None and kind != LAB:
            kinds = ", ".join(sorted({*targets.by_kind, LAB}))
            faults.add(source.path, line, f"'{ref}' names no kind of entry: {kinds}")
        elif known is None or id_ in known:
            sound.append(ref)
        elif kind == LAB:
            faults.add(source.path, line, f"there is no lab '{id_}'")
        elif not faults.is_explained(Kind(kind), id_):
            message = f"there is no {kind} '{id_}'{_advice(id_, known, Kind(kind))}"
            faults.add(source.path, line, message)
    return tuple(dict.fromkeys(sound))


def known(
    source: Source[FileT],
    place: Location,
    ids: Sequence[str],
    entries: Collection[str],
    kind: Kind,
    faults: FaultLog,
) -> tuple[str, ...]:
    """`ids` of the list at `place` that name one of `entries`, each once."""
    for index, id_ in enumerate(ids):
        if id_ not in entries and not faults.is_explained(kind, id_):
            message = f"there is no {kind} '{id_}'{_advice(id_, entries, kind)}"
            faults.add(source.path, source.lines.of(*place, index), message)
    return tuple(id_ for id_ in distinct(source, place, ids, faults) if id_ in entries)


def _advice(id_: str, entries: Collection[str], kind: Kind) -> str:
    near = difflib.get_close_matches(id_, sorted(entries), n=1, cutoff=0.75)
    if near:
        return f"; did you mean '{near[0]}'?"
    if kind in _HOME:
        return f"; the file {_HOME[kind].format(id_)} is missing"
    return _LISTED.get(kind, "")


def sound_prerequisites(
    modules: Mapping[str, Source[ModuleFile]], faults: FaultLog
) -> dict[str, tuple[str, ...]]:
    """The known prerequisites of each module, without those that close a cycle."""
    edges = {
        id_: known(source, ("prerequisites",), source.data.prerequisites, modules, Kind.MODULE, faults)
        for id_, source in modules.items()
    }
    component = _components(edges)
    sound = {}
    for id_, source in modules.items():
        within = [needed for needed in edges[id_] if component[needed] == component[id_]]
        for needed in within:
            members = sorted(f"'{other}'" for other in modules if component[other] == component[id_])
            index = source.data.prerequisites.index(needed)
            message = f"the prerequisite '{needed}' closes a cycle (in it: {', '.join(members)}); one has to go"
            faults.add(source.path, source.lines.of("prerequisites", index), message)
        sound[id_] = tuple(needed for needed in edges[id_] if needed not in within)
    return sound


def _components(edges: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """For each node the least of those on a cycle with it (itself if on none): it names their component."""
    reach = {node: _reachable(node, edges) for node in edges}
    return {node: min({node, *(other for other in reach[node] if node in reach[other])}) for node in edges}


def _reachable(start: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(edges[node])
    return seen


def check_body(lesson: Source[LessonHead], lessons: Collection[str], faults: FaultLog) -> None:
    """Look for links that lead nowhere, labs linked but not listed or the reverse, and open fences."""
    if not lesson.body.strip():
        faults.add(lesson.path, lesson.body_line, "the lesson has no text after its front matter")
    for block in fenced_blocks(lesson.body, lesson.body_line):
        if not block.closed:
            faults.add(lesson.path, block.line - 1, "this code fence is never closed")
    linked_labs = set()
    for link in own_links(lesson.body, lesson.body_line):
        if link.kind == "lessons":
            if link.id in lessons or faults.is_explained(Kind.LESSON, link.id):
                continue
            message = f"the link leads to no lesson: '{link.id}'{_advice(link.id, lessons, Kind.LESSON)}"
            faults.add(lesson.path, link.line, message)
        else:
            linked_labs.add(link.id)
            if link.id not in lesson.data.labs:
                faults.add(lesson.path, link.line, f"the lab '{link.id}' is linked but not listed under 'labs'")
    for index, slug in enumerate(lesson.data.labs):
        if slug not in linked_labs:
            line = lesson.lines.of("labs", index)
            faults.add(lesson.path, line, f"the text never links to the lab '{slug}': write (/labs/{slug})")


def claims(sources: Mapping[str, Source[TopFileT]]) -> Iterator[Claim]:
    """What each of `sources` says it replaces."""
    for id_, source in sources.items():
        for index, former in enumerate(source.data.replaces):
            yield Claim(id_, former, source.path, source.lines.of("replaces", index))


class Renamable(Protocol):
    """An entry of a list in a file, which may have gone by other ids."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def replaces(self) -> Sequence[str]:
        """Former ones."""


def listed_claims(source: Source[FileT], key: str, entries: Sequence[Renamable]) -> Iterator[Claim]:
    """What each of `entries`, the list under `key`, says it replaces."""
    for index, entry in enumerate(entries):
        for number, former in enumerate(entry.replaces):
            yield Claim(entry.id, former, source.path, source.lines.of(key, index, "replaces", number))


def resolve_claims(
    kind: Kind, claims: Sequence[Claim], in_use: Collection[str], faults: FaultLog
) -> Mapping[str, str]:
    """Former id → its successor. An id still in use can't be replaced, nor one be replaced by two entries."""
    successor: dict[str, str] = {}
    for claim in claims:
        if claim.former in in_use:
            message = f"'{claim.owner}' replaces '{claim.former}', but a {kind} with that id is still there"
            faults.add(claim.path, claim.line, message)
        elif claim.former in successor:
            message = f"'{claim.former}' is already replaced by '{successor[claim.former]}'"
            faults.add(claim.path, claim.line, message)
        else:
            successor[claim.former] = claim.owner
    return MappingProxyType(successor)
