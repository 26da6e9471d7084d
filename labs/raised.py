"""What may be told of an exception that the learner's code raised while it worked on hidden inputs.

Its class and its text are the learner's to choose, so they could carry the hidden inputs out. Told are only the names of
classes that Python, our libraries or the notebook's own text know, and sentences of Python's and PostgreSQL's whose names all
stand in the notebook's text: what a mistake in the code sounds like, and nothing that depends on a value.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterable
from http import HTTPStatus

import httpx
from psycopg import errors as pg
from redis import exceptions as of_redis

MAX_CHARACTERS = 500
NO_JSON = "the result can't be written as JSON: "
"""How the bridge in the kernel begins what it says of a result that it can't pass on (`sandboxes/agent/kernel_bridge.py`)."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_CLASSES = frozenset(
    name
    for module in (builtins, pg, httpx, of_redis)
    for name, value in vars(module).items()
    if isinstance(value, type)
) | {"JSONDecodeError", "CalledProcessError", "Empty", "Full", "InvalidOperation", "PoolTimeout", "KernelError"}
_TYPES = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type)) | {
    "NoneType", "function", "method", "module", "generator", "coroutine", "builtin_function_or_method", "dict_keys",
    "dict_values", "dict_items", "Decimal", "UUID", "datetime", "date", "Connection", "Cursor", "Response", "Client",
}  # fmt: skip
# ‹N› stands for a name, ‹#› for a small number; the rest is a regular expression.
_SENTENCES = (
    r"name '‹N›' is not defined",
    r"cannot access (?:local|free) variable '‹N›' where it is not associated with a value(?: in enclosing scope)?",
    r"unsupported operand type\(s\) for [-+*/%&|^@<>=]{1,3}(?: or pow\(\))?: '‹N›' and '‹N›'",
    r"bad operand type for (?:unary [-+~]|abs\(\)): '‹N›'",
    r"'[<>=]{1,2}' not supported between instances of '‹N›' and '‹N›'",
    r'can only concatenate ‹N› \(not "‹N›"\) to ‹N›',
    r"'‹N›' object is not (?:callable|iterable|subscriptable|an iterator|reversible)",
    r"'‹N›' object does not support (?:item assignment|item deletion|the (?:asynchronous )?context manager protocol)",
    r"'‹N›' object cannot be interpreted as an integer",
    r"(?:'‹N›' object|type object '‹N›'|module '‹N›') has no attribute '‹N›'",
    r"(?:‹N›\.)?‹N›\(\) missing ‹#› required (?:positional|keyword-only) arguments?: '‹N›'(?:(?:,| and|, and) '‹N›')?",
    r"(?:‹N›\.)?‹N›\(\) takes (?:from ‹#› to )?‹#› positional arguments? but ‹#› (?:was|were) given",
    r"(?:‹N›\.)?‹N›\(\) got an unexpected keyword argument '‹N›'",
    r"‹N› expected (?:at (?:most|least) )?‹#› arguments?, got ‹#›",
    r"(?:list|tuple|string|byte) indices must be integers(?: or slices)?, not '?‹N›'?",
    r"(?:list|tuple|string|pop) (?:assignment )?index out of range",
    r"pop from (?:an )?empty (?:list|set|deque)",
    r"(?:integer |float |complex )?(?:division or |floor )?(?:division|modulo) by zero",
    r"(?:too many|not enough) values to unpack \(expected (?:at least )?‹#›(?:, got ‹#›)?\)",
    r"cannot unpack non-iterable ‹N› object",
    r"object of type '‹N›' has no len\(\)",
    r"argument of type '‹N›' is not iterable",
    r"unhashable type: '‹N›'",
    r"(?:max|min)\(\) (?:arg is an|iterable argument is) empty(?: sequence)?",
    r"dictionary (?:changed size|keys changed) during iteration",
    r"maximum recursion depth exceeded(?: (?:while calling a Python object|in comparison))?",
    r"No module named '‹N›'",
    r"cannot import name '‹N›' from '‹N›'",
    r"the notebook defines no '‹N›'",
    r"'‹N›' is not a function",
    NO_JSON + r"Object of type ‹N› is not JSON serializable",
    NO_JSON + r"Out of range float values are not JSON compliant",
    NO_JSON + r"Circular reference detected",
    NO_JSON + r"keys must be str, int, float, bool or None, not ‹N›",
    r"The kernel gave an answer that makes no sense\.",
    r'(?:relation|column|function|schema|type|role|constraint|index) "?‹N›"? (?:of relation "‹N›" )?does not exist',
    r'syntax error at or near "‹N›"',
    r'new row for relation "‹N›" violates check constraint "‹N›"',
    r'(?:duplicate key value|insert or update on table "‹N›"|update or delete on table "‹N›") violates '
    r'(?:unique|foreign key) constraint "‹N›"(?: on table "‹N›")?',
    r'null value in column "‹N›" of relation "‹N›" violates not-null constraint',
    r"deadlock detected",
    r"could not serialize access due to (?:concurrent (?:update|delete)|read/write dependencies among transactions)",
    r"canceling statement due to (?:lock|statement) timeout",
    r"current transaction is aborted, commands ignored until end of transaction block",
    r"the (?:connection|cursor) is closed",
    r"WRONGTYPE Operation against a key holding the wrong kind of value",
    r"wrong number of arguments for '‹N›' command",
    r"value is not an integer or out of range",
    r"invalid expire time in '‹N›' command",
    r"Timeout reading from socket|Too many connections",
    r"timed out|Connection refused|\[Errno ‹#›\] Connection refused|All connection attempts failed",
)  # fmt: skip
_NAME = r"([A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,3})"
_PATTERNS = tuple(
    re.compile(sentence.replace("‹N›", _NAME).replace("‹#›", r"\d{1,2}")) for sentence in _SENTENCES
)
_ANSWERED = re.compile(r"(?:Client|Server) error '(\d{3}) ")


def words_of(sources: Iterable[str]) -> frozenset[str]:
    """Every name in these pieces of code."""
    return frozenset(word for source in sources for word in _WORD.findall(source))


class Telling:
    """Decides what is told, by the words of one notebook."""

    def __init__(self, words: Collection[str] = ()) -> None:
        self.words = words

    def name(self, name: str) -> str:
        """The name of an exception's class; `Exception` for one that nobody knows."""
        return name if name in _CLASSES or name in self.words else "Exception"

    def text(self, text: str) -> str:
        """An exception's text as far as it is told; empty when it is not."""
        first = (text.strip().splitlines() or [""])[0]
        if len(first) > MAX_CHARACTERS:
            return ""
        if answered := _ANSWERED.match(first):
            return _answered(int(answered[1]))
        for pattern in _PATTERNS:
            found = pattern.fullmatch(first)
            if found and all(self._known(name) for name in found.groups() if name):
                return first
        return ""

    def error(self, error: str) -> str:
        """`Name: text` of a call, as far as it is told."""
        name, _, text = error.partition(": ")
        told = self.text(text)
        return f"{self.name(name)}: {told}" if told else self.name(name)

    def _known(self, dotted: str) -> bool:
        return all(part in self.words or part in _TYPES for part in dotted.split("."))


def _answered(code: int) -> str:
    """How a service answered, without the address that was asked."""
    try:
        return f"a service answered {code} {HTTPStatus(code).phrase}"
    except ValueError:
        return ""
