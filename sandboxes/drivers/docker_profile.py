"""What a container is made of: its users, its mounts, its limits, and everything closed that a lab does not need."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker.types import LogConfig, Mount, Ulimit

from sandboxes.drivers.attach import Transport
from sandboxes.drivers.run_dir import Record
from sandboxes.interface import SandboxSpec
from sandboxes.protocol import JOIN_SOCKET, AgentSpec

LEARNER = 1000
KEEPER = 1001
RUN_IN = "/run/sandbox"
SOCKETS_IN = "/run/sandbox-sockets"
SOCKETS_KB = 64
HOME_IN = "/home/learner"
WORKSPACE_IN = "/home/learner/work"
DATA_IN = "/var/lib/sandbox"
CACHE_IN = "/opt/cache"
MAX_FILES = 100_000
"""Of a workspace that is handed to the learner's user."""


def socket_dir(record: Record) -> str:
    """Where a sandbox's sockets are, as the container sees them."""
    return SOCKETS_IN if record.transport == Transport.TUNNEL else RUN_IN


def join_command(record: Record) -> list[str]:
    """What starts the learner's agent."""
    return ["python", "-m", "sandboxes.agent", "--join", f"{socket_dir(record)}/{JOIN_SOCKET}"]


def tunnel_command(record: Record, names: Sequence[str]) -> list[str]:
    """What starts the tunnel's end inside, for sockets of these names."""
    return ["python", "-m", "sandboxes.agent.tunnel", socket_dir(record), *names]


def closed_profile(spec: SandboxSpec, folder: Path, record: Record) -> dict[str, Any]:
    """The engine's settings for a sandbox: everything closed that a lab does not need."""
    learners, keepers = ("uid={},gid={},mode=0700".format(*user) for user in (container_user(), keeper_user()))
    disk = max(64, spec.limits.disk_mb)
    tunnelled = record.transport == Transport.TUNNEL
    # As in the shared folder: the learner passes through to sockets, and can neither list nor change what is here.
    passed = keepers.replace("0700", "0711" if separates_users() else "0700")
    sockets = {SOCKETS_IN: f"rw,nosuid,nodev,noexec,size={SOCKETS_KB}k,nr_inodes=64,{passed}"}
    # The shares of the writable memory; together with /dev/shm they are the disk limit.
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "ipc_mode": "private",
        "pids_limit": spec.limits.pids,
        "mem_limit": spec.limits.memory_mb * 1_048_576,
        "memswap_limit": spec.limits.memory_mb * 1_048_576,
        "nano_cpus": int(min(spec.limits.cpus, os.cpu_count() or 1) * 1_000_000_000),
        "shm_size": disk * 1_048_576 // 8,
        # No limit on `nproc`: the system counts a user's processes over all containers, so that one sandbox would use up every
        # other's. The engine's limit on this container's processes is what holds.
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="nofile", soft=4096, hard=4096),
            Ulimit(name="fsize", soft=disk * 1_048_576, hard=disk * 1_048_576),
        ],
        "tmpfs": {
            "/tmp": f"rw,nosuid,nodev,size={disk // 8}m,mode=1777",  # noqa: S108 - the container's own
            "/run": f"rw,nosuid,nodev,noexec,size={disk // 64 * 1024 - SOCKETS_KB}k,mode=0755",
            HOME_IN: f"rw,nosuid,nodev,exec,size={disk // 4 - disk // 64}m,{learners}",
            DATA_IN: f"rw,nosuid,nodev,noexec,size={disk // 2}m,{keepers}",
            **(sockets if tunnelled else {}),
        },
        "mounts": [
            Mount(RUN_IN, str(folder), type="bind"),
            Mount(WORKSPACE_IN, str(spec.workspace.resolve()), type="bind"),
        ],
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "256k", "max-file": "1"}),
        "restart_policy": {"Name": "no"},
    }


def orders(spec: SandboxSpec, record: Record) -> AgentSpec:
    """The agent's orders, with the container's paths."""
    return AgentSpec(
        sandbox_id=spec.sandbox_id,
        run_dir=RUN_IN,
        workspace=WORKSPACE_IN,
        home=HOME_IN,
        data_dir=DATA_IN,
        cache_dir=CACHE_IN,
        web_path=record.web_path,
        services=record.services,
        environment=dict(spec.environment),
        jupyter=spec.jupyter,
        memory_mb=spec.limits.memory_mb,
        disk_mb=spec.limits.disk_mb,
        workspace_mb=spec.limits.workspace_mb,
        workspace_files=spec.limits.workspace_files,
        contained=True,
        preload=spec.preload,
        learner_uid=container_user()[0] if separates_users() else None,
        service_seconds=spec.start_seconds,
        socket_dir=SOCKETS_IN if record.transport == Transport.TUNNEL else "",
    )


def separates_users() -> bool:
    """Whether the services run as another user than the learner's code: only root can give each their files."""
    return os.geteuid() == 0


def container_user() -> tuple[int, int]:
    """Whom the learner's code runs as: never root; and the operator, when that is not root, so that the files stay theirs."""
    if os.geteuid() == 0:
        return LEARNER, LEARNER
    return os.geteuid(), os.getegid()


def keeper_user() -> tuple[int, int]:
    """Whom the services run as."""
    return (KEEPER, KEEPER) if separates_users() else container_user()


def as_user(user: tuple[int, int]) -> str:
    """A user and group in the engine's words."""
    return "{}:{}".format(*user)


def give_to_keeper(folder: Path) -> None:
    """Make what a sandbox shares with the outside the keeper's own; the learner passes through to sockets. Raises OSError."""
    uid, gid = keeper_user()
    if (uid, gid) != (os.geteuid(), os.getegid()):
        _hand_over(folder, uid, gid)
    if separates_users():
        folder.chmod(0o711)


def give_to_container_user(folder: Path) -> None:
    """Make a tree the container user's own, when that is somebody else than us. Raises OSError for too many files."""
    uid, gid = container_user()
    if (uid, gid) != (os.geteuid(), os.getegid()):
        _hand_over(folder, uid, gid)


def _hand_over(folder: Path, uid: int, gid: int) -> None:
    """Give a tree to a user of the container. Raises OSError for too many files, or folders nested too deep.

    By descriptors, and links themselves instead of what they point to: another sandbox on the same workspace may be changing it
    right now, and must not lead us out of it.
    """
    try:
        _chown_all(folder, uid, gid)
    except RecursionError:
        raise OSError("folders in the workspace are nested too deep") from None


def _chown_all(folder: Path, uid: int, gid: int) -> None:
    count = 0
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        os.fchown(descriptor, uid, gid)
        for name in (*folders, *files):
            count += 1
            if count > MAX_FILES:
                raise OSError(f"the workspace holds more than {MAX_FILES} files")
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
