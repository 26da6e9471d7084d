"""What became of the documents that the roadmap was made from: every heading and item of each, with its entries here.

`sources.yaml` beside this module lists them under short titles of our own. `docs/coverage.md` is generated from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from roadmap import references
from roadmap.references import FaultLog, Targets
from roadmap.schema import Id, Line, Reference, Sentence, Strict
from roadmap.sources import Source, read_yaml_file
from roadmap.values import Catalogue, Fault, Kind

SOURCES = Path(__file__).parent / "sources.yaml"


class SourceEntry(Strict):
    """A heading, or an item: a checkbox, a numbered exercise, a line of a list of topics."""

    id: Id
    kind: Literal["heading", "item"]
    title: Line
    refs: list[Reference] = Field(min_length=1, max_length=40)


class SourceDocument(Strict):
    """One of the documents."""

    id: Id
    title: Line
    about: Sentence
    entries: list[SourceEntry] = Field(min_length=1, max_length=1500)


class SourcesFile(Strict):
    """`sources.yaml`."""

    documents: list[SourceDocument] = Field(min_length=1, max_length=20)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The documents, and every entry that leads nowhere."""

    documents: tuple[SourceDocument, ...]
    faults: tuple[Fault, ...]


def read(catalogue: Catalogue, labs: Collection[str], path: Path = SOURCES) -> Coverage:
    """Read the list, and look up each reference; `labs` are the ids of the labs that exist."""
    source, found = read_yaml_file(path, path.name, SourcesFile)
    if source is None:
        return Coverage((), tuple(found))
    log = FaultLog()
    targets = Targets({str(kind): catalogue.entries(kind) for kind in Kind} | {"lab": labs})
    seen: dict[str, int] = {}
    for number, document in enumerate(source.data.documents):
        for index, entry in enumerate(document.entries):
            place = ("documents", number, "entries", index)
            line = source.lines.of(*place, "id")
            if seen.setdefault(entry.id, line) != line:
                log.add(path.name, line, f"the id '{entry.id}' is already taken at line {seen[entry.id]}")
            _look_up(source, place, entry, targets, log)
    return Coverage(tuple(source.data.documents), tuple(sorted(log.faults)))


def _look_up(
    source: Source[SourcesFile],
    place: tuple[str | int, ...],
    entry: SourceEntry,
    targets: Targets,
    log: FaultLog,
) -> None:
    references.resolved(source, (*place, "refs"), entry.refs, targets, log)


def as_markdown(coverage: Coverage, catalogue: Catalogue) -> str:
    """The generated page."""
    return "\n".join(_page(coverage, catalogue)) + "\n"


def _page(coverage: Coverage, catalogue: Catalogue) -> Iterator[str]:
    yield "# What the roadmap covers"
    yield ""
    yield "Made by `python -m roadmap coverage --write`; don't change it by hand. The roadmap was made from five documents."
    yield "Each of their headings and items is listed in `roadmap/sources.yaml`, under a short title of our own, with the"
    yield "entries that cover it."
    yield ""
    yield "| document | headings | items | entries they lead to |"
    yield "|---|---|---|---|"
    for document in coverage.documents:
        counts = Counter(entry.kind for entry in document.entries)
        targets = {ref for entry in document.entries for ref in entry.refs}
        yield f"| [{document.title}](#{document.id}) | {counts['heading']} | {counts['item']} | {len(targets)} |"
    for document in coverage.documents:
        yield ""
        yield f'<a id="{document.id}"></a>'
        yield ""
        yield f"## {document.title}"
        yield ""
        yield document.about
        yield ""
        yield "| | heading or item | covered by |"
        yield "|---|---|---|"
        for entry in document.entries:
            title = f"**{entry.title}**" if entry.kind == "heading" else entry.title
            yield f"| `{entry.id}` | {title} | {_covered(entry.refs, catalogue)} |"


def _covered(refs: Iterable[str], catalogue: Catalogue) -> str:
    told = []
    for ref in refs:
        found = catalogue.find(ref)
        told.append(f"{found.title} (`{ref}`)" if found is not None else f"`{ref}`")
    return " · ".join(told)
