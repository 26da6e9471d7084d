"""One change of a piece of code: what is replaced, where, by what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """Replace `code[start:end]` by `text`."""

    operator: str
    """What kind of mistake it is, in a few words."""
    start: int
    end: int
    text: str

    def apply(self, code: str) -> str:
        """The code with this change."""
        return code[: self.start] + self.text + code[self.end :]

    def moved(self, by: int) -> Change:
        """The same change in a text before which `by` characters more stand."""
        return Change(self.operator, self.start + by, self.end + by, self.text)


FLIPPED: dict[str, tuple[str, ...]] = {
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "in": ("not in",),
    "not in": ("in",),
    "is": ("is not",),
    "is not": ("is",),
}
"""What a comparison becomes: its boundary moved, or turned round."""
ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "//": "*",
    "%": "*",
    "**": "*",
    "<<": ">>",
    ">>": "<<",
    "|": "&",
    "&": "|",
}
