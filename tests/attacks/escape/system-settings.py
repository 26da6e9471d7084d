"""Writes the machine's settings below /proc and /sys, cgroups and their release programs included."""

LOOT = "LOOT-SETTING"
from pathlib import Path

written = []
for path, text in {
    "/proc/sys/kernel/core_pattern": "|/tmp/attack-was-here",
    "/proc/sys/kernel/modprobe": "/tmp/attack-was-here",
    "/proc/sys/kernel/hostname": "attacked",
    "/proc/sys/vm/panic_on_oom": "0",
    "/proc/sysrq-trigger": "h",
    "/proc/self/oom_score_adj": "-1000",
    "/proc/1/oom_score_adj": "1000",
    "/sys/kernel/uevent_helper": "/tmp/attack-was-here",
    "/sys/fs/cgroup/release_agent": "/tmp/attack-was-here",
    "/sys/fs/cgroup/memory/release_agent": "/tmp/attack-was-here",
    "/sys/fs/cgroup/pids/pids.max": "max",
    "/sys/fs/cgroup/pids.max": "max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "-1",
    "/sys/fs/cgroup/memory.max": "max",
    "/proc/self/setgroups": "allow",
}.items():
    try:
        Path(path).write_text(text)
    except OSError:
        continue
    written.append(path)
for path in (
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/kmsg",
    "/sys/firmware/dmi/tables/DMI",
):
    try:
        if Path(path).open("rb").read(16):
            written.append(path)
    except OSError:
        pass
if [path for path in written if path != "/proc/1/oom_score_adj"]:
    raise RuntimeError(f"LOOT-SETTING {written}")
