"""Changes of SQL, and of Lua for Redis, that stand as texts in a program.

They are found in the text itself, by words and brackets, and are such that what comes out is still a statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labs.mutation.change import FLIPPED, Change

_STATEMENT = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE|LOCK|MERGE|SET|BEGIN|EXPLAIN|DO|REFRESH)\s"
)
_LUA = re.compile(r"redis\.p?call\s*\(")
_QUOTED = re.compile(r"'(?:[^'\n]|'')*'|--[^\n]*")
_NUMBER = re.compile(r"(?<![\w.$%(\"])\d+(?![\w.%])")
_COMPARISON = re.compile(r"(?<![<>=!:~\-|])(<>|!=|>=|<=|>|<)(?![<>=|@\-~])")
_END_OF_CONDITION = re.compile(
    r"\b(?:AND|OR|WHERE|GROUP\s+BY|ORDER\s+BY|HAVING|LIMIT|OFFSET|RETURNING|FOR\s+(?:UPDATE|SHARE|NO\s+KEY)|ON\s+CONFLICT|UNION|"
    r"WINDOW|THEN|ELSE|END|SET|VALUES|SELECT|LEFT\s+JOIN|JOIN|WHEN)\b|;|\"{3}|'{3}|\"",
    re.IGNORECASE,
)
_END_OF_SET = re.compile(r"\b(?:WHERE|FROM|RETURNING|ON\s+CONFLICT)\b|;|\"{3}|'{3}|\"", re.IGNORECASE)
_END_OF_ORDER = re.compile(
    r"\b(?:LIMIT|OFFSET|FOR\s+UPDATE|FOR\s+SHARE|RETURNING|ROWS|RANGE)\b|;|\"{3}|'{3}|\"", re.IGNORECASE
)
_LEFT_OUT = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b(?:\s+OF\s+\w+)?(?:\s+(?:SKIP\s+LOCKED|NOWAIT))?|\bSKIP\s+LOCKED\b|\bNOWAIT\b"
    r"|\bDISTINCT\b(?!\s+ON)|\bLIMIT\s+(?:\d+|%s|%\(\w+\)s)"
    r"|\bUNIQUE\b(?!\s*\()|(?<!\bIS )\bNOT\s+NULL\b|\bPRIMARY\s+KEY\b(?!\s*\()|\bREFERENCES\s+\w+(?:\s*\([^()]*\))?"
    r"|\bON\s+DELETE\s+(?:CASCADE|RESTRICT|SET\s+NULL)|\bNULLS\s+NOT\s+DISTINCT\b|\bINCLUDE\s*\([^()]*\)"
)
_SWAPPED = (
    (r"\bASC\b", "DESC"), (r"\bDESC\b", "ASC"), (r"\bIS\s+NOT\s+NULL\b", "IS NULL"), (r"\bIS\s+NULL\b", "IS NOT NULL"),
    (r"\bNOT\s+EXISTS\b(?=\s*\()", "EXISTS"), (r"(?<!NOT )\bEXISTS\b(?=\s*\()", "NOT EXISTS"),
    (r"\bNOT\s+IN\b", "IN"), (r"\bLEFT\s+JOIN\b", "JOIN"), (r"\bUNION\s+ALL\b", "UNION"), (r"\bBETWEEN\b", "NOT BETWEEN"),
    (r"\bmin(?=\s*\()", "max"), (r"\bmax(?=\s*\()", "min"), (r"\bsum(?=\s*\()", "max"), (r"\bgreatest(?=\s*\()", "least"),
    (r"\bleast(?=\s*\()", "greatest"), (r"(?<=\s)\+(?=\s)", "-"), (r"(?<=\s)-(?=\s)", "+"),
    (r"\bAND\b", "OR"), (r"\bOR\b(?!\s+REPLACE)", "AND"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"\bSERIALIZABLE\b", "READ COMMITTED"), (r"\bREPEATABLE\s+READ\b", "READ COMMITTED"),
)  # fmt: skip


def is_sql(text: str) -> bool:
    """Whether a text is SQL: it begins with one of its statements, in capitals."""
    return _STATEMENT.match(text.strip() + " ") is not None


def is_lua(text: str) -> bool:
    """Whether a text is a script for Redis."""
    return _LUA.search(text) is not None


def changes(text: str) -> list[Change]:
    """Every change of SQL; `text` may still have its quotation marks."""
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    found = [*_signs(text), *_words(text), *_conditions(text), *_assignments(text), *_clauses(text)]
    return [change for change in found if not any(start <= change.start < end for start, end in quoted)]


def lua_changes(text: str) -> list[Change]:
    """Every change of a Lua script."""
    found = [
        Change("Lua: comparison", match.start(), match.end(), other)
        for match in re.finditer(r"(?<![<>=~])(==|~=|>=|<=|>|<)(?!=)", text)
        for other in {**FLIPPED, "==": ("~=",), "~=": ("==",)}[match[0]]
    ]
    found += [
        Change(
            "Lua: arithmetic", match.start(), match.end(), {"+": "-", "-": "+", "*": "/", "/": "*"}[match[0]]
        )
        for match in re.finditer(r"(?<=\s)[-+*/](?=\s)", text)
    ]
    found += [
        Change("Lua: and, or", match.start(), match.end(), "or" if match[0] == "and" else "and")
        for match in re.finditer(r"\b(?:and|or)\b", text)
    ]
    found += [
        Change("Lua: condition turned round", match.start(), match.end(), "")
        for match in re.finditer(r"\bnot\s+", text)
    ]
    found += [
        Change("Lua: constant", match.start(), match.end(), str(int(match[0]) + step))
        for match in re.finditer(r"(?<![\w.\[\]\"])\d+(?![\w.\]])", text)
        for step in (1, -1)
    ]
    found += [
        Change("Lua: statement left out", match.start(1), match.end(1), "")
        for match in re.finditer(r"^[ \t]*(redis\.p?call\s*\([^\n]*\))[ \t]*$", text, re.MULTILINE)
    ]
    return found


def _signs(text: str) -> Iterator[Change]:
    for match in _COMPARISON.finditer(text):
        for other in {**FLIPPED, "<>": ("=",), "!=": ("=",)}[match[0]]:
            yield Change("SQL: comparison", match.start(), match.end(), other)
    for match in _NUMBER.finditer(text):
        value = int(match[0])
        yield Change("SQL: constant", match.start(), match.end(), str(value + 1))
        if value > 0:
            yield Change("SQL: constant", match.start(), match.end(), str(value - 1))


def _words(text: str) -> Iterator[Change]:
    for pattern, other in _SWAPPED:
        for match in re.finditer(pattern, text):
            if pattern.startswith(r"\bAND") and re.search(r"\bBETWEEN\s+\S+\s*$", text[: match.start()]):
                continue
            yield Change(f"SQL: {' '.join(match[0].split())} for {other}", match.start(), match.end(), other)
    for match in _LEFT_OUT.finditer(text):
        yield Change("SQL: clause left out", match.start(), match.end(), "")
        locked = re.search(r"\s+(?:SKIP\s+LOCKED|NOWAIT)$", match[0])
        if locked:
            yield Change("SQL: clause left out", match.start() + locked.start(), match.end(), "")


def _conditions(text: str) -> Iterator[Change]:
    """One part of a condition left out; one that is alone becomes true. An equality is turned round."""
    for match in re.finditer(r"\b(?:WHERE|AND|OR|ON|HAVING|WHEN|FILTER\s*\(\s*WHERE)\s+(?!CONFLICT\b)", text):
        if re.search(r"\bBETWEEN\s+\S+\s*$", text[: match.start()]) and match[0].startswith("AND"):
            continue
        end = _end(text, match.end(), _END_OF_CONDITION)
        part = text[match.end() : end].rstrip()
        if not part:
            continue
        neutral = "false" if match[0].startswith("OR") else "true"
        yield Change("SQL: condition left out", match.end(), match.end() + len(part), neutral)
        for sign in re.finditer(r"(?<=[\w)\s])=(?=[\s\w(%'])", part):
            if part[: sign.start()].count("(") == part[: sign.start()].count(")"):
                yield Change("SQL: comparison", match.end() + sign.start(), match.end() + sign.end(), "<>")


def _assignments(text: str) -> Iterator[Change]:
    """One of several columns that an UPDATE sets left out."""
    for match in re.finditer(r"\bSET\s+", text):
        end = _end(text, match.end(), _END_OF_SET)
        parts = _separated(text, match.end(), end)
        for index, (start, stop) in enumerate(parts if len(parts) > 1 else []):
            if index + 1 < len(parts):
                yield Change("SQL: assignment left out", start, parts[index + 1][0], "")
            else:
                yield Change("SQL: assignment left out", parts[index - 1][1], stop, "")


def _clauses(text: str) -> Iterator[Change]:
    for match in re.finditer(r"\bORDER\s+BY\s+", text):
        stop = match.end() + len(text[match.end() : _end(text, match.end(), _END_OF_ORDER)].rstrip())
        yield Change("SQL: clause left out", match.start(), stop, "")
        columns = _separated(text, match.end(), stop)
        for index in range(1, len(columns)):
            yield Change("SQL: column of the order left out", columns[index - 1][1], columns[index][1], "")
    for match in re.finditer(r"\bON\s+CONFLICT\b", text):
        stop = _end(text, match.end(), re.compile(r"\bRETURNING\b|;|\"{3}|'{3}|\"", re.IGNORECASE))
        yield Change(
            "SQL: clause left out", match.start(), match.start() + len(text[match.start() : stop].rstrip()), ""
        )
    for match in re.finditer(r"\bcoalesce\s*\(", text, re.IGNORECASE):
        stop = _end(text, match.end(), re.compile(r"(?!)"))
        parts = _separated(text, match.end(), stop)
        if len(parts) > 1:
            yield Change("SQL: coalesce left out", match.start(), stop + 1, text[parts[0][0] : parts[0][1]])
    for match in re.finditer(r",\s*(?:CONSTRAINT\s+\w+\s+)?(?:CHECK|UNIQUE|FOREIGN\s+KEY|EXCLUDE)\b", text):
        rest = _separated(text, match.start() + 1, _end(text, match.start() + 1, re.compile(r"(?!)")))
        yield Change("SQL: constraint left out", match.start(), rest[0][1], "")


def _end(text: str, start: int, ends: re.Pattern[str]) -> int:
    """Where a part that begins at `start` ends: before one of these words outside of brackets, or the bracket around it."""
    depth, index = 0, start
    while index < len(text):
        letter = text[index]
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth < 0:
                return index
        elif letter == "'":
            literal = _QUOTED.match(text, index)
            if literal and not text.startswith("'''", index):
                index = literal.end()
                continue
        if depth == 0 and (index == 0 or not text[index - 1].isalnum()) and ends.match(text, index):
            return index
        index += 1
    return len(text)


def _separated(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the parts lie that commas outside of brackets separate, without the spaces around them."""
    parts, depth, begin = [], 0, start
    for index in range(start, end + 1):
        letter = text[index] if index < end else ","
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            piece = text[begin:index]
            left = begin + len(piece) - len(piece.lstrip())
            if piece.strip():
                parts.append((left, left + len(piece.strip())))
            begin = index + 1
    return parts
