"""Uses rare system calls from which others have broken out: bpf, keyctl, perf, userfaultfd, modules, kexec."""

LOOT = "LOOT-CALL"
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(256)
CALLS = {
    "bpf": (321, 0, buffer, 72), "perf_event_open": (298, buffer, 0, -1, -1, 0), "userfaultfd": (323, 0),
    "init_module": (175, buffer, 8, b""), "finit_module": (313, 0, b"", 0),
    "kexec_load": (246, 0, 0, None, 0), "open_by_handle_at": (304, -100, buffer, 0), "add_key": (248, b"user", b"a", b"b", 1, -3),
    "keyctl": (250, 0, -3, 1), "request_key": (249, b"user", b"a", None, -3), "iopl": (172, 3), "swapon": (167, b".", 0),
    "reboot": (169, 0xFEE1DEAD, 672274793, 0, None), "settimeofday": (164, buffer, None), "quotactl": (179, 0, None, 0, None),
    "lookup_dcookie": (212, 0, buffer, 8), "move_mount": (429, -100, b".", -100, b".", 0), "fsopen": (430, b"tmpfs", 0),
    "open_tree": (428, -100, b"/", 1), "pidfd_getfd": (438, 3, 0, 0), "process_madvise": (440, 0, None, 0, 0, 0),
}  # fmt: skip
allowed = [name for name, (number, *rest) in CALLS.items() if libc.syscall(number, *rest) >= 0]
if allowed:
    raise RuntimeError(f"LOOT-CALL {allowed}")
