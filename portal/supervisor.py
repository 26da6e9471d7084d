"""Runs web, worker and gateway together: one command to start, Ctrl-C to stop, a crashed part comes back.

supervisord does the watching; this module writes its configuration, refuses what can't work with a sentence that says what to
do, and greets the owner once the first page is there.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import httpx

from portal.database import Database
from portal.errors import SettingsError
from portal.features.authoring import try_to_write_out
from portal.own_bank import OwnBank
from portal.owner import make_link
from portal.settings import ROOT, TRUST_PHRASE, Settings

FIRST_PAGE_SECONDS = 180
STOP_SECONDS = 40
PR_SET_PDEATHSIG = 1

_PROGRAM = """
[program:{name}]
command={command}
directory={root}
autostart=true
autorestart=true
startsecs=2
startretries=20
stopsignal={signal}
stopwaitsecs={wait}
stopasgroup=false
killasgroup=true
priority={priority}
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
redirect_stderr=true
"""


def serve(settings: Settings) -> int:
    """Run the product until a signal; returns the exit code. Raises SettingsError when it can't start."""
    _refuse_unsafe(settings)
    _refuse_taken_ports(settings)
    database = Database(settings.database_url_effective)
    database.migrate()
    link = make_link(database, settings)
    try_to_write_out(database, OwnBank(settings.bank_dir_effective))
    database.close()
    settings.load_secret_key()
    config = _write_config(settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)],
        env={**os.environ, **settings.to_environment(), "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        preexec_fn=_die_with_parent,
        start_new_session=True,
    )
    stopping = _forward_signals(process)
    _report_content_faults(settings)  # while the web process starts, which reads the same
    if _wait_for_first_page(settings, process):
        _greet(settings, link)
    code = process.wait()
    return 0 if stopping else code


def _refuse_unsafe(settings: Settings) -> None:
    if settings.sandbox_driver == "local" and not settings.local_sandboxes_allowed:
        raise SettingsError(
            f"HOST={settings.host} would let other machines run code on this one: local sandboxes are plain processes.\n"
            "Use Docker (SANDBOX_DRIVER=docker), or keep HOST=127.0.0.1, or set\n"
            f'  ALLOW_LOCAL_SANDBOXES_ON_NETWORK="{TRUST_PHRASE}"'
        )


def _refuse_taken_ports(settings: Settings) -> None:
    for name, port in (("PORT", settings.port), ("GATEWAY_PORT", settings.gateway_port_effective)):
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise SettingsError(
                    f"Port {port} on {settings.host} can't be used ({error.strerror}). "
                    f"Stop what runs there, or choose another: {name}={port + 10} make run"
                ) from None


def _report_content_faults(settings: Settings) -> None:
    from portal.content import ContentSource

    content = ContentSource.of(settings).current()
    click.echo(
        f"Content: {len(content.roadmap.tracks)} tracks, {len(content.roadmap.modules)} modules, "
        f"{len(content.roadmap.lessons)} lessons, {len(content.labs.labs)} labs, {len(content.bank.questions)} questions."
    )
    for fault in content.faults:
        click.echo(f"  fault: {fault}", err=True)


def _write_config(settings: Settings) -> Path:
    python = sys.executable
    run = settings.instance_dir
    programs = [
        (
            "web",
            f"{python} -m gunicorn portal.wsgi:app --bind {settings.host}:{settings.port} --worker-class gthread "
            f"--threads {settings.web_threads} --workers 1 --timeout 60 --graceful-timeout 5 --log-level warning "
            "--worker-tmp-dir /dev/shm --no-control-socket",
            "TERM",
            10,
            30,
        ),
        ("worker", f"{python} -m portal worker", "TERM", STOP_SECONDS - 10, 20),
        (
            "gateway",
            f"{python} -m sandboxes.gateway --host {settings.host} --port {settings.gateway_port_effective} "
            f"--run-dir {settings.run_dir} --portal-origin {settings.portal_origin_effective}"
            + (f" --public-origin {settings.sandbox_origin_effective}" if settings.sandbox_origin else ""),
            "TERM",
            10,
            10,
        ),
    ]
    text = (
        "[supervisord]\nnodaemon=true\nloglevel=warn\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={run / 'supervisord.pid'}\n"
    )
    for name, command, stop_signal, wait, priority in programs:
        # A percent sign starts an expansion in supervisord's files.
        text += _PROGRAM.format(
            name=name,
            command=command.replace("%", "%%"),
            root=ROOT,
            signal=stop_signal,
            wait=wait,
            priority=priority,
        )
    if os.getuid() == 0:
        text = text.replace("[supervisord]\n", "[supervisord]\nuser=root\n", 1)
    path = run / "supervisord.conf"
    path.write_text(text)
    return path


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _forward_signals(process: subprocess.Popen[bytes]) -> list[int]:
    """Pass the first Ctrl-C or SIGTERM on as a clean stop; the list tells whether one came."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if not received:
            click.echo("\nStopping: sandboxes end, files are kept …")
        received.append(number)
        process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return received


def _wait_for_first_page(settings: Settings, process: subprocess.Popen[bytes]) -> bool:
    """Whether it answers before it ends. It is told once when that takes long."""
    deadline = time.monotonic() + FIRST_PAGE_SECONDS
    told = False
    url = f"http://{settings.host if settings.host not in ('0.0.0.0', '::') else '127.0.0.1'}:{settings.port}/healthz"  # noqa: S104
    # No TLS and no proxy on the way to ourselves; `verify=True` would read all certificates.
    with httpx.Client(transport=httpx.HTTPTransport(verify=False), timeout=2) as client:
        while process.poll() is None:
            try:
                if client.get(url).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            if not told and time.monotonic() > deadline:
                told = True
                click.echo(
                    f"The portal has not answered for {FIRST_PAGE_SECONDS} s. It is waited for; Ctrl-C stops it."
                )
            time.sleep(0.1)
    return False


def _greet(settings: Settings, link: str) -> None:
    click.echo(
        f"\nProving Ground is ready: {settings.portal_origin_effective}\n"
        f"Sign in as the owner (works once, 24 hours): {link}\n"
        "Ctrl-C stops it.\n"
    )
