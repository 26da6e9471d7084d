"""Starting and stopping Meridian: up, serve, service, down, restart; with status and logs they are COMMANDS."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reference_impl.command_line import logs as reading
from reference_impl.command_line import status as looking
from reference_impl.command_line.common import as_json as json_option
from reference_impl.command_line.common import data_option, say
from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground, Held, Phase, PlatformState, ProcessState

TOPOLOGIES = ("monolith", "services")
STOP_SECONDS = 60.0
RESTART_SECONDS = 60.0

_port = click.option(
    "--port", type=click.IntRange(1, 65_000), help="Port; with `services` the gateway's.  [default: 8080]"
)


def _serve_command(name: str, help_text: str) -> click.Command:
    @click.command(name, help=help_text)
    @click.option("--topology", type=click.Choice(TOPOLOGIES), default="monolith", show_default=True)
    @_port
    @click.option(
        "--uds", type=click.Path(path_type=Path), help="Serve the monolith on this Unix socket instead."
    )
    @data_option
    @click.option("--detach", is_flag=True, help="Return when it is ready; `down` stops it.")
    @json_option
    def command(
        topology: str, port: int | None, uds: Path | None, data: Path | None, detach: bool, as_json: bool
    ) -> None:
        settings = Settings.from_environment(data=data, base_port=port)
        if topology == "services" and uds:
            raise click.BadParameter("only the monolith serves on a Unix socket", param_hint="--uds")
        if detach:
            from reference_impl.command_line.detach import start

            start(topology, settings, uds, as_json)
        elif topology == "services":
            _up_services(settings, as_json)
        else:
            _up_monolith(settings, uds, as_json)

    return command


def _up_monolith(settings: Settings, uds: Path | None, as_json: bool) -> None:
    from reference_impl.server import Address, CannotServe, check_free, serve_monolith
    from reference_impl.shared.problems import Problem

    address = Address(settings.base_port, uds.resolve() if uds else None, settings.host)
    ground = Ground(settings.data)

    def ready(seconds: float) -> None:
        process = ProcessState(
            name="monolith", kind="service", phase=Phase.READY, pid=os.getpid(), url=address.text
        )
        state = PlatformState(
            topology="monolith",
            pid=os.getpid(),
            phase=Phase.READY,
            url=address.text,
            socket=address.uds,
            started_at=datetime.now(UTC),
            seconds=seconds,
            processes=[process],
        )
        ground.write(state)
        _say_ready(state, as_json)

    try:
        check_free(address)
        with ground.hold():
            serve_monolith(settings, address, ready)
    except (CannotServe, Held, Problem) as error:
        raise click.ClickException(str(error)) from error


def _up_services(settings: Settings, as_json: bool) -> None:
    from reference_impl.server import CannotServe, check_ports
    from reference_impl.topologies.services import StartFailed, Supervisor, ports

    ground = Ground(settings.data)
    try:
        with ground.hold():
            check_ports(settings.host, ports(settings))
            supervisor = Supervisor(settings, ground, lambda line: click.echo(line, err=as_json))
            supervisor.run(lambda state: _say_ready(state, as_json))
    except (Held, CannotServe, StartFailed) as error:
        raise click.ClickException(str(error)) from error


def _say_ready(state: PlatformState, as_json: bool) -> None:
    seconds = state.seconds or 0.0
    document: dict[str, Any] = {
        "state": "ready",
        "topology": state.topology,
        "address": state.url,
        "seconds": round(seconds, 2),
    }
    if state.topology == "services":
        document["services"] = {item.name: item.url for item in state.processes if item.kind == "service"}
    hint = " Ctrl-C stops it." if sys.stdout.isatty() else ""
    text = f"Meridian is ready at {state.url} ({state.topology}, {seconds:.1f} s).{hint}"
    say(document, text, as_json)


@click.command("service", help="Run one service alone, as the topology `services` and a container do.")
@click.argument("name")
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Its port. Default: its place behind MERIDIAN_BASE_PORT."
)
@data_option
@json_option
def service_command(name: str, port: int | None, data: Path | None, as_json: bool) -> None:
    """One service."""
    from reference_impl.server import Address, CannotServe, serve_service
    from reference_impl.topologies import registry

    settings = Settings.from_environment(data=data)
    try:
        address = Address(port or registry.entry(name).port(settings), None, settings.host)
        serve_service(
            name,
            settings,
            address,
            lambda seconds: say(
                {"state": "ready", "service": name, "address": address.text, "seconds": round(seconds, 2)},
                f"{name} is ready at {address.text} ({seconds:.1f} s).",
                as_json,
            ),
        )
    except KeyError as error:
        raise click.BadParameter(str(error.args[0]), param_hint="NAME") from error
    except CannotServe as error:
        raise click.ClickException(str(error)) from error


@click.command("down", help="Stop the Meridian that runs on a directory, wherever it was started.")
@data_option
@json_option
def down_command(data: Path | None, as_json: bool) -> None:
    """Stop."""
    ground = Ground(Settings.from_environment(data=data).data)
    running = ground.read()
    if running is None:
        say({"state": "stopped"}, f"No Meridian runs on {ground.data}.", as_json)
        return
    os.kill(running.pid, signal.SIGTERM)
    if not _until(lambda: ground.read() is None, STOP_SECONDS):
        raise click.ClickException(
            f"Meridian (process {running.pid}) has not stopped after {STOP_SECONDS:g} s."
        )
    say({"state": "stopped"}, f"Meridian ({running.topology}) has stopped.", as_json)


@click.command("restart", help="Restart one service of the topology `services`, and wait until it is ready.")
@click.argument("name")
@data_option
@json_option
def restart_command(name: str, data: Path | None, as_json: bool) -> None:
    """Restart."""
    ground = Ground(Settings.from_environment(data=data).data)
    before = _process(ground, name)
    ground.ask_restart(name)

    def done() -> bool:
        now = _process(ground, name)
        return now.restarts > before.restarts and now.phase is Phase.READY

    started = time.monotonic()
    if not _until(done, RESTART_SECONDS):
        raise click.ClickException(
            f"{name} is not ready after {RESTART_SECONDS:g} s; its log is {ground.log(name)}."
        )
    seconds = time.monotonic() - started
    now = _process(ground, name)
    say(now.model_dump(mode="json"), f"{name} is ready again ({seconds:.1f} s, process {now.pid}).", as_json)


def _process(ground: Ground, name: str) -> ProcessState:
    running = ground.read()
    if running is None or running.topology != "services":
        raise click.ClickException(f"The topology `services` does not run on {ground.data}.")
    services = {process.name: process for process in running.processes if process.kind == "service"}
    if name not in services:
        raise click.BadParameter(
            f"there is no service {name}; there are {', '.join(services)}", param_hint="NAME"
        )
    return services[name]


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


COMMANDS = (
    _serve_command("up", "Start Meridian; in the foreground unless told otherwise."),
    _serve_command("serve", "The same as up, under the name that process managers expect."),
    service_command,
    down_command,
    looking.status_command,
    restart_command,
    reading.logs_command,
)
