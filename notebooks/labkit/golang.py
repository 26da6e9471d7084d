"""Go in a notebook whose kernel is Python: a cell magic that writes a file, and the toolchain as a function.

%%go pool/pool.go          first line of a cell: the rest is written into the lab's folder; says what gofmt and vet find
lab.go("run", "./leak")    the go command in that folder; prints what it says, at most 40 lines of it

The lab's folder is one Go module, named `lab`, beside the notebook.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from labkit import checkout

GO_MOD = "module lab\n\ngo 1.25\n"
LINES = 40
SECONDS = 150.0
OUTPUT_BYTES = 262_144
RACE_TAGS = "-tags=netgo,osusergo"
"""So that a build for the race detector needs the C compiler for nothing but the detector."""
_FILE = re.compile(r"(?:[a-z][a-z0-9_]*/){0,3}[a-z][a-z0-9_]*\.go")
_STARTER = re.compile(r'^[ \t]*panic\("not implemented: task (?P<task>[a-z0-9-]+)"\)', re.MULTILINE)
_NO_COMPILER = re.compile(r'C compiler "[^"]*" not found|-race requires cgo')
INSTALL_COMPILER = (
    "The race detector needs a C compiler. Install one and run the cell again: `sudo apt install gcc libc6-dev` on Debian "
    "and Ubuntu, `sudo dnf install gcc glibc-devel` on Fedora."
)


class GoError(RuntimeError):
    """Go can't be used here; the message says what to do."""


def folder() -> Path:
    """The lab's folder beside the notebook: its Go module, made when it is not there."""
    root = Path(os.environ.get("LAB_SLUG", "go-lab"))
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "go.mod").exists():
        (root / "go.mod").write_text(GO_MOD)
    return root.resolve()


def write(name: str, source: str) -> None:
    """Write a file of the lab's module, and print what gofmt and vet find in it.

    Raises NotImplementedError for a file in which a task is not begun.
    """
    name = name.strip()
    if not _FILE.fullmatch(name):
        raise GoError(f"{name!r} is not the name of a Go file: write %%go and a name such as pool/pool.go.")
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    if found := _STARTER.search(source):
        raise _not_implemented(found["task"])
    code, said = run("gofmt", "-d", name)
    if code == 0 and not said:
        _, said = run("go", "vet", f"./{path.parent.relative_to(folder()).as_posix()}")
    print(_shortened(said) or f"{name}: written; gofmt and vet have nothing to say.")


def go(*arguments: str, lines: int = LINES, timeout: float = SECONDS, **variables: str) -> None:
    """Run the go command in the lab's folder and print what it says, its paths from that folder.

    `variables` are set for it, e.g. GOMAXPROCS="4". What runs longer than `timeout` seconds is ended.
    """
    _, said = run("go", *arguments, timeout=timeout, variables=variables)
    if said:
        print(_shortened(said.replace(f"{folder()}{os.sep}", ""), lines))
    if _NO_COMPILER.search(said):
        print(INSTALL_COMPILER)


def run(
    program: str, *arguments: str, timeout: float = SECONDS, variables: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and output of a program of the toolchain, run in the lab's folder. Raises GoError."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [_find(program), *arguments], cwd=folder(), env=environment() | dict(variables or {}),
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        ended = ""
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            ended = f"\nEnded after {timeout:g} s: it was still running."
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        return process.returncode, out.read(OUTPUT_BYTES).decode("utf-8", "replace").rstrip() + ended


def environment() -> dict[str, str]:
    """The variables of a toolchain that fetches nothing, with the race detector where there is a C compiler."""
    mine = {
        "GOFLAGS": f"-mod=mod -buildvcs=false {RACE_TAGS}",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTELEMETRY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "1",
    }
    return {**mine, **os.environ}


def install() -> None:
    """Make `%%go` known to the notebook; nothing where there is none."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is not None:
        shell.register_magic_function(lambda line, cell: write(line, cell), "cell", "go")


def _find(program: str) -> str:
    root = checkout.checkout()
    beside = [Path(sys.executable).parent, *([Path(checkout.python(root)).parent] if root else [])]
    path = os.pathsep.join([*map(str, beside), os.environ.get("PATH", os.defpath)])
    found = shutil.which(program, path=path)
    if found is None and program != "go":  # what comes with it is in its own folder
        code, said = run("go", "env", "GOROOT")
        found = shutil.which(program, path=f"{said.strip()}/bin") if code == 0 else None
    if found is None:
        raise GoError(
            f"The program {program} is not there: run `make services` in the repository, then run this cell again."
        )
    return found


def _shortened(said: str, most: int = LINES) -> str:
    shown = said.splitlines()
    if len(shown) <= most:
        return "\n".join(shown)
    return "\n".join([*shown[:most], f"… {len(shown) - most} more lines"])


def _not_implemented(task: str) -> NotImplementedError:
    error = NotImplementedError(f"task {task}")
    # One line instead of the way through IPython and this module.
    error._render_traceback_ = lambda: [f"NotImplementedError: task {task}: your code goes into this cell."]  # type: ignore[attr-defined]
    return error
