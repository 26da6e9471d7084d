"""All labs, read from files: what loaded, and every fault in what did not.

A lab is a folder `labs/content/<slug>/`::

    lab.yaml          tasks, services, limits (labs.manifest)
    lab.md            the notebook with its solution regions (labs.notebook)
    checks.py         one check a task (labs.checks)
    support.py        optional: what several checks share
    wrong_answers/    what people get wrong, and which tasks it must lose
    other_answers/    optional: what people get right in another way, which must lose nothing
    starter/          optional files that lie in the workspace beside the notebook
    proof.json        what grading every case gave, written by `python -m labs verify` (labs.proof)
    equivalent_mutants.yaml  optional: changes of the solution that no check could notice (labs.mutation)
    judge/            optional files that checks bring along, such as the program that drives a learner's package

Nothing here runs a lab's code, and no lab's fault keeps another from loading.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from labs import checks_source, manifest, notebook
from labs.cells import blocks
from labs.errors import LabNotFound
from labs.faults import Fault
from labs.manifest import Manifest, Slug, Task
from labs.notebook import Source
from labs.yaml_source import parse_mapping, validate

CONTENT_ROOT = Path(__file__).parent / "content"
WRONG_ANSWERS_PER_TASK = 2
MAX_FOLDER_BYTES = 8 * 1024 * 1024
MAX_TEXT_BYTES = 262_144
CLIENTS = {"kafka": "confluent_kafka", "meridian": "httpx", "postgres": "psycopg", "redis": "redis"}
"""What `labkit` imports only when a lab has the service."""
PROOFS = frozenset({"proof.json", "equivalent_mutants.yaml"})
"""What says about a lab that it was proven (`labs.proof`, `labs.mutation`); no part of what is graded."""
PROSE = frozenset({"lab.md", "lab.yaml", "wrong_answers", "other_answers"})
"""What has text for people beside what is graded."""
_ENTRIES = {"checks.py", "support.py", "starter", "judge", *PROSE, *PROOFS}
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)^---[ \t]*\n(?P<body>.*)\Z", re.MULTILINE | re.DOTALL)
_BLOCK_OF_TASK = re.compile(r'^(?:python|go)\s+task="(?P<task>[^"]+)"$')


@dataclass(frozen=True)
class Answer:
    """What people write in place of the solution, and the tasks that it must lose: none when it is right, too."""

    name: str
    loses: frozenset[str]
    why: str
    answers: dict[str, str]
    """Task id → what stands in place of the solution."""


@dataclass(frozen=True)
class Lab:
    """One lab, ready to be started and graded."""

    path: Path
    manifest: Manifest
    source: Source
    wrong_answers: tuple[Answer, ...]
    other_answers: tuple[Answer, ...]
    content_hash: str
    """sha256 of the folder: names and contents of its files."""
    preload: tuple[str, ...] = ()
    """Modules that its cells and the learner's helpers import, which a grader's kernel can import before a notebook comes."""

    @property
    def id(self) -> str:
        """The slug."""
        return self.manifest.id

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks in order."""
        return self.manifest.tasks

    @property
    def title(self) -> str:
        """The title for people."""
        return self.manifest.title

    @property
    def summary(self) -> str:
        """One or two sentences."""
        return self.manifest.summary

    @property
    def minutes(self) -> int:
        """How long a learner should need."""
        return self.manifest.minutes

    @property
    def level(self) -> str:
        """foundation, intermediate or advanced."""
        return str(self.manifest.level)

    @property
    def services(self) -> list[str]:
        """Names of the services that run in its sandbox, in starting order."""
        return list(self.manifest.services)

    @property
    def max_score(self) -> int:
        """The points of all tasks together."""
        return self.manifest.max_score

    def workspace_files(self) -> dict[str, bytes]:
        """What lies in a new workspace: the learner's notebook and the starter files; relative path → content."""
        notebook_file = {f"{self.id}.ipynb": notebook.dumps(self.source.learner()).encode()}
        return {**self.starter_files(), **notebook_file}

    def starter_files(self) -> dict[str, bytes]:
        """Files that lie in the workspace beside the notebook: relative path → content."""
        root = self.path / "starter"
        return {name: (root / name).read_bytes() for name in _files(root)} if root.is_dir() else {}


