"""Changes of Python code, found in its syntax tree and made in its text, so that everything else stays as it was written.

What only people read is left alone: docstrings, annotations, the texts of errors and of what is printed or logged, names of
threads and connections; and so are time limits.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence

from labs.mutation import sql
from labs.mutation.change import ARITHMETIC, FLIPPED, Change

COSMETIC_NAMES = re.compile(
    r"(?:.*_)?(?:timeout|timeouts|timeout_ms|name|prefix|title|reason|description|message|application_name|daemon|chart|patience)"
)
"""Keyword arguments and keys whose values no check looks at."""
SPEAKING = {"print", "debug", "info", "warning", "error", "exception", "log"}
WAITING = {"sleep", "wait", "join", "poll"}
"""Calls whose numbers are times."""
SWAPPED_CALLS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "ceil": "floor",
    "floor": "ceil",
}
MOST_TEXT = 60
"""Texts that are longer are not emptied: they are prose, or code of another language."""


def changes(code: str) -> list[Change]:
    """Every change of this code; none when it is not Python by itself."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return []
    return list(_Finder(code, tree).found())


class _Finder:
    """Walks through a tree that knows its parents."""

    def __init__(self, code: str, tree: ast.Module) -> None:
        self.code = code
        self.tree = tree
        self.lines = _line_starts(code)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.silent: set[ast.AST] = set()
        """Nodes of which nothing is changed."""
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        for node in ast.walk(tree):
            for part in _not_looked_at(node):
                self.silent.update(ast.walk(part))

    def found(self) -> Iterator[Change]:
        for node in ast.walk(self.tree):
            if node in self.silent:
                continue
            yield from self.statement(node) if isinstance(node, ast.stmt) else ()
            yield from self.expression(node) if isinstance(node, ast.expr) else ()
            if isinstance(node, ast.ExceptHandler):
                yield self.whole_block("error let through", node.body, "raise")
            if isinstance(node, ast.comprehension):
                for condition in node.ifs:
                    yield self.replaced("condition left out", condition, "True")

    # ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────

    def statement(self, node: ast.stmt) -> Iterator[Change]:
        match node:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Expr() | ast.Raise() | ast.Delete() | ast.Continue() | ast.Break():
                yield self.replaced("statement left out", node, "pass")
            case ast.Return(value=value) if value is not None:
                if not (isinstance(value, ast.Constant) and value.value is None):
                    yield self.replaced("nothing returned", value, "None")
            case ast.Return() if node is not self.tree.body[-1]:
                yield self.replaced("statement left out", node, "pass")
            case ast.AugAssign(op=operator, target=target, value=value):
                yield self.replaced("statement left out", node, "pass")
                sign = _OPERATORS.get(type(operator))
                if sign in ARITHMETIC:
                    yield self.between("arithmetic", target, value, f"{sign}=", f"{ARITHMETIC[sign]}=")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self.replaced("statement left out", node, "pass")
            case ast.For(iter=source):
                yield self.replaced("loop never entered", source, "()")
            case ast.With(items=items) if all(item.optional_vars is None for item in items):
                first, last = items[0].context_expr, items[-1].context_expr
                # A lock, a transaction: the block runs without it.
                start, end = self.place(node)[0], self.place(last)[1]
                if self.code[self.place(first)[0] - 1] != "(":
                    yield Change("context left out", start, end, "if True")
            case ast.Try(finalbody=body) if body:
                yield self.whole_block("clean-up left out", body, "pass")
            case ast.If(test=test) | ast.While(test=test):
                yield from self.condition(test)
            case _:
                pass
        if isinstance(node, ast.Continue | ast.Break):
            yield self.replaced(
                "break for continue", node, "break" if isinstance(node, ast.Continue) else "continue"
            )

    def condition(self, test: ast.expr) -> Iterator[Change]:
        if isinstance(test, ast.Constant):
            return
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return  # the `not` is taken away below
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return  # the comparison is turned round below
        yield self.replaced("condition turned round", test, f"not ({self.text(test)})")

    # ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def expression(self, node: ast.expr) -> Iterator[Change]:
        match node:
            case ast.Compare(left=left, ops=operators, comparators=others):
                for before, operator, after in zip([left, *others], operators, others, strict=False):
                    sign = _COMPARISONS[type(operator)]
                    for other in FLIPPED[sign]:
                        yield self.between("comparison", before, after, sign, other)
            case ast.BinOp(left=left, op=operator, right=right):
                sign = _OPERATORS.get(type(operator), "")
                if sign in ARITHMETIC and not (sign == "%" and _is_text(left)):
                    yield self.between("arithmetic", left, right, sign, ARITHMETIC[sign])
            case ast.BoolOp(op=operator, values=values):
                sign, other = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for before, after in itertools.pairwise(values):
                    yield self.between("and, or", before, after, sign, other)
                for value in values:
                    neutral = "True" if sign == "and" else "False"
                    yield self.replaced("condition left out", value, neutral)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self.replaced("condition turned round", node, f"({self.text(operand)})")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                yield self.replaced("sign", node, f"({self.text(operand)})")
            case ast.IfExp(test=test):
                yield from self.condition(test)
            case ast.Call():
                yield from self.call(node)
            case ast.Dict(keys=keys, values=values) if len(keys) > 1:
                for index in range(len(keys)):
                    yield self.entry_left_out("entry left out", [key or value for key, value in zip(keys, values, strict=True)],
                                              values, index)  # fmt: skip
            case ast.Constant() if not isinstance(self.parents.get(node), ast.JoinedStr | ast.Expr):
                yield from self.constant(node)
            case ast.JoinedStr() if not isinstance(self.parents.get(node), ast.JoinedStr | ast.FormattedValue):
                yield from self.embedded(node)
            case _:
                pass

    def call(self, node: ast.Call) -> Iterator[Change]:
        name = _called(node)
        if name in SWAPPED_CALLS and node.args:
            end = self.place(node.func)[1]
            other = SWAPPED_CALLS[name]
            if other != "list" or not node.keywords:
                yield Change("another function", end - len(name), end, other)
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is None or COSMETIC_NAMES.fullmatch(keyword.arg):
                continue
            parts: list[ast.AST] = [*node.args, *node.keywords]
            yield self.entry_left_out("argument left out", parts, parts, len(node.args) + index)

    def constant(self, node: ast.Constant) -> Iterator[Change]:
        value = node.value
        if isinstance(value, bool):
            yield self.replaced("constant", node, str(not value))
        elif isinstance(value, int):
            yield self.replaced("constant", node, str(value + 1))
            if value > 0:
                yield self.replaced("constant", node, str(value - 1))
        elif isinstance(value, float):
            yield self.replaced("constant", node, repr(value + 1))
        elif isinstance(value, str) and (sql.is_sql(value) or sql.is_lua(value)):
            yield from self.embedded(node)
        elif (
            isinstance(value, str)
            and 0 < len(value) <= MOST_TEXT
            and "\n" not in value
            and not self.is_key(node)
        ):
            yield self.replaced("constant", node, '""')
        elif isinstance(value, bytes) and value:
            yield self.replaced("constant", node, 'b""')

    def is_key(self, node: ast.Constant) -> bool:
        """Whether a text names an entry: without it there is an error at once, which says nothing about checks."""
        parent = self.parents.get(node)
        return isinstance(parent, ast.Subscript) or (isinstance(parent, ast.Dict) and node in parent.keys)

    def embedded(self, node: ast.expr) -> Iterator[Change]:
        """Changes of SQL or Lua that a text holds, or of the values in it."""
        start, _ = self.place(node)
        text = self.text(node)
        content = re.sub(r"""^[rRbBfFuU]*("{3}|'{3}|"|')""", "", text)
        if sql.is_lua(content):
            yield from (change.moved(start) for change in sql.lua_changes(text))
        elif sql.is_sql(content):
            yield from (change.moved(start) for change in sql.changes(text))
        elif isinstance(node, ast.JoinedStr):
            # Python 3.11 doesn't know the places of an f-string's parts.
            for part in re.finditer(r"(?<!\{)\{[^{}]+\}(?!\})", text):
                yield Change("part of a text left out", start + part.start(), start + part.end(), "")

    # ── places in the text ───────────────────────────────────────────────────────────────────────────────────────────

    def place(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends in the code."""
        assert isinstance(node, ast.stmt | ast.expr | ast.keyword)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def offset(self, line: int, column: int) -> int:
        """A place in the code of what the tree counts in bytes of UTF-8."""
        start = self.lines[line - 1]
        end = self.lines[line] if line < len(self.lines) else len(self.code)
        return start + len(self.code[start:end].encode()[:column].decode(errors="ignore"))

    def text(self, node: ast.AST) -> str:
        start, end = self.place(node)
        return self.code[start:end]

    def replaced(self, operator: str, node: ast.AST, text: str) -> Change:
        return Change(operator, *self.place(node), text)

    def between(self, operator: str, left: ast.AST, right: ast.AST, sign: str, other: str) -> Change:
        """Another sign between two nodes."""
        start, end = self.place(left)[1], self.place(right)[0]
        pattern = r"\s+".join(re.escape(word) for word in sign.split())
        found = re.search(
            rf"\b{pattern}\b" if sign.isidentifier() or " " in sign else pattern, self.code[start:end]
        )
        if found is None:
            return Change(operator, start, start, "")
        return Change(operator, start + found.start(), start + found.end(), other)

    def whole_block(self, operator: str, body: list[ast.stmt], text: str) -> Change:
        return Change(operator, self.place(body[0])[0], self.place(body[-1])[1], text)

    def entry_left_out(
        self, operator: str, begins: Sequence[ast.AST], ends: Sequence[ast.AST], index: int
    ) -> Change:
        """One of several parts that commas separate."""
        start, end = self.place(begins[index])[0], self.place(ends[index])[1]
        if index + 1 < len(begins):
            end = self.place(begins[index + 1])[0]
        elif index > 0:
            start = self.place(ends[index - 1])[1]
        return Change(operator, start, end, "")


def _not_looked_at(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of a node that only people read, or that are time limits."""
    match node:
        case ast.Raise(exc=ast.Call() as error):
            yield error
        case ast.Expr(value=ast.Call() as call) if _called(call) in SPEAKING:
            yield node
        case ast.Expr(value=ast.Constant(value=str())):
            yield node
        case ast.Call() if _called(node) in WAITING:
            yield from (
                part
                for part in [*node.args, *(word.value for word in node.keywords)]
                if isinstance(part, ast.Constant)
            )
        case ast.keyword(arg=str(name), value=value) if COSMETIC_NAMES.fullmatch(name):
            yield value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and COSMETIC_NAMES.fullmatch(str(key.value))
                    and isinstance(value, ast.Constant)
                ):
                    yield value
        case ast.arg(annotation=annotation) if annotation is not None:
            yield annotation
        case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns) if returns is not None:
            yield returns
        case ast.AnnAssign(annotation=annotation):
            yield annotation
        case ast.Assert(msg=message) if message is not None:
            yield message
        case _:
            pass


def _called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _line_starts(code: str) -> list[int]:
    starts = [0]
    for found in re.finditer("\n", code):
        starts.append(found.end())
    return starts


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitAnd: "&",
}  # fmt: skip
