"""Reading a file of the reference platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from portal.errors import NotFound

ROOT = Path(__file__).resolve().parents[3]
SHOWN = "reference_impl"
SUFFIXES = frozenset({".py", ".md", ".json", ".yaml", ".sql", ".toml"})
NAMES = frozenset({"Dockerfile"})
"""Files without a suffix that are shown, too."""
MAX_BYTES = 400_000


@dataclass(frozen=True)
class SourceFile:
    """One file, highlighted."""

    path: str
    html: str
    """Safe: made by the highlighter from escaped text; each line has the anchor `line-<number>`."""
    lines: int


@lru_cache(maxsize=128)
def source_file(path: str) -> SourceFile:
    """A text file below the reference platform's folder. Raises NotFound for anything else."""
    base = ROOT / SHOWN
    target = (ROOT / path).resolve()
    known = target.suffix in SUFFIXES or target.name in NAMES
    readable = target.is_relative_to(base) and known and target.is_file()
    if not readable or target.stat().st_size > MAX_BYTES:
        raise NotFound("There is no such file in the reference platform.")
    text = target.read_text(encoding="utf-8", errors="replace")
    try:
        lexer = get_lexer_for_filename(target.name)
    except ClassNotFound:
        lexer = TextLexer()
    formatter = HtmlFormatter(cssclass="highlight", anchorlinenos=True, lineanchors="line", linenos="inline")
    return SourceFile(path=path, html=highlight(text, lexer, formatter), lines=text.count("\n"))
