"""From the files of tracks to `Track`s: stages with the modules that exist, criteria with the evidence that exists."""

from __future__ import annotations

from collections.abc import Mapping

from roadmap import references
from roadmap.references import FaultLog
from roadmap.schema import ModuleFile, StageEntry, TrackFile
from roadmap.sources import Source
from roadmap.values import Criterion, Kind, Stage, Track


def build(
    sources: Mapping[str, Source[TrackFile]],
    modules: Mapping[str, Source[ModuleFile]],
    targets: references.Targets,
    faults: FaultLog,
) -> dict[str, Track]:
    """The tracks by id. Of two stages or criteria with one id, in any tracks, the first stands."""
    taken = _Taken(faults)
    return {id_: _track(source, modules, targets, taken, faults) for id_, source in sources.items()}


class _Taken:
    """Which ids of stages and criteria are in use, and by which track."""

    def __init__(self, faults: FaultLog) -> None:
        self._owner: dict[tuple[Kind, str], str] = {}
        self._faults = faults

    def is_new(self, kind: Kind, id_: str, path: str, line: int) -> bool:
        """Whether the id is free; it is taken afterwards."""
        owner = self._owner.setdefault((kind, id_), f"{path}:{line}")
        if owner == f"{path}:{line}":
            return True
        self._faults.add(path, line, f"the {kind} id '{id_}' is already taken at {owner}")
        return False


def _track(
    source: Source[TrackFile],
    modules: Mapping[str, Source[ModuleFile]],
    targets: references.Targets,
    taken: _Taken,
    faults: FaultLog,
) -> Track:
    data = source.data
    needs = _sound_needs(source, faults)
    stages = []
    for index, entry in enumerate(data.stages):
        if taken.is_new(Kind.STAGE, entry.id, source.path, source.lines.of("stages", index, "id")):
            place = ("stages", index, "modules")
            found = references.known(source, place, entry.modules, modules, Kind.MODULE, faults)
            stages.append(_stage(entry, found, needs[index]))
    criteria = [
        Criterion(
            entry.id,
            entry.title,
            references.resolved(
                source, ("criteria", index, "evidence"), entry.evidence.references, targets, faults
            ),
        )
        for index, entry in enumerate(data.criteria)
        if taken.is_new(Kind.CRITERION, entry.id, source.path, source.lines.of("criteria", index, "id"))
    ]
    track = Track(data.id, data.title, data.summary, tuple(stages), tuple(criteria))
    _check_order(source, track, modules, faults)
    return track


def _stage(entry: StageEntry, modules: tuple[str, ...], needs: tuple[str, ...]) -> Stage:
    return Stage(entry.id, entry.title, entry.summary, modules, entry.weeks, entry.priority, needs)


def _sound_needs(source: Source[TrackFile], faults: FaultLog) -> list[tuple[str, ...]]:
    """What each stage needs: stages that stand before it, so that no cycle can be."""
    before: list[str] = []
    sound = []
    for index, stage in enumerate(source.data.stages):
        for position, needed in enumerate(stage.needs):
            if needed not in before:
                line = source.lines.of("stages", index, "needs", position)
                faults.add(source.path, line, f"'{stage.id}' needs '{needed}', which is no stage before it")
        sound.append(tuple(needed for needed in dict.fromkeys(stage.needs) if needed in before))
        before.append(stage.id)
    return sound


def _check_order(
    source: Source[TrackFile], track: Track, modules: Mapping[str, Source[ModuleFile]], faults: FaultLog
) -> None:
    order = track.modules
    for position, id_ in enumerate(order):
        for needed in modules[id_].data.prerequisites:
            if needed in order[position + 1 :]:
                stage = next(index for index, entry in enumerate(source.data.stages) if id_ in entry.modules)
                line = source.lines.of("stages", stage, "modules", source.data.stages[stage].modules.index(id_))
                faults.add(source.path, line, f"'{id_}' stands before '{needed}', which it needs first")
