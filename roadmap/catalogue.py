"""`load`: from a folder of files to a `Catalogue`.

The work goes in three steps, none of which stops at a fault: read each file by its schema; give each id to one
entry; tie the entries together and leave out what does not resolve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from roadmap import references
from roadmap.schema import LessonHead, ModuleFile, TopicEntry, TrackFile
from roadmap.sources import FileT, Source, read_markdown_file, read_yaml_file
from roadmap.values import Catalogue, Fault, Kind, Lesson, Module, Topic, Track

CONTENT_ROOT = Path(__file__).parent / "content"
"""The content that comes with the package."""

MAX_FILES = 2000
"""The most files that one folder of content may hold."""

T = TypeVar("T")
Reader = Callable[[Path, str, type[FileT]], tuple[Source[FileT] | None, list[Fault]]]


def load(root: Path | None = None) -> Catalogue:
    """Read all content below `root` (by default the package's own).

    Never raises for what is in the files: look at `faults`. Reads everything anew on each call:
    keep the result.
    """
    loader = _Loader(root or CONTENT_ROOT)
    loader.read()
    return loader.build()


@dataclass(frozen=True, slots=True)
class _PlacedTopic:
    """A topic's entry and where it stands."""

    module: str
    entry: TopicEntry
    path: str
    line: int


@dataclass(slots=True)
class _Loader:
    """Sources by id while the catalogue is being made, and the faults so far."""

    root: Path
    faults: references.FaultLog = field(default_factory=references.FaultLog)
    tracks: dict[str, Source[TrackFile]] = field(default_factory=dict)
    modules: dict[str, Source[ModuleFile]] = field(default_factory=dict)
    topics: dict[str, _PlacedTopic] = field(default_factory=dict)
    lessons: dict[str, Source[LessonHead]] = field(default_factory=dict)

    def read(self) -> None:
        """Fill `tracks`, `modules`, `topics` and `lessons`; of two entries with one id the first stands."""
        for source in self._sources(Kind.TRACK, ".yaml", TrackFile, read_yaml_file):
            self._place(self.tracks, source.data.id, source, Kind.TRACK)
        for module in self._sources(Kind.MODULE, ".yaml", ModuleFile, read_yaml_file):
            self._place(self.modules, module.data.id, module, Kind.MODULE)
        for lesson in self._sources(Kind.LESSON, ".md", LessonHead, read_markdown_file):
            self._place(self.lessons, lesson.data.id, lesson, Kind.LESSON)
        for module in self.modules.values():
            self._place_topics(module)

    def build(self) -> Catalogue:
        """Tie the entries together."""
        prerequisites = references.sound_prerequisites(self.modules, self.faults)
        lessons = {id_: self._lesson(source) for id_, source in self.lessons.items()}
        modules = {
            id_: self._module(source, lessons, prerequisites[id_]) for id_, source in self.modules.items()
        }
        tracks = {id_: self._track(source) for id_, source in self.tracks.items()}
        self._report_unreachable(tracks, modules)
        modules = _in_order((id_ for track in tracks.values() for id_ in track.modules), modules)
        lessons = _in_order((id_ for module in modules.values() for id_ in module.lessons), lessons)
        topics = {topic.id: topic for module in modules.values() for topic in module.topics}
        return Catalogue(
            tracks=MappingProxyType(tracks),
            modules=MappingProxyType(modules),
            topics=MappingProxyType(topics),
            lessons=MappingProxyType(lessons),
            replaced=self._replaced(),
            faults=tuple(sorted(self.faults.faults)),
        )

    def _sources(
        self, kind: Kind, suffix: str, schema: type[FileT], reader: Reader[FileT]
    ) -> Iterator[Source[FileT]]:
        folder = f"{kind}s"
        directory = self.root / folder
        if not directory.is_dir():
            self.faults.add(folder, 1, f"the folder '{folder}' is missing from {self.root.name}/")
            return
        paths = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
        if len(paths) > MAX_FILES:
            self.faults.add(folder, 1, f"{len(paths):,} files are here; only the first {MAX_FILES:,} were read")
        for path in paths[:MAX_FILES]:
            name = f"{folder}/{path.name}"
            if path.suffix != suffix or not path.is_file():
                self.faults.add(name, 1, f"only files that end in '{suffix}' belong in '{folder}'")
                continue
            source, faults = reader(path, name, schema)
            for fault in faults:
                self.faults.add(fault.path, fault.line, fault.message)
            if source is None:
                self.faults.broken[kind].add(path.stem)
            else:
                yield source

    def _place(self, shelf: dict[str, Source[FileT]], id_: str, source: Source[FileT], kind: Kind) -> None:
        stem = Path(source.path).stem
        line = source.lines.of("id")
        if id_ in shelf:
            self.faults.add(source.path, line, f"the {kind} id '{id_}' is already taken by {shelf[id_].path}")
            return
        if id_ != stem:
            self.faults.add(
                source.path, line, f"the id '{id_}' and the file name '{stem}' differ; make them equal"
            )
        shelf[id_] = source

    def _place_topics(self, module: Source[ModuleFile]) -> None:
        for index, entry in enumerate(module.data.topics):
            line = module.lines.of("topics", index, "id")
            taken = self.topics.get(entry.id)
            if taken is None:
                self.topics[entry.id] = _PlacedTopic(module.data.id, entry, module.path, line)
            else:
                self.faults.add(
                    module.path,
                    line,
                    f"the topic id '{entry.id}' is already taken at {taken.path}:{taken.line}",
                )

    def _lesson(self, source: Source[LessonHead]) -> Lesson:
        head = source.data
        references.check_body(source, set(self.lessons), self.faults)
        return Lesson(
            id=head.id,
            title=head.title,
            summary=head.summary,
            minutes=head.minutes,
            topics=references.known(source, "topics", head.topics, self.topics, Kind.TOPIC, self.faults),
            labs=references.distinct(source, "labs", head.labs, self.faults),
            body=source.body.strip("\n") + "\n",
            content_hash=hashlib.sha256(source.text.encode()).hexdigest(),
        )

    def _module(
        self, source: Source[ModuleFile], lessons: Mapping[str, Lesson], prerequisites: tuple[str, ...]
    ) -> Module:
        data = source.data
        own_lessons = references.known(source, "lessons", data.lessons, lessons, Kind.LESSON, self.faults)
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
            if self.topics[entry.id].entry is entry
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
            labs=references.distinct(source, "labs", data.labs, self.faults),
            artifact=data.artifact,
        )

    def _track(self, source: Source[TrackFile]) -> Track:
        data = source.data
        modules = references.known(source, "modules", data.modules, self.modules, Kind.MODULE, self.faults)
        for position, id_ in enumerate(modules):
            for needed in self.modules[id_].data.prerequisites:
                if needed in modules[position + 1 :]:
                    line = source.lines.of("modules", data.modules.index(id_))
                    self.faults.add(
                        source.path, line, f"'{id_}' stands before '{needed}', which it needs first"
                    )
        return Track(id=data.id, title=data.title, summary=data.summary, modules=modules)

    def _report_unreachable(self, tracks: Mapping[str, Track], modules: Mapping[str, Module]) -> None:
        in_tracks = {id_ for track in tracks.values() for id_ in track.modules}
        in_modules = {id_ for module in modules.values() for id_ in module.lessons}
        for id_, module in self.modules.items():
            if id_ not in in_tracks and not self.faults.broken[Kind.TRACK]:
                self.faults.add(
                    module.path, module.lines.of("id"), f"no track names the module '{id_}', so nobody finds it"
                )
        for id_, lesson in self.lessons.items():
            if id_ not in in_modules and not self.faults.broken[Kind.MODULE]:
                self.faults.add(
                    lesson.path,
                    lesson.lines.of("id"),
                    f"no module names the lesson '{id_}', so nobody finds it",
                )

    def _replaced(self) -> Mapping[Kind, Mapping[str, str]]:
        claims: dict[Kind, list[references.Claim]] = {
            Kind.TRACK: list(references.claims(self.tracks)),
            Kind.MODULE: list(references.claims(self.modules)),
            Kind.LESSON: list(references.claims(self.lessons)),
            Kind.TOPIC: [
                references.Claim(placed.entry.id, former, placed.path, placed.line)
                for placed in self.topics.values()
                for former in placed.entry.replaces
            ],
        }
        in_use: dict[Kind, Mapping[str, object]] = {
            Kind.TRACK: self.tracks,
            Kind.MODULE: self.modules,
            Kind.LESSON: self.lessons,
            Kind.TOPIC: self.topics,
        }
        return MappingProxyType(
            {kind: references.resolve_claims(kind, claims[kind], in_use[kind], self.faults) for kind in Kind}
        )


def _in_order(wanted: Iterable[str], entries: Mapping[str, T]) -> dict[str, T]:
    """`entries` with the `wanted` ones first, in that order, and the others behind."""
    return {id_: entries[id_] for id_ in dict.fromkeys([*wanted, *entries])}
