"""The variables that the learner's code, Jupyter and the services see: made from nothing, never inherited."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from sandboxes.protocol import SANDBOX_ID_VARIABLE, AgentSpec

CODE_DIR = Path(__file__).parents[2]
SERVICES_TMP = "tmp"
"""In the services' data folder."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment(spec: AgentSpec) -> dict[str, str]:
    """What every process of the sandbox gets."""
    python = str(Path(sys.executable).parent)
    variables = {
        "PATH": f"{python}:{os.environ.get('PATH') or SYSTEM_PATH}",
        "HOME": spec.home,
        "USER": "learner",
        "LOGNAME": "learner",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        SANDBOX_ID_VARIABLE: spec.sandbox_id,
    }
    if "TMPDIR" in os.environ:
        variables["TMPDIR"] = os.environ["TMPDIR"]
    return variables


def service_environment(spec: AgentSpec) -> dict[str, str]:
    """What every service gets: nothing of the learner's home, and no folder where the learner could put something in its way."""
    return base_environment(spec) | {"HOME": spec.data_dir, "TMPDIR": str(Path(spec.data_dir) / SERVICES_TMP)}


def learner_environment(spec: AgentSpec, services: Mapping[str, str], jupyter_dir: Path) -> dict[str, str]:
    """What the learner's kernels and commands get; `services` are the variables of the sandbox's services."""
    variables = base_environment(spec)
    variables |= {
        "LAB_SANDBOX": "1",
        "PYTHONPATH": str(CODE_DIR / "notebooks"),
        "IPYTHONDIR": f"{spec.home}/.ipython",
        "JUPYTER_PATH": str(jupyter_dir),
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        # Fewer malloc arenas: each reserves data that counts against the kernel's limit.
        "MALLOC_ARENA_MAX": "4",
        "SANDBOX_FILE_MB": str(spec.disk_mb),
        "SANDBOX_MEMORY_MB": "0" if spec.contained else str(spec.memory_mb),
    }
    return variables | dict(services) | dict(spec.environment)
