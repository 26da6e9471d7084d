"""The deep check: starts a real sandbox and looks at it from inside."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandboxes.doctor.finding import Finding, State
from sandboxes.drivers import open_driver
from sandboxes.interface import Driver, DriverUnavailable, Limits, Sandbox, SandboxError, SandboxSpec

IMAGE = "base"
SECONDS = 150.0
START_SECONDS = 90.0
ASK_SECONDS = 20.0
LIMITS = Limits(memory_mb=512, pids=200, disk_mb=128)
UNLIMITED = 1 << 50
"""The older control groups write "no limit" as a huge number."""
MARK = "doctor.txt"

PROBE = """
import json, os
def read(*paths):
    for path in paths:
        try:
            with open(path) as file:
                return file.read().strip()
        except OSError:
            pass
    return ""
def writable(path):
    try:
        with open(path, "w"):
            return True
    except OSError:
        return False
status = dict(line.split(":", 1) for line in read("/proc/self/status").splitlines() if ":" in line)
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": status.get("CapEff", "").strip(),
    "bounding": status.get("CapBnd", "").strip(),
    "no_new_privileges": status.get("NoNewPrivs", "").strip(),
    "seccomp": status.get("Seccomp", "").strip(),
    "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [],
    "root_writable": writable("/probe") or writable("/etc/probe"),
    "memory": read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "pids": read("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
    "files": sorted(os.listdir("."))[:50],
}))
"""


def deep(driver_name: str, run_dir: Path) -> list[Finding]:
    """Start a sandbox by a driver, give it a workspace, look from inside, and end it."""
    title = f"{driver_name} sandbox"
    try:
        driver = open_driver(driver_name, run_dir)
    except DriverUnavailable as error:
        return [
            Finding(title, State.PROBLEM, "It can't be tried: the driver does not work here.", error.learner)
        ]
    scratch = driver.scratch or run_dir
    workspace = scratch / f"doctor-{secrets.token_hex(4)}"
    blank = scratch / f"{workspace.name}-blank"
    try:
        return _try(driver, title, workspace, blank)
    except SandboxError as error:
        lines = (error.log or error.detail).strip().splitlines()
        words = f"{error.learner} {lines[-1][:200] if lines else ''}".strip()
        todo = "The last line is the log's; `python -m sandboxes doctor --deep` tries it again."
        return [Finding(title, State.PROBLEM, words, todo, (driver_name,))]
    finally:
        driver.close()
        for folder in (workspace, blank):
            shutil.rmtree(folder, ignore_errors=True)


def _try(driver: Driver, title: str, workspace: Path, blank: Path) -> list[Finding]:
    driver.prepare(IMAGE, lambda _progress: None)
    spec = SandboxSpec(
        workspace=blank,
        image=IMAGE,
        limits=LIMITS,
        jupyter=False,
        blank=True,
        labels={"purpose": "doctor"},
        start_seconds=START_SECONDS,
    )
    sandbox = driver.start(spec, lambda _progress: None)
    try:
        facts = _probe(sandbox)
        findings = [
            Finding(title, State.OK, "It started, and answered through its Unix socket in a shared folder."),
            _adoption(sandbox, driver, workspace),
        ]
        return findings + (lockdown(facts) if driver.isolated else [_not_locked(driver)])
    finally:
        sandbox.stop()


def _probe(sandbox: Sandbox) -> Mapping[str, Any]:
    result = sandbox.run(["python3", "-c", PROBE], timeout=ASK_SECONDS)
    try:
        facts = json.loads(result.output)
    except ValueError as error:
        raise SandboxError("The sandbox gave no answer about itself.", detail=result.output[-300:]) from error
    if not isinstance(facts, dict):
        raise SandboxError("The sandbox gave no answer about itself.", detail=result.output[-300:])
    return facts


def _adoption(sandbox: Sandbox, driver: Driver, workspace: Path) -> Finding:
    """Whether the sandbox follows its folder when that takes a workspace's name."""
    name = f"{driver.name} adoption"
    todo = "Set POOL_TOTAL=0: each launch then starts its own sandbox, which takes longer."
    workspace.mkdir(mode=0o755, parents=True)
    (workspace / MARK).write_text("here\n")
    try:
        sandbox.adopt(workspace, {"purpose": "doctor"})
    except (OSError, SandboxError) as error:
        return Finding(name, State.PROBLEM, f"A waiting sandbox could not be given a workspace: {error}", todo)
    if MARK not in (_probe(sandbox).get("files") or ()):
        return Finding(name, State.PROBLEM, "A waiting sandbox does not see the workspace it was given.", todo)
    return Finding(name, State.OK, "A waiting sandbox follows its renamed folder to a learner's workspace.")


def _not_locked(driver: Driver) -> Finding:
    return Finding(
        f"{driver.name} isolation", State.WARNING, "Sandboxes are plain processes of this user: nothing holds their code in.",
        "Use it for yourself on your own machine. For anybody else's code, use containers.",
    )  # fmt: skip


def lockdown(facts: Mapping[str, Any]) -> list[Finding]:
    """What a container's probe says of its walls."""
    found = [
        _wall("network", facts.get("interfaces") in (["lo"], []), f"Interfaces: {_list(facts.get('interfaces'))}."),
        _wall(
            "root file system", facts.get("root_writable") is False,
            "Read-only." if facts.get("root_writable") is False else "It can be written to.",
        ),
        _wall("user", isinstance(facts.get("uid"), int) and facts["uid"] != 0, f"User {facts.get('uid')}."),
        _wall(
            "capabilities",
            _zero(facts.get("capabilities")) and _zero(facts.get("bounding")) and facts.get("no_new_privileges") == "1",
            f"Effective {facts.get('capabilities')}, bounding {facts.get('bounding')}, no new privileges: "
            f"{facts.get('no_new_privileges')}.",
        ),
        _wall("system calls", facts.get("seccomp") == "2", f"Seccomp mode {facts.get('seccomp') or 'unknown'}."),
        _limit("memory limit", facts.get("memory"), LIMITS.memory_mb * 1_048_576),
        _limit("process limit", facts.get("pids"), LIMITS.pids),
    ]  # fmt: skip
    return found


def _wall(name: str, holds: bool, words: str) -> Finding:
    if holds:
        return Finding(f"container: {name}", State.OK, words)
    return Finding(
        f"container: {name}", State.PROBLEM, words,
        "Don't let strangers use this engine: it does not apply the closed profile. Look at its configuration and version.",
        ("docker",),
    )  # fmt: skip


def _limit(name: str, value: Any, wanted: int) -> Finding:
    number = int(value) if isinstance(value, str) and value.isdigit() else None
    if number == wanted:
        return Finding(f"container: {name}", State.OK, f"{number}, as asked for.")
    if number is None or number >= UNLIMITED:
        words = "None is in force." if value else "It can't be read from inside."
    else:
        words = f"{number} instead of {wanted}."
    return Finding(
        f"container: {name}", State.PROBLEM if value else State.WARNING, words,
        "Control groups don't hold here: see the check of limits.",
    )  # fmt: skip


def _zero(mask: Any) -> bool:
    return isinstance(mask, str) and mask != "" and set(mask) == {"0"}


def _list(values: Any) -> str:
    return (
        ", ".join(str(value)[:20] for value in values[:10]) if isinstance(values, list) and values else "none"
    )
