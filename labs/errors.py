"""What can go wrong in the lab engine.

::

    LabError                  base of all; its text says what to do
    ├── LabNotFound           no lab has this id
    ├── BrokenLab             a lab's content can't be used (the catalogue lists the faults with file and line)
    └── BadNotebook           what was handed in is not a notebook; `.learner` says why

Errors of sandboxes (`sandboxes.interface.SandboxError`) pass through: they mean that the machinery failed, not the learner.
"""

from __future__ import annotations


class LabError(Exception):
    """Something about a lab went wrong."""


class LabNotFound(LabError):
    """No lab has this id."""


class BrokenLab(LabError):
    """A lab's content can't be used."""


class BadNotebook(LabError):
    """What was handed in is not a notebook."""

    def __init__(self, learner: str) -> None:
        super().__init__(learner)
        self.learner = learner
