"""`python -m sandboxes.agent SPEC`: be the agent of one sandbox until told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sandboxes.agent.processes import become_guardian
from sandboxes.agent.program import Agent
from sandboxes.protocol import AgentSpec


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m sandboxes.agent SPEC", file=sys.stderr)
        return 2
    os.umask(0o077)
    become_guardian()
    return asyncio.run(Agent(AgentSpec.read(Path(sys.argv[1]))).run())


if __name__ == "__main__":
    sys.exit(main())
