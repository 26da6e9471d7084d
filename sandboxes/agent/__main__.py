"""`python -m sandboxes.agent SPEC`: be the agent of one sandbox until told to stop; the keeper when SPEC names a learner's user.

`python -m sandboxes.agent --join SOCKET`: be the learner's agent of the keeper who listens there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sandboxes.agent.bond import join
from sandboxes.agent.processes import become_guardian
from sandboxes.agent.program import JOIN_SECONDS, Agent, KeeperAgent, LearnerAgent, WholeAgent
from sandboxes.agent.syscalls import refuse_io_uring
from sandboxes.protocol import AgentSpec


async def _run(arguments: list[str]) -> int:
    agent: Agent
    if len(arguments) == 2:
        refuse_io_uring()
        agent = LearnerAgent(*join(Path(arguments[1]), JOIN_SECONDS))
    else:
        spec = AgentSpec.read(Path(arguments[0]))
        if spec.contained:
            refuse_io_uring()
        agent = WholeAgent(spec) if spec.learner_uid is None else KeeperAgent(spec, spec.learner_uid)
    return await agent.run()


def main() -> int:
    arguments = sys.argv[1:]
    if len(arguments) != 1 and not (len(arguments) == 2 and arguments[0] == "--join"):
        print("usage: python -m sandboxes.agent SPEC | --join SOCKET", file=sys.stderr)
        return 2
    os.umask(0o077)
    become_guardian()
    return asyncio.run(_run(arguments))


if __name__ == "__main__":
    sys.exit(main())
