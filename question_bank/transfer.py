"""The commands `import` and `export`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from question_bank import formats
from question_bank.formats import MAX_UPLOAD, Format, FormatRefused
from question_bank.importing import CannotImport, Near, Placed, Plan, carry_out, prepare
from question_bank.loader import load
from question_bank.question import Question

GUESS = "auto"
_MOST_LINES = 200


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], as_json: argparse.ArgumentParser
) -> None:
    """Add the two commands to the command line."""
    taking = commands.add_parser(
        "import", parents=[as_json], help="take questions of another system into a bank"
    )
    readable = [name for name, each in formats.FORMATS.items() if each.can_import]
    taking.add_argument(
        "format", choices=[GUESS, *readable], metavar="FORMAT", help=f"{', '.join(readable)}, or {GUESS}"
    )
    taking.add_argument("file", type=Path, metavar="FILE")
    taking.add_argument(
        "--into", type=Path, required=True, metavar="DIR", help="the bank; made when there is none"
    )
    taking.add_argument("--module", metavar="ID", help="the module of questions whose file doesn't say")
    taking.add_argument("--topic", metavar="ID", help="the topic of questions whose file doesn't say")
    taking.add_argument(
        "--take",
        action="append",
        default=[],
        metavar="ID",
        help="a near-duplicate to take in all the same (again for more)",
    )
    taking.add_argument("--take-all", action="store_true", help="take in all near-duplicates")
    taking.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
    giving = commands.add_parser(
        "export", parents=[as_json], help="write questions of a bank for another system"
    )
    writable = [name for name, each in formats.FORMATS.items() if each.can_export]
    giving.add_argument("format", choices=writable, metavar="FORMAT", help=", ".join(writable))
    giving.add_argument("dir", type=Path, metavar="DIR", help="the bank")
    giving.add_argument("file", type=Path, metavar="FILE", help="what to write; it is replaced when it exists")
    giving.add_argument("--module", metavar="ID", help="only questions of this module")
    giving.add_argument("--topic", metavar="ID", help="only questions of this topic")


def import_file(options: argparse.Namespace) -> int:
    """`import`; 1 when something was left out or waits for a decision. Raises `ValueError` when nothing can be done."""
    for what in ("module", "topic"):
        name = getattr(options, what)
        if name is not None and not _is_slug(name):
            raise ValueError(f"the {what} `{name}` must be words in lower case with hyphens")
    try:
        data = _read(options.file)
        chosen = guess(data, options.file.name) if options.format == GUESS else formats.FORMATS[options.format]
        found = chosen.read(data, options.file.name)
        plan = prepare(found, options.into, module=options.module, topic=options.topic)
        take = None if options.take_all else options.take
        written = [] if options.dry_run else carry_out(plan, options.into, take)
    except (FormatRefused, CannotImport) as problem:
        raise ValueError(str(problem)) from problem
    taken = {
        entry.placed.question.id
        for entry in plan.near
        if options.take_all or entry.placed.question.id in options.take
    }
    waiting = [entry for entry in plan.near if entry.placed.question.id not in taken]
    if options.json:
        print(json.dumps(_document(plan, chosen, written, waiting), indent=2, ensure_ascii=False))
    else:
        _tell(plan, written, waiting, dry_run=options.dry_run)
    return 1 if plan.faults or waiting else 0


def export_file(options: argparse.Namespace) -> int:
    """`export`; 1 when a question stayed behind. Raises `ValueError` when nothing can be done."""
    if not options.dir.is_dir():
        raise ValueError(f"there is no folder {options.dir}")
    bank = load(options.dir)
    chosen = [
        question
        for question in bank.questions.values()
        if options.module in (None, question.module)
        and (options.topic is None or options.topic in question.topics)
    ]
    made = formats.FORMATS[options.format].write(chosen)
    half = options.file.with_name(f".{options.file.name}.part")
    try:
        half.write_bytes(made.data)
        half.replace(options.file)
    except OSError as error:
        raise ValueError(f"{options.file} can't be written: {error.strerror}") from error
    behind = [loss.question for loss in made.losses if loss.part == "question"]
    if options.json:
        document = {
            "file": str(options.file),
            "written": made.written,
            "left_behind": behind,
            "losses": [asdict(loss) for loss in made.losses],
            "bank_faults": [asdict(fault) for fault in bank.faults],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print(map(str, made.losses), "losses")
        _print(map(str, bank.faults), "faults that kept questions out of the bank")
        print(f"{len(made.written)} questions in {options.file}, {len(behind)} left behind")
    return 1 if behind or bank.faults else 0


def guess(data: bytes, name: str) -> Format:
    """The format that a file looks like. Raises `FormatRefused` when it looks like none."""
    for each in formats.FORMATS.values():
        if each.can_import and each.sniff(data):
            return each
    raise FormatRefused(
        f"{name} looks like none of the formats: say which it is ({', '.join(formats.FORMATS)})."
    )


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_UPLOAD:
            raise FormatRefused(
                f"{path} is larger than {MAX_UPLOAD // 1024 // 1024} MiB: export it in several parts."
            )
        return path.read_bytes()
    except OSError as error:
        raise FormatRefused(f"{path} can't be read: {error.strerror}.") from error


def _is_slug(name: str) -> bool:
    words = name.split("-")
    return 2 <= len(name) <= 80 and all(
        word.isascii() and word.isalnum() and word == word.lower() for word in words
    )


def _document(plan: Plan, chosen: Format, written: list[str], waiting: list[Near]) -> dict[str, object]:
    stored = set(written)
    placed = [*plan.new, *(entry.placed for entry in plan.near)]
    return {
        "format": chosen.name,
        "written": [_placed(one) for one in placed if one.path in stored],
        "not_written": [_placed(one) for one in plan.new if one.path not in stored],
        "already_there": [{"id": own, "same_as": there} for own, there in plan.same],
        "near_duplicates": [
            {
                **_placed(entry.placed),
                "like": entry.other.id,
                "likeness": round(entry.likeness, 3),
                "prompt": entry.placed.question.prompt,
                "other_prompt": entry.other.prompt,
            }
            for entry in waiting
        ],
        "faults": [asdict(fault) for fault in plan.faults],
        "losses": [asdict(loss) for loss in plan.losses],
    }


def _placed(placed: Placed) -> dict[str, object]:
    faults = [{"line": fault.line, "rule": fault.rule, "message": fault.message} for fault in placed.faults]
    return {"id": placed.question.id, "path": placed.path, "draft": placed.draft, "faults": faults}


def _tell(plan: Plan, written: list[str], waiting: list[Near], *, dry_run: bool) -> None:
    _print(map(str, plan.faults), "faults")
    _print(map(str, plan.losses), "losses")
    for entry in waiting[:_MOST_LINES]:
        print(
            f"\n`{entry.placed.question.id}` is nearly the same as `{entry.other.id}` ({entry.likeness:.0%}):"
        )
        _side_by_side(entry.placed.question, entry.other)
        print(f"  take it in with `--take {entry.placed.question.id}`, or leave it out")
    drafts = sum(Path(path).name.startswith("_") for path in written)
    would = " (dry run)" if dry_run else ""
    print(
        f"{len(written)} questions written, {drafts} of them as drafts; {len(plan.same)} already there, "
        f"{len(waiting)} nearly there, {len(plan.faults)} faults{would}"
    )
    if dry_run:
        print(f"{len(plan.new)} questions would be written")


def _side_by_side(one: Question, other: Question) -> None:
    for question, mark in ((one, "new  "), (other, "there")):
        print(f"  {mark} | {' '.join(question.prompt.split())[:240]}")
        for option in question.options:
            print(f"  {mark} |   {'x' if option.right else ' '} {' '.join(option.text.split())[:160]}")


def _print(lines: Iterable[str], what: str) -> None:
    every = list(lines)
    for line in every[:_MOST_LINES]:
        print(line)
    if len(every) > _MOST_LINES:
        print(f"… and {len(every) - _MOST_LINES} more {what}: `--json` gives all of them")
