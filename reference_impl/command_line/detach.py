"""Starting Meridian in the background: begin it, pass on what it says, return when it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click

from reference_impl.command_line.common import say
from reference_impl.command_line.logs import follow_up
from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground, Phase

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240.0
STOP_SECONDS = 60.0


def start(topology: str, settings: Settings, uds: Path | None, as_json: bool) -> None:
    """Start a topology that outlives us. Raises ClickException when it does not become ready, and leaves nothing running."""
    ground = Ground(settings.data)
    if ground.read() is not None:
        raise click.ClickException(
            f"A Meridian runs on {ground.data} already; stop it with `python -m reference_impl down`."
        )
    ground.logs.mkdir(parents=True, exist_ok=True)
    log = ground.log("monolith" if topology == "monolith" else "supervisor")
    arguments = [sys.executable, "-m", "reference_impl", "up", "--topology", topology]
    arguments += ["--data", str(ground.data), "--port", str(settings.base_port)]
    arguments += ["--uds", str(uds.resolve())] if uds else []
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    with log.open("ab") as file:
        place = file.tell()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while True:
        if not as_json and topology == "services":
            place = follow_up(log, place)
        state = ground.read()
        if state is not None and state.pid == process.pid and state.phase is Phase.READY:
            break
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise click.ClickException(f"Meridian did not start. {' '.join(last)}")
        if time.monotonic() > deadline:
            process.terminate()
            process.wait(STOP_SECONDS)
            raise click.ClickException(f"Meridian was not ready after {START_SECONDS:g} s; its log is {log}.")
        time.sleep(0.05)
    document = {
        "state": "ready",
        "topology": topology,
        "address": state.url,
        "seconds": round(state.seconds or 0.0, 2),
        "pid": process.pid,
    }
    where = f"{state.url} ({topology}, {state.seconds or 0.0:.1f} s)"
    text = f"Meridian runs in the background at {where}. `down` stops it, `logs` shows its logs."
    say(document, text, as_json)
