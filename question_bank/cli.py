"""The command line: `python -m question_bank lint|list`. With `--json` it prints one document on standard
output.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from question_bank import guessers
from question_bank.lint import Known, lint
from question_bank.loader import BUILT_IN, Bank, load

_MAX_KNOWN_BYTES = 4 * 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all is well, 1 when the bank has faults, 2 when the command makes no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    bank = load(options.root)
    if options.command == "list":
        return _list(bank, options)
    try:
        known = _known(options.known, options.code_root)
    except ValueError as error:
        parser.error(str(error))
    return _lint(bank, known, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m question_bank", description="Look after a bank of questions."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("lint", help="say everything that is wrong with the bank")
    checking.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="JSON object with the lists topics, modules, lessons, labs (each optional) that links may name",
    )
    checking.add_argument(
        "--code-root", type=Path, metavar="DIR", help="the folder that code links are relative to"
    )
    listing = commands.add_parser("list", help="list the questions")
    listing.add_argument("--module", metavar="ID", help="only those of this module")
    for command in (checking, listing):
        command.add_argument(
            "--root", type=Path, default=BUILT_IN, metavar="DIR", help="the bank (default: built in)"
        )
        command.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    return parser


def _known(path: Path | None, code_root: Path | None) -> Known:
    if path is None:
        return Known(code_root=code_root)
    try:
        if path.stat().st_size > _MAX_KNOWN_BYTES:
            raise ValueError(f"{path} is larger than {_MAX_KNOWN_BYTES} bytes")
        ids: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    sorts = ("topics", "modules", "lessons", "labs")
    if not isinstance(ids, dict) or not all(
        key in sorts and isinstance(value, list) for key, value in ids.items()
    ):
        raise ValueError(f"{path} must hold a JSON object with lists under any of {', '.join(sorts)}")
    return Known(**{key: frozenset(map(str, value)) for key, value in ids.items()}, code_root=code_root)


def _lint(bank: Bank, known: Known, *, as_json: bool) -> int:
    faults = lint(bank, known)
    scores = guessers.scores(bank.questions.values())
    if as_json:
        guesses = [{**asdict(score), "ratio": score.ratio, "too_good": score.too_good} for score in scores]
        _print_json(
            {
                "questions": len(bank.questions),
                "faults": [asdict(fault) for fault in faults],
                "guessers": guesses,
            }
        )
        return 1 if faults else 0
    for fault in faults:
        print(fault)
    for score in scores:
        print(f"guesser by {score.name}: {score.score:.3f}, chance {score.chance:.3f}, ratio {score.ratio:.2f}")
    print(f"{len(bank.questions)} questions, {len(faults)} faults")
    return 1 if faults else 0


def _list(bank: Bank, options: argparse.Namespace) -> int:
    chosen = [q for q in bank.questions.values() if options.module in (None, q.module)]
    if options.json:
        _print_json([{**question.meta.model_dump(mode="json"), "path": question.path} for question in chosen])
    else:
        for question in chosen:
            print(f"{question.module:26} {question.kind:9} {question.difficulty}  {question.id}")
        print(f"{len(chosen)} questions")
    if bank.faults:
        print(
            f"{len(bank.faults)} faults kept questions out; `python -m question_bank lint` names them.",
            file=sys.stderr,
        )
    return 0


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))
