"""System calls that no process of a container may make, whatever the engine's own filter lets through."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
IO_URING = (425, 427)
"""From io_uring_setup to io_uring_register: the same numbers on every architecture."""
NUMBER = 0xBFFFFFFF
"""Of a system call, without the bit by which x86 tells its 32-bit-pointer calls."""
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.ENOSYS
PROGRAM = (
    (0x20, 0, 0, 0),  # load the number of the call
    (0x54, 0, 0, NUMBER),  # without that bit
    (0x35, 0, 2, IO_URING[0]),  # below the first: allow
    (0x25, 1, 0, IO_URING[1]),  # above the last: allow
    (0x06, 0, 0, REFUSE),
    (0x06, 0, 0, ALLOW),
)
"""A filter in the kernel's words: (what to do, steps to skip when true, and when false, the value)."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def refuse_io_uring() -> None:
    """Have the kernel refuse io_uring to this process and all that it starts, for good.

    Most escapes of late came through it, no lab needs it, and engines before version 25 allow it. Older kernels do not know it
    and say the same as the filter. Raises OSError when the kernel takes no filter.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = (_Instruction * len(PROGRAM))(*(_Instruction(*line) for line in PROGRAM))
    program = _Filter(len(PROGRAM), ctypes.cast(instructions, ctypes.POINTER(_Instruction)))
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"the kernel takes no filter of system calls: {os.strerror(number)}")
