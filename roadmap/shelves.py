"""The files of a folder of content, read by their schemas and put on shelves by id. None of it stops at a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from roadmap import references
from roadmap.planning_schema import PlanFile
from roadmap.schema import ActivityEntry, LessonHead, ModuleFile, TopicEntry, TrackFile
from roadmap.sources import FileT, Source, read_markdown_file, read_yaml_file
from roadmap.values import Fault, Kind

MAX_FILES = 2000
"""The most files that one folder of content may hold."""

EntryT = TypeVar("EntryT", TopicEntry, ActivityEntry)
Reader = Callable[[Path, str, type[FileT]], tuple[Source[FileT] | None, list[Fault]]]


@dataclass(frozen=True, slots=True)
class Placed(Generic[EntryT]):
    """The entry of a topic or an activity, and where it stands."""

    module: str
    entry: EntryT
    path: str
    line: int


@dataclass(slots=True)
class Shelves:
    """Sources by id, and the faults so far."""

    root: Path
    faults: references.FaultLog = field(default_factory=references.FaultLog)
    tracks: dict[str, Source[TrackFile]] = field(default_factory=dict)
    modules: dict[str, Source[ModuleFile]] = field(default_factory=dict)
    topics: dict[str, Placed[TopicEntry]] = field(default_factory=dict)
    activities: dict[str, Placed[ActivityEntry]] = field(default_factory=dict)
    lessons: dict[str, Source[LessonHead]] = field(default_factory=dict)
    plans: dict[str, Source[PlanFile]] = field(default_factory=dict)

    def read(self) -> None:
        """Fill `tracks`, `modules`, `topics` and `lessons`; of two entries with one id the first stands."""
        for source in self._sources(Kind.TRACK, ".yaml", TrackFile, read_yaml_file):
            self._place(self.tracks, source.data.id, source, Kind.TRACK)
        self._put_in_order()
        for module in self._sources(Kind.MODULE, ".yaml", ModuleFile, read_yaml_file):
            self._place(self.modules, module.data.id, module, Kind.MODULE)
        for lesson in self._sources(Kind.LESSON, ".md", LessonHead, read_markdown_file):
            self._place(self.lessons, lesson.data.id, lesson, Kind.LESSON)
        if (self.root / "plans").is_dir():
            for plan in self._sources(Kind.PLAN, ".yaml", PlanFile, read_yaml_file):
                self._place(self.plans, plan.data.id, plan, Kind.PLAN)
        for module in self.modules.values():
            self._place_parts(module, "topics", module.data.topics, self.topics, Kind.TOPIC)
            self._place_parts(module, "activities", module.data.activities, self.activities, Kind.ACTIVITY)

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

    def _put_in_order(self) -> None:
        """The tracks by their `order`; of two with the same, the one whose file name comes first."""
        self.tracks = dict(sorted(self.tracks.items(), key=lambda item: item[1].data.order))
        taken: dict[int, str] = {}
        for source in self.tracks.values():
            order = source.data.order
            if (first := taken.setdefault(order, source.path)) != source.path:
                line = source.lines.of("order")
                self.faults.add(source.path, line, f"the order {order} is already taken by {first}")

    def _place_parts(
        self,
        module: Source[ModuleFile],
        key: str,
        entries: Iterable[EntryT],
        shelf: dict[str, Placed[EntryT]],
        kind: Kind,
    ) -> None:
        for index, entry in enumerate(entries):
            line = module.lines.of(key, index, "id")
            taken = shelf.get(entry.id)
            if taken is None:
                shelf[entry.id] = Placed(module.data.id, entry, module.path, line)
            else:
                message = f"the {kind} id '{entry.id}' is already taken at {taken.path}:{taken.line}"
                self.faults.add(module.path, line, message)
