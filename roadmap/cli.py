"""The command line: `python -m roadmap lint|list|coverage`, each with `--json`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from commandline.loading import loading
from roadmap import coverage
from roadmap.catalogue import CONTENT_ROOT, REPOSITORY, check, load
from roadmap.values import Catalogue, Fault

PAGE = REPOSITORY / "docs" / "coverage.md"
"""The page that `coverage` writes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit code 0: all well; 1: `lint` found faults; 2: wrong usage (from argparse)."""
    options = _parser().parse_args(arguments)
    if not options.root.is_dir():
        _parser().error(
            f"there is no folder {options.root}; name one that holds tracks/, modules/ and lessons/"
        )
    if options.command == "lint":
        with loading():
            checked = check(options.root)
        return _lint(*checked, options.root, as_json=options.json)
    with loading():
        catalogue = load(options.root)
    if options.command == "coverage":
        return _coverage(catalogue, options)
    return _list(catalogue, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m roadmap", description="Check and list the roadmap's content."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    shared.add_argument(
        "--root", type=Path, default=CONTENT_ROOT, help="the content's folder (default: what the package holds)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lint", parents=[shared], help="report every fault with file and line; exit 1 if any")
    commands.add_parser("list", parents=[shared], help="list tracks, modules, topics and lessons")
    covering = commands.add_parser(
        "coverage",
        parents=[shared],
        help="say what covers the documents that the roadmap was made from; exit 1 if something is missing or "
        "the page is out of date",
    )
    covering.add_argument("--write", action="store_true", help=f"write {_shown(PAGE)} anew")
    return parser


def _coverage(catalogue: Catalogue, options: argparse.Namespace) -> int:
    """The list of sources against the catalogue, and the page against both."""
    labs = {path.parent.name for path in (REPOSITORY / "labs" / "content").glob("*/lab.yaml")}
    found = coverage.read(catalogue, labs)
    page = coverage.as_markdown(found, catalogue)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
    counts = {document.id: len(document.entries) for document in found.documents}
    if options.json:
        faults = [asdict(fault) for fault in found.faults]
        _print_json(
            {"ok": current and not faults, "entries": counts, "page_current": current, "faults": faults}
        )
    else:
        for fault in found.faults:
            print(f"{_shown(coverage.SOURCES.parent / fault.path)}:{fault.line}: {fault.message}")
        for document, count in counts.items():
            print(f"{document}: {count} headings and items")
        if not current:
            print(f"{_shown(PAGE)} is out of date: write it anew with --write")
    return 0 if current and not found.faults else 1


def _lint(catalogue: Catalogue, found: Sequence[Fault], root: Path, *, as_json: bool) -> int:
    if as_json:
        faults = [asdict(fault) for fault in found]
        _print_json({"ok": not faults, "counts": _counts(catalogue), "faults": faults})
    else:
        for fault in found:
            print(f"{_shown(root / fault.path)}:{fault.line}: {fault.message}")
        counted = ", ".join(f"{count} {name}" for name, count in _counts(catalogue).items())
        print(f"{counted}: {_verdict(len(found))}")
    return 1 if found else 0


def _list(catalogue: Catalogue, *, as_json: bool) -> int:
    if as_json:
        _print_json({"tracks": [_track_document(catalogue, id_) for id_ in catalogue.tracks]})
        return 0
    for track in catalogue.tracks.values():
        print(f"{track.id}: {track.title}")
        for module in (catalogue.modules[id_] for id_ in track.modules):
            print(f"  {module.id}: {module.title} ({module.hours} h, {module.depth})")
            for lesson in (catalogue.lessons[id_] for id_ in module.lessons):
                print(f"    lesson {lesson.id}: {lesson.title} ({lesson.minutes} min)")
            for topic in module.topics:
                print(f"    topic  {topic.id}: {topic.title}" + (f" [{topic.lesson}]" if topic.lesson else ""))
    return 0


def _track_document(catalogue: Catalogue, track_id: str) -> dict[str, Any]:
    track = catalogue.tracks[track_id]
    modules = []
    for module in (catalogue.modules[id_] for id_ in track.modules):
        lessons = [catalogue.lessons[id_] for id_ in module.lessons]
        modules.append(
            {
                **asdict(module),
                "lessons": [
                    {
                        "id": lesson.id,
                        "title": lesson.title,
                        "minutes": lesson.minutes,
                        "hash": lesson.content_hash,
                    }
                    for lesson in lessons
                ],
            }
        )
    return {"id": track.id, "title": track.title, "summary": track.summary, "modules": modules}


def _counts(catalogue: Catalogue) -> dict[str, int]:
    return {
        "tracks": len(catalogue.tracks),
        "modules": len(catalogue.modules),
        "topics": len(catalogue.topics),
        "lessons": len(catalogue.lessons),
        "activities": len(catalogue.activities),
        "plans": len(catalogue.plans),
        "terms": len(catalogue.terms),
    }


def _verdict(faults: int) -> str:
    return {0: "no fault", 1: "1 fault"}.get(faults, f"{faults} faults")


def _shown(path: Path) -> str:
    """The path as seen from here, so that a terminal can open it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))