@dataclass(frozen=True)
class Catalogue:
    """All labs that loaded, by id in the order of their ids, and every fault there is."""

    labs: dict[str, Lab]
    faults: tuple[Fault, ...]

    def lab(self, slug: str) -> Lab:
        """The lab of this id, or the one that replaced it. Raises LabNotFound."""
        if slug in self.labs:
            return self.labs[slug]
        for lab in self.labs.values():
            if slug in lab.manifest.replaces:
                return lab
        known = ", ".join(self.labs) or "none"
        raise LabNotFound(f"There is no lab {slug!r}. The labs are: {known}.")


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=400)]


class _WrongAnswerHeader(_Header):
    loses: tuple[Slug, ...] = Field(min_length=1, max_length=20)


def load(root: Path | None = None) -> Catalogue:
    """Read every lab below `root` (default: the labs of this package). Never raises for what an author wrote."""
    root = root or CONTENT_ROOT
    labs: dict[str, Lab] = {}
    faults: list[Fault] = []
    folders = sorted(path for path in root.iterdir() if not _ignored(path)) if root.is_dir() else []
    if not root.is_dir():
        faults.append(Fault(root, 1, "is not a folder: there are no labs"))
    for folder in folders:
        if not folder.is_dir():
            faults.append(Fault(folder, 1, "is not a lab: only folders belong here"))
            continue
        lab, found = load_lab(folder)
        faults += found
        if lab is not None:
            labs[lab.id] = lab
    faults += _faults_of_ids(labs)
    return Catalogue(labs, tuple(sorted(faults)))


def load_lab(folder: Path) -> tuple[Lab | None, list[Fault]]:
    """Read one lab. It comes back with faults when these leave it usable, such as a wrong answer too few."""
    faults = _faults_of_folder(folder)
    if faults:
        return None, faults
    texts: dict[str, str] = {}
    for name in ("lab.yaml", "lab.md", "checks.py"):
        text, fault = _text(folder / name)
        faults += [fault] if fault else []
        texts[name] = text
    if faults:
        return None, faults
    found, faults = manifest.read(folder / "lab.yaml", texts["lab.yaml"])
    if found is None:
        return None, faults
    if found.id != folder.name:
        faults.append(
            Fault(folder / "lab.yaml", 1, f"says id `{found.id}` in a folder `{folder.name}`: make them equal")
        )
    tasks = [task.id for task in found.tasks]
    source, more = notebook.parse(found.id, folder / "lab.md", texts["lab.md"], tasks)
    faults += more
    faults += checks_source.faults_of_checks(folder / "checks.py", texts["checks.py"], tasks)
    if (folder / "support.py").is_file():
        text, fault = _text(folder / "support.py")
        faults += [fault] if fault else checks_source.faults_of_support(folder / "support.py", text)
    if source is None or faults:
        return None, faults
    wrong_answers, faults = _wrong_answers(folder, tasks)
    other_answers, more = _answers(folder / "other_answers", tasks, _Header)
    clients = {CLIENTS[name] for name in found.services if name in CLIENTS}
    preload = tuple(sorted({*source.imports(), *clients}))
    hashed = content_hash(folder)
    return Lab(folder, found, source, wrong_answers, other_answers, hashed, preload), [*faults, *more]


