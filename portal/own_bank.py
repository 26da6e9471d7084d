"""The questions of this instance, as files: what is asked below `questions/`, what is asked no more below `retired/`.

Files are the same as in the built-in bank, `<topic>/<id>.md`. Every change ends with a new stamp file, by which other
processes notice it: a look at the stamp costs one system call.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from portal.errors import Unavailable
from question_bank import Bank, Fault, Question
from question_bank.loader import MAX_FILE_BYTES, MAX_FILES, by_id, load_file

QUESTIONS = "questions"
RETIRED = "retired"
STAMP = ".stamp"
LOCK = ".lock"
LOCK_SECONDS = 10.0

Stamp = tuple[int, int, int]
"""Which stamp file it is: a new one after each change."""
Seen = tuple[int, int, int]


@dataclass
class OwnBank:
    """One folder of questions. Ids and topics given to it must be checked: they become names of files."""

    root: Path
    _parsed: dict[Path, tuple[Seen, Question | None, list[Fault]]] = field(default_factory=dict, repr=False)
    """What the files held when they were read last, so that only changed ones are read again."""

    def stamp(self) -> Stamp | None:
        """What changes with every change of the bank; None before the first."""
        try:
            found = (self.root / STAMP).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def load(self) -> tuple[Bank, Bank]:
        """What is asked, and what is asked no more. Faults are gathered, not raised."""
        return self._load(QUESTIONS), self._load(RETIRED)

    def text(self, question: Question, *, retired: bool = False) -> str | None:
        """The text of this question's file here; None when there is none."""
        path = self.root / (RETIRED if retired else QUESTIONS) / question.path
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                return None
            return path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None

    def publish(self, question_id: str, topic: str, text: str) -> None:
        """Store the text as what is asked. Raises Unavailable when it can't be written."""
        self._store(QUESTIONS, RETIRED, question_id, topic, text)

    def retire(self, question_id: str, topic: str, text: str) -> None:
        """Store the text as what is asked no more. Raises Unavailable when it can't be written."""
        self._store(RETIRED, QUESTIONS, question_id, topic, text)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While this is held no other process writes. Raises Unavailable when the folder can't be used."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._broken(error) from error
        try:
            _lock(handle)
            yield
        except TimeoutError as error:
            raise Unavailable("Somebody else is publishing just now. Try again in a moment.") from error
        finally:
            os.close(handle)

    def _store(self, where: str, instead_of: str, question_id: str, topic: str, text: str) -> None:
        target = self.root / where / topic / f"{question_id}.md"
        try:
            _replace(target, text)
            # The file may have stood below another topic, and it must not be asked and retired at once.
            for folder in (where, instead_of):
                for other in (self.root / folder).glob(f"*/{question_id}.md"):
                    if other != target:
                        other.unlink(missing_ok=True)
            _replace(self.root / STAMP, secrets.token_hex(8))
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> Unavailable:
        return Unavailable(
            "The bank's folder can't be written. Tell the people who run this portal: BANK_DIR must be a folder that "
            "the portal may write.",
            detail=f"{self.root}: {error}",
        )

    def _load(self, where: str) -> Bank:
        root = self.root / where
        faults: list[Fault] = []
        found: list[Question] = []
        paths = sorted(path for path in root.glob("*/*.md") if not path.name.startswith((".", "_")))
        if len(paths) > MAX_FILES:
            faults.append(Fault(".", 1, f"Only the first {MAX_FILES} of {len(paths)} files were loaded."))
        for path in paths[:MAX_FILES]:
            question, wrong = self._read(path, root)
            faults.extend(wrong)
            if question is not None:
                found.append(question)
        for path in [
            path for path in list(self._parsed) if path.is_relative_to(root) and path not in set(paths)
        ]:
            self._parsed.pop(path, None)
        return Bank(by_id(found, faults), sorted(faults))

    def _read(self, path: Path, root: Path) -> tuple[Question | None, list[Fault]]:
        if path.is_symlink():
            message = "This is a link to another file: store the question."
            return None, [Fault(path.relative_to(root).as_posix(), 1, message)]
        try:
            status = path.stat()
        except OSError:  # retired a moment ago
            return None, []
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        known = self._parsed.get(path)
        if known is None or known[0] != seen:
            faults: list[Fault] = []
            known = (seen, load_file(path, root, faults), faults)
            self._parsed[path] = known
        return known[1], known[2]


def _replace(path: Path, text: str) -> None:
    """Write a file so that readers find the old or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with staged.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _lock(handle: int) -> None:
    """Take the lock, or raise TimeoutError."""
    pause = threading.Event()
    waited = 0.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if waited >= LOCK_SECONDS:
                raise TimeoutError from None
            pause.wait(0.05)
            waited += 0.05
