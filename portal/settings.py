"""Every knob of the portal, typed, with a default and one sentence. The only module that reads the environment."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
TRUST_PHRASE = "I trust everyone who can reach this port"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def _knob(default: Any, sentence: str) -> Any:
    if callable(default):
        return field(default_factory=default, metadata={"help": sentence})
    return field(default=default, metadata={"help": sentence})


@dataclass(frozen=True)
class Settings:
    """Settings of one portal. Environment variables have the field's name in capitals."""

    host: str = _knob("127.0.0.1", "Address the portal and the sandbox gateway listen on.")
    port: int = _knob(8000, "TCP port of the portal.")
    gateway_port: int = _knob(0, "TCP port of the sandbox gateway; 0 means the portal's port plus one.")
    portal_origin: str = _knob("", "Origin learners open the portal at; empty means http://localhost:<port>.")
    sandbox_origin: str = _knob(
        "",
        "Origin sandboxes are served from, another host name than the portal's; empty means http://127.0.0.1:<gateway_port>.",
    )
    instance_dir: Path = _knob(
        lambda: ROOT / "instance", "Directory for the database, the workspaces and the secret key."
    )
    run_dir: Path = _knob(
        lambda: Path(f"/tmp/proving-ground-{os.getuid()}"),  # noqa: S108 - made with mode 0700 and owner-checked
        "Directory for the sandboxes' Unix sockets; its path must stay under 60 characters.",
    )
    database_url: str = _knob(
        "", "SQLAlchemy URL of the database; empty means SQLite in the instance directory."
    )
    secret_key: str = _knob(
        "", "Key that signs cookies; empty means one is made and kept in the instance directory."
    )
    bank_dir: str = _knob(
        "",
        "Folder of this instance's own questions, which the web editor writes; empty means bank in the instance directory.",
    )
    import_mb: int = _knob(8, "Largest file of questions that an instructor may import in the browser, in MiB.")
    review_required: bool = _knob(
        True,
        "Whether a question written in the browser needs another instructor's review before learners see it.",
    )
    sandbox_driver: str = _knob(
        "auto", "Where labs run: docker, local, or auto (docker when an engine answers)."
    )
    allow_local_sandboxes_on_network: str = _knob(
        "", f'Set to "{TRUST_PHRASE}" to serve local-process sandboxes on anything but loopback.'
    )
    allow_sign_up: bool = _knob(True, "Whether visitors may make accounts of their own.")
    worker_threads: int = _knob(4, "How many launches and gradings the worker runs at once.")
    session_hours: float = _knob(4.0, "How long a lab session lives after it became ready, in hours.")
    sessions_per_learner: int = _knob(2, "How many lab sessions one learner may have open at once.")
    heartbeat_seconds: float = _knob(2.0, "How often a running job says that it is alive, in seconds.")
    stale_seconds: float = _knob(15.0, "A running job that was silent for this long, in seconds, is run again.")
    grading_attempts: int = _knob(3, "How often a grading that died through no fault of the learner is tried.")
    web_threads: int = _knob(8, "Threads of the web process.")
    kept_mb: int = _knob(
        64,
        "Memory in which a web process keeps pages and reckoned progress while nothing they show has changed, in MiB; "
        "0 means none are kept.",
    )
    max_request_bytes: int = _knob(1_048_576, "Largest request body the portal accepts, in bytes.")
    rate_limits: bool = _knob(
        True, "Whether sign-in, checks and launches are throttled; off in some tests only."
    )
    sandbox_transport: str = _knob(
        "auto",
        "How containers are reached: sockets (in a shared folder), tunnel (through the engine), or auto (what the engine needs).",
    )
    kafka_image: str = _knob(
        "",
        "Image whose /opt/kafka the sandbox image kafka takes; empty means apache/kafka:4.1.1, and only where the engine has it.",
    )
    pool_learners: int = _knob(
        1, "How many started sandboxes wait for learners of a lab that is in use or was just looked at."
    )
    pool_graders: int = _knob(1, "How many started graders wait for a lab that somebody works in.")
    pool_total: int = _knob(
        4,
        "How many started sandboxes wait in all; 0 turns waiting off. A quarter of the memory bounds them too.",
    )
    pool_programs: int = _knob(
        1, "How many started sandboxes wait for programs in a language that somebody is asked to write in."
    )
    program_runners: int = _knob(
        2, "How many programs of code questions the worker runs at once, each in a sandbox of its own."
    )
    program_queue: int = _knob(40, "How many programs may wait to be run; who comes then is told to try again.")
    sandbox_places: int = _knob(
        0, "How many learners' sandboxes may run at once on this site; 0 means as many as fit into memory."
    )
    sandbox_place_mb: int = _knob(
        1024, "Memory that one place is reckoned at, in MiB, when SANDBOX_PLACES is 0."
    )
    session_idle_minutes: int = _knob(
        60, "A sandbox in which nothing was run or saved for this long is stopped, in minutes; 0 means never."
    )
    session_extensions: int = _knob(2, "How often a learner may put off the end of a session.")
    session_extension_minutes: int = _knob(60, "By how much an extension puts off the end, in minutes.")
    reset_kept_days: int = _knob(14, "How long files that a learner reset are kept, in days.")
    workspace_mb: int = _knob(256, "How much room a learner's files of one lab may take, in MiB.")
    metrics_port: int = _knob(0, "TCP port of the worker's Prometheus metrics; 0 means none are served.")
    metrics_host: str = _knob(
        "127.0.0.1", "Address the metrics are served on; whoever reaches it can read them."
    )

    @property
    def gateway_port_effective(self) -> int:
        """The gateway's port after defaults."""
        return self.gateway_port or self.port + 1

    @property
    def portal_origin_effective(self) -> str:
        """The portal's origin after defaults, without a trailing slash."""
        return (self.portal_origin or f"http://localhost:{self.port}").rstrip("/")

    @property
    def sandbox_origin_effective(self) -> str:
        """The sandboxes' origin after defaults, without a trailing slash."""
        return (self.sandbox_origin or f"http://127.0.0.1:{self.gateway_port_effective}").rstrip("/")

    @property
    def database_url_effective(self) -> str:
        """The database URL after defaults."""
        return self.database_url or f"sqlite:///{self.instance_dir / 'portal.db'}"

    @property
    def workspaces_dir(self) -> Path:
        """Where learners' files live."""
        return self.instance_dir / "workspaces"

    @property
    def bank_dir_effective(self) -> Path:
        """Where this instance's own questions live."""
        return Path(self.bank_dir).resolve() if self.bank_dir else self.instance_dir / "bank"

    @property
    def serves_loopback_only(self) -> bool:
        """Whether only this machine can reach the portal and the sandboxes."""
        return self.host in LOOPBACK_HOSTS

    @property
    def local_sandboxes_allowed(self) -> bool:
        """Whether the local-process driver may be used with this host setting."""
        return self.serves_loopback_only or self.allow_local_sandboxes_on_network == TRUST_PHRASE

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the knobs from environment variables; raises SettingsError naming every bad one."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        faults: list[str] = []
        for knob in fields(cls):
            raw = source.get(knob.name.upper(), "").strip()
            if not raw:
                continue
            try:
                values[knob.name] = _parse(str(knob.type), raw)
            except ValueError:
                faults.append(
                    f"{knob.name.upper()}={raw!r} is not a valid {knob.type}: {knob.metadata['help']}"
                )
        if faults:
            raise SettingsError("\n".join(faults))
        return cls(**values).validated()

    def validated(self) -> Settings:
        """Self, or SettingsError when values contradict each other."""
        faults: list[str] = []
        if self.sandbox_driver not in {"auto", "docker", "local"}:
            faults.append("SANDBOX_DRIVER must be auto, docker or local.")
        if self.sandbox_transport not in {"auto", "sockets", "tunnel"}:
            faults.append("SANDBOX_TRANSPORT must be auto, sockets or tunnel.")
        for name in ("port", "gateway_port_effective"):
            if not 0 < getattr(self, name) < 65536:
                faults.append(f"{name.upper()} must be between 1 and 65535.")
        portal, sandbox = urlsplit(self.portal_origin_effective), urlsplit(self.sandbox_origin_effective)
        if portal.hostname == sandbox.hostname:
            faults.append(
                "PORTAL_ORIGIN and SANDBOX_ORIGIN must have different host names: cookies ignore ports, "
                "so a notebook could otherwise act as its learner in the portal."
            )
        if len(str(self.run_dir)) > 60:
            faults.append("RUN_DIR must be shorter than 60 characters: Unix socket paths end at 107.")
        if not 0 <= self.metrics_port < 65536:
            faults.append("METRICS_PORT must be between 0, which means no metrics, and 65535.")
        if min(self.worker_threads, self.web_threads, self.sessions_per_learner, self.grading_attempts) < 1:
            faults.append(
                "WORKER_THREADS, WEB_THREADS, SESSIONS_PER_LEARNER and GRADING_ATTEMPTS must be at least 1."
            )
        if min(self.session_hours, self.heartbeat_seconds, self.stale_seconds) <= 0:
            faults.append("SESSION_HOURS, HEARTBEAT_SECONDS and STALE_SECONDS must be positive.")
        if min(self.pool_learners, self.pool_graders, self.pool_programs, self.pool_total) < 0:
            faults.append("POOL_LEARNERS, POOL_GRADERS, POOL_PROGRAMS and POOL_TOTAL must not be negative.")
        if min(self.program_runners, self.program_queue) < 1:
            faults.append("PROGRAM_RUNNERS and PROGRAM_QUEUE must be at least 1.")
        if min(self.sandbox_places, self.session_idle_minutes, self.session_extensions) < 0:
            faults.append("SANDBOX_PLACES, SESSION_IDLE_MINUTES and SESSION_EXTENSIONS must not be negative.")
        if min(self.session_extension_minutes, self.reset_kept_days, self.workspace_mb) < 1:
            faults.append("SESSION_EXTENSION_MINUTES, RESET_KEPT_DAYS and WORKSPACE_MB must be at least 1.")
        if not 1 <= self.import_mb <= 32:
            faults.append("IMPORT_MB must be between 1 and 32.")
        if not 0 <= self.kept_mb <= 65_536:
            faults.append("KEPT_MB must be between 0, which keeps nothing, and 65536.")
        if self.sandbox_place_mb < 64:
            faults.append("SANDBOX_PLACE_MB must be at least 64.")
        if self.stale_seconds < 3 * self.heartbeat_seconds:
            faults.append("STALE_SECONDS must be at least three times HEARTBEAT_SECONDS.")
        if faults:
            raise SettingsError("\n".join(faults))
        return self

    def to_environment(self) -> dict[str, str]:
        """The environment variables that give these settings again; for child processes."""
        result: dict[str, str] = {}
        for knob in fields(self):
            value = getattr(self, knob.name)
            result[knob.name.upper()] = ("1" if value else "0") if isinstance(value, bool) else str(value)
        return result

    def load_secret_key(self) -> str:
        """The signing key: the setting, or one kept in the instance directory (made on first use, mode 0600)."""
        if self.secret_key:
            return self.secret_key
        path = self.instance_dir / "secret_key"
        self.instance_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
        return path.read_text().strip()


def _parse(kind: str, raw: str) -> Any:
    if kind == "bool":
        lowered = raw.lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"0", "false", "no", "off"}:
            return False
        raise ValueError(raw)
    if kind == "Path":
        return Path(raw).resolve()
    return int(raw) if kind == "int" else float(raw) if kind == "float" else raw
