"""Learners' programs: run in sandboxes, one sandbox an answer and one process a case."""

from portal.work.programs.runner import SandboxRunner
from portal.work.programs.specs import program_spec

__all__ = ["SandboxRunner", "program_spec"]