def content_hash(folder: Path, *, without: Collection[str] = ()) -> str:
    """sha256 over names, lengths and contents of a folder's files; caches, proofs and the entries `without` are not counted."""
    digest = hashlib.sha256()
    left_out = {*PROOFS, *without}
    for name in (name for name in _files(folder) if name.partition("/")[0] not in left_out):
        data = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _ignored(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__pycache__" or path.suffix == ".pyc"


def _files(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(_ignored(Path(part)) for part in relative.parts):
            found.append(relative.as_posix())
    return sorted(found)


def _faults_of_folder(folder: Path) -> list[Fault]:
    faults = [
        Fault(folder / name, 1, "is missing")
        for name in ("lab.yaml", "lab.md", "checks.py")
        if not (folder / name).is_file()
    ]
    faults += [
        Fault(path, 1, f"does not belong in a lab: there may be {', '.join(sorted(_ENTRIES))}")
        for path in sorted(folder.iterdir())
        if path.name not in _ENTRIES and not _ignored(path)
    ]
    faults += [
        Fault(path, 1, "is a link: put the file itself here")
        for path in sorted(folder.rglob("*"))
        if path.is_symlink()
    ]
    size = sum((folder / name).lstat().st_size for name in _files(folder))
    if size > MAX_FOLDER_BYTES:
        faults.append(Fault(folder, 1, f"is larger than {MAX_FOLDER_BYTES // 1024 // 1024} MB"))
    return faults


def _text(path: Path) -> tuple[str, Fault | None]:
    if path.stat().st_size > MAX_TEXT_BYTES:
        return "", Fault(path, 1, f"is larger than {MAX_TEXT_BYTES // 1024} KB")
    try:
        return path.read_text(encoding="utf-8"), None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return "", Fault(path, line, "is not UTF-8 text")


def _wrong_answers(folder: Path, tasks: list[str]) -> tuple[tuple[Answer, ...], list[Fault]]:
    found, faults = _answers(folder / "wrong_answers", tasks, _WrongAnswerHeader)
    for task in tasks:
        names = [answer.name for answer in found if task in answer.loses]
        if len(names) < WRONG_ANSWERS_PER_TASK:
            message = (
                f"{len(names)} wrong answers lose task `{task}`; it needs at least {WRONG_ANSWERS_PER_TASK}"
            )
            faults.append(Fault(folder / "wrong_answers", 1, message))
    return found, faults


def _answers(folder: Path, tasks: list[str], kind: type[_Header]) -> tuple[tuple[Answer, ...], list[Fault]]:
    found: list[Answer] = []
    faults: list[Fault] = []
    for path in (path for path in sorted(folder.glob("*")) if not _ignored(path)):
        if path.suffix != ".md" or not path.is_file():
            faults.append(Fault(path, 1, "is no answer: these are files <name>.md"))
            continue
        answer, more = _answer(path, tasks, kind)
        faults += more
        if answer is not None:
            found.append(answer)
    return tuple(found), faults


def _answer(path: Path, tasks: list[str], kind: type[_Header]) -> tuple[Answer | None, list[Fault]]:
    text, fault = _text(path)
    if fault:
        return None, [fault]
    parts = _FRONT_MATTER.match(text)
    if parts is None:
        return None, [
            Fault(
                path,
                1,
                f"needs front matter between two lines of `---`: {', '.join(sorted(kind.model_fields))}",
            )
        ]
    source, faults = parse_mapping(parts["yaml"], path, first_line=2)
    if source is None:
        return None, faults
    header, more = validate(kind, source)
    faults += more
    first_line = text[: parts.start("body")].count("\n")
    answers: dict[str, str] = {}
    for found in blocks(parts["body"]):
        line, code = found.line, found.code
        block = _BLOCK_OF_TASK.match(found.info)
        task = block["task"] if block else ""
        if not block:
            faults.append(
                Fault(path, first_line + line, 'has a code block that does not begin with ```python task="…"')
            )
        elif task not in tasks:
            faults.append(
                Fault(path, first_line + line, f"answers a task `{task}` that lab.yaml does not name")
            )
        elif task in answers:
            faults.append(Fault(path, first_line + line, f"answers task `{task}` twice"))
        answers[task] = code
    if not answers:
        faults.append(Fault(path, first_line + 1, 'has no answer: give a block ```python task="…"'))
    loses = header.loses if isinstance(header, _WrongAnswerHeader) else ()
    for task in loses:
        if task not in tasks:
            faults.append(
                Fault(path, source.line(("loses",)), f"loses a task `{task}` that lab.yaml does not name")
            )
    if faults or header is None:
        return None, faults
    return Answer(path.stem, frozenset(loses), header.why, answers), []


def _faults_of_ids(labs: dict[str, Lab]) -> list[Fault]:
    faults = []
    owners: dict[str, str] = {slug: slug for slug in labs}
    for slug, lab in labs.items():
        for old in lab.manifest.replaces:
            if old in owners:
                message = f"replaces `{old}`, which is also what `{owners[old]}` is or replaces"
                faults.append(Fault(lab.path / "lab.yaml", 1, message))
            owners.setdefault(old, slug)
    return faults
