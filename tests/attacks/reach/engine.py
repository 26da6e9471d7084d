"""Looks for the container engine's socket and asks it for a container of its own."""

LOOT = "LOOT-ENGINE"
import socket

for path in (
    "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock",
    "/run/user/1000/docker.sock", "/proc/1/root/run/docker.sock", "/run/sandbox/../docker.sock",
):  # fmt: skip
    try:
        with socket.socket(socket.AF_UNIX) as out:
            out.settimeout(0.5)
            out.connect(path)
    except OSError:
        continue
    raise RuntimeError(f"LOOT-ENGINE {path}")
