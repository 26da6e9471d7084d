"""Searches for the sockets, files and processes of the sandboxes beside it."""

LOOT = "LOOT-NEIGHBOUR"
import os
import stat

own = {"/run/sandbox/agent.sock"}
found = []
for top in ("/run", "/tmp", "/var/run", "/var/tmp", "/home", "/dev/shm", HOST["run_dir"]):
    for folder, folders, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            try:
                is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
            except OSError:
                continue
            if (
                is_socket
                and path not in own
                and "/.jupyter/" not in path
                and not path.startswith("/var/run/sandbox")
            ):
                found.append(path)
        found += [os.path.join(folder, name) for name in folders if name.startswith("grade-")]
agents = 0
for name in os.listdir("/proc"):
    try:
        agents += name.isdigit() and b"sandboxes.agent" in open(f"/proc/{name}/cmdline", "rb").read()
    except OSError:
        pass
if found or agents > 2:  # its own keeper, and its own agent
    raise RuntimeError(f"LOOT-NEIGHBOUR {found} {agents}")
