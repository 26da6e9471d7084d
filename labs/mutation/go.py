"""Changes of Go code, found in its text: comments, texts and runes are left alone.

Go refuses unused names and imports, so some mutants don't compile; the run drops those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labs.mutation.change import FLIPPED, Change

_QUIET = re.compile(r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.DOTALL)
_SPEAKING = re.compile(r"^[ \t]*(?:fmt\.Print|log\.|slog\.|panic\()|\bfmt\.Errorf\(|\berrors\.New\(")
_SIGN = re.compile(r"(?<![<>=!:+\-*/%&|^])(==|!=|<=|>=|<|>)(?![<>=\-])")
_ARITHMETIC = re.compile(r"(?<=[\w)\] ])(\+|-|\*|/|%)(?= )|(\+=|-=)|(\+\+|--)")
_OTHER = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "+=": "-=", "-=": "+=", "++": "--", "--": "++"}
_WORDS = (
    (r"&&", "||", "and, or"),
    (r"\|\|", "&&", "and, or"),
    (r"\btrue\b", "false", "constant"),
    (r"\bfalse\b", "true", "constant"),
    (r"\bbreak\b", "continue", "break for continue"),
    (r"\bcontinue\b", "break", "break for continue"),
    (r"!(?=[\w(])(?!=)", "", "condition turned round"),
    (r"\bdefer\s+(?=\w)", "", "at once"),
)
_STATEMENT = re.compile(
    r"^[ \t]*((?:defer[ \t]+|go[ \t]+)?[A-Za-z_][\w.]*(?:\[[^\]\n]*\])?(?:\.\w+)?\([^\n{]*\)|[^\n=:]+<-[^\n{:]+)[ \t]*$",
    re.MULTILINE,
)
"""A call or a send that stands alone on its line."""
_JUMP = re.compile(r"^[ \t]*(return|break|continue)\b[ \t]*$", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]*([\w.]+(?:\[[^\]\n]*\])?[ \t]*(?:\+|-)?=[ \t]*[^=\n{][^\n{]*)$", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.\"'])\d+(?![\w.])")
_SKIPPED_IMPORTS = re.compile(r"^import\s*\([^)]*\)|^import\s+[^\n]*|^package\s+[^\n]*", re.MULTILINE)
_TIMES = re.compile(r"\btime\.(?:Second|Millisecond|Microsecond|Minute|Hour)\b|\bTimeout\b")


def changes(code: str) -> list[Change]:
    """Every change of this code."""
    quiet = [found.span() for pattern in (_QUIET, _SKIPPED_IMPORTS) for found in pattern.finditer(code)]
    kept = []
    for change in _all(code):
        line = code[code.rfind("\n", 0, change.start) + 1 :].split("\n", 1)[0]
        inside = any(start <= change.start < end for start, end in quiet)
        if not inside and not _SPEAKING.search(line):
            kept.append(change)
    return kept


def _all(code: str) -> Iterator[Change]:
    for match in _SIGN.finditer(code):
        for other in FLIPPED[match[0]]:
            yield Change("comparison", match.start(), match.end(), other)
    for match in _ARITHMETIC.finditer(code):
        yield Change("arithmetic", match.start(), match.end(), _OTHER[match[0]])
    for pattern, other, operator in _WORDS:
        for match in re.finditer(pattern, code):
            yield Change(operator, match.start(), match.end(), other)
    for lines in (_STATEMENT, _JUMP, _ASSIGNED):
        for match in lines.finditer(code):
            yield Change("statement left out", match.start(1), match.end(1), "")
    for match in _NUMBER.finditer(code):
        line = code[code.rfind("\n", 0, match.start()) + 1 :].split("\n", 1)[0]
        if _TIMES.search(line):
            continue
        yield Change("constant", match.start(), match.end(), str(int(match[0]) + 1))
        if int(match[0]) > 0:
            yield Change("constant", match.start(), match.end(), str(int(match[0]) - 1))
    for match in re.finditer(
        r"\breturn[ \t]+(?P<first>[^\n]*?)(?P<error>\berr\b|\bctx\.Err\(\))[ \t]*$", code, re.MULTILINE
    ):
        yield Change("error swallowed", match.start("error"), match.end("error"), "nil")
