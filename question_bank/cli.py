"""The command line: `python -m question_bank lint|list|new|preview|import|export|stats|verify|arrange`. With `--json` it
prints one document on standard output.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from commandline.loading import loading
from question_bank import guessers, stats, transfer
from question_bank.arrange import arranged
from question_bank.lint import Known, lint
from question_bank.loader import BUILT_IN, Bank, load, load_file
from question_bank.question import Question
from question_bank.schema import CannotWrite, Fault, RunnerUnavailable
from question_bank.starting import CannotStart, start

_MAX_KNOWN_BYTES = 4 * 1024 * 1024
_REPOSITORY = BUILT_IN.parents[1]
"""What code links of the built-in bank are relative to."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all is well, 1 when the bank has faults, 2 when the command makes no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "lint": _lint,
        "list": _list,
        "arrange": _arrange,
        "new": _new,
        "preview": _preview,
        "import": transfer.import_file,
        "export": transfer.export_file,
        "stats": _stats,
        "verify": _verify,
    }
    try:
        return commands[options.command](options)
    except (ValueError, CannotStart, CannotWrite) as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m question_bank", description="Look after a bank of questions."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    bank = argparse.ArgumentParser(add_help=False)
    bank.add_argument("--root", type=Path, default=BUILT_IN, metavar="DIR", help="the bank (default: built in)")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print one JSON document instead of text")

    checking = commands.add_parser(
        "lint", parents=[bank, as_json], help="say everything that is wrong with the bank"
    )
    checking.add_argument(
        "--known",
        type=Path,
        metavar="FILE",
        help="JSON object with the lists topics, modules, lessons, labs (each optional) that links may name",
    )
    checking.add_argument(
        "--code-root",
        type=Path,
        metavar="DIR",
        help="the folder that code links are relative to (default: this repository, for the built-in bank)",
    )
    listing = commands.add_parser("list", parents=[bank, as_json], help="list the questions")
    listing.add_argument("--module", metavar="ID", help="only those of this module")
    starting = commands.add_parser("new", parents=[bank], help="write a starting file for a question")
    starting.add_argument("kind", metavar="KIND")
    starting.add_argument("id", metavar="ID", nargs="?", help="the question's id (default: new-KIND)")
    starting.add_argument("--module", metavar="ID", default="module-id")
    starting.add_argument(
        "--topic", metavar="ID", default="topic-id", help="the main topic: it names the folder"
    )
    showing = commands.add_parser("preview", help="show a question as a learner sees it")
    showing.add_argument("file", type=Path, metavar="FILE")
    showing.add_argument(
        "--seed", action="append", metavar="N", help="whose variant and order (again for more)"
    )
    showing.add_argument("--solved", action="store_true", help="with what is shown after the answer")
    showing.add_argument("--html", action="store_true", help="print a page instead of text")
    commands.add_parser("arrange", parents=[bank], help="put options in an order that tells nothing")
    transfer.add_commands(commands, as_json)
    commands.add_parser("stats", parents=[bank, as_json], help="count what the bank consists of")
    proving = commands.add_parser(
        "verify", parents=[bank], help="run the solutions of code questions, as you, on this machine"
    )
    proving.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="only these (default: the whole bank)"
    )
    proving.add_argument(
        "--postgres", metavar="DSN", help="a server for SQL, such as `host=/tmp user=postgres`"
    )
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


def _lint(options: argparse.Namespace) -> int:
    code_root = options.code_root or (_REPOSITORY if options.root == BUILT_IN else None)
    known = _known(options.known, code_root)
    with loading():
        bank = load(options.root)
    faults = lint(bank, known)
    scores = guessers.scores(bank.questions.values())
    if options.json:
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
        print(stats.guesser_line(score))
    print(f"{len(bank.questions)} questions, {len(faults)} faults")
    return 1 if faults else 0


def _list(options: argparse.Namespace) -> int:
    with loading():
        bank = load(options.root)
    chosen = [q for q in bank.questions.values() if options.module in (None, q.module)]
    if options.json:
        _print_json([{**question.meta.model_dump(mode="json"), "path": question.path} for question in chosen])
    else:
        for question in chosen:
            print(f"{question.module:26} {question.kind:10} {question.difficulty}  {question.id}")
        print(f"{len(chosen)} questions")
    _tell_of_faults(bank)
    return 0


def _new(options: argparse.Namespace) -> int:
    question_id = options.id or f"new-{options.kind}"
    path = start(options.root, options.kind, question_id, options.module, options.topic)
    print(f"Wrote {path}: fill in what stands between ‹ and ›, then run `python -m question_bank lint`.")
    return 0


def _preview(options: argparse.Namespace) -> int:
    # No other command draws anything.
    from rich.console import Console
    from rich.markdown import Markdown

    from question_bank import preview

    faults: list[Fault] = []
    question = _file(options.file, faults)
    if question is None:
        return _say(faults)
    seeds = options.seed or ["1"]
    if options.html:
        print(preview.as_html(question, seeds, solved=options.solved))
        return 0
    for seed in seeds:
        Console().print(Markdown(preview.as_markdown(question, seed, solved=options.solved)))
    return 0


def _arrange(options: argparse.Namespace) -> int:
    with loading():
        bank = load(options.root)
    changed = 0
    for question in bank.questions.values():
        path = options.root / question.path
        text = path.read_text(encoding="utf-8")
        new = arranged(question, text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed += 1
    print(f"{len(bank.questions)} questions, {changed} rearranged")
    _tell_of_faults(bank)
    return 0


def _stats(options: argparse.Namespace) -> int:
    with loading():
        bank = load(options.root)
    if options.json:
        _print_json(stats.document(bank))
    else:
        for line in stats.table(bank):
            print(line)
    _tell_of_faults(bank)
    return 0


def _verify(options: argparse.Namespace) -> int:
    # No other command runs programs, which takes a client of PostgreSQL.
    from question_bank.local_runner import LocalRunner
    from question_bank.verify import verify

    faults: list[Fault] = []
    if options.files:
        chosen = [question for path in options.files if (question := _file(path, faults))]
    else:
        chosen = [question for question in load(options.root).questions.values() if question.kind == "code"]
    with LocalRunner(options.postgres) as runner:
        for question in chosen:
            try:
                faults.extend(verify(question, runner))
            except RunnerUnavailable as error:
                faults.append(Fault(question.path, 1, str(error), "verify"))
    _say(faults)
    print(f"{len(chosen)} questions, {len(faults)} faults")
    return 1 if faults else 0


def _file(path: Path, faults: list[Fault]) -> Question | None:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return load_file(path, path.parent, faults)


def _say(faults: list[Fault]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _tell_of_faults(bank: Bank) -> None:
    if bank.faults:
        print(
            f"{len(bank.faults)} faults kept questions out; `python -m question_bank lint` names them.",
            file=sys.stderr,
        )


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False))
