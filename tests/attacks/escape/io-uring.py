"""Sets up io_uring, the kernel interface from which most sandboxes of late were escaped."""

LOOT = "LOOT-RING"
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(425, 4, ctypes.create_string_buffer(256)) >= 0:
    raise RuntimeError("LOOT-RING io_uring is there")
