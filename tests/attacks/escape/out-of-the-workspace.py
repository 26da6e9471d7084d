"""Climbs out of the workspace by descriptors, roots and current folders of other processes."""

LOOT = "LOOT-HOST"
import os

handle = os.open(".", os.O_RDONLY)
places = [HOST["file"], HOST["run_dir"]]
for climb in (
    "/proc/1/root",
    "/proc/self/root",
    f"/proc/self/fd/{handle}/../../../..",
    "/proc/1/cwd/../../..",
    "../../../../../..",
):
    places += [f"{climb}{HOST['file']}", f"{climb}{HOST['run_dir']}"]
for name in os.listdir("/proc/self/fd"):
    places += [f"/proc/self/fd/{name}/..{'/..' * up}{HOST['file']}" for up in range(6)]
try:
    os.chroot(".")
    places.append("/chrooted")
    os.mkdir("/chrooted")
except OSError:
    pass
for place in places:
    if os.path.exists(place):
        raise RuntimeError(f"LOOT-HOST {place}")
