"""Formulae of authors: arithmetic over named numbers, evaluated without ever running code.

simpleeval walks the parsed expression; here it gets numbers, comparisons, a choice (`a if b else c`) and a dozen
functions, and nothing else: no attributes, no indexing, no text functions. Lengths, exponents and every intermediate
result are bounded, so that a formula takes microseconds or is refused.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from question_bank.schema import QuestionBankError

Value = int | float | str | bool
"""What a parameter can be; only numbers can be calculated with."""

MAX_FORMULA = 300
MAX_MAGNITUDE = 1e15
_MAX_NODES = 120
_MAX_EXPONENT = 64


class FormulaError(QuestionBankError):
    """A formula that can't be read, or has no finite value; the message says why."""


def evaluate(formula: str, names: Mapping[str, Value]) -> Value:
    """What a formula comes to. Raises `FormulaError`."""
    evaluator = _evaluator(names)
    try:
        result = evaluator.eval(formula, previously_parsed=_parsed(formula))
    except FormulaError as error:
        raise FormulaError(f"`{formula}`: {error}") from error
    except ZeroDivisionError as error:
        raise FormulaError(f"`{formula}`: it divides by zero") from error
    except InvalidExpression as error:
        raise FormulaError(f"`{formula}`: {_in_words(error)}") from error
    except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise FormulaError(f"`{formula}`: it has no value here ({error})") from error
    if not isinstance(result, int | float | str):
        raise FormulaError(f"`{formula}`: it comes to no number")
    return result if isinstance(result, bool | str) else _bounded(result)


@lru_cache(maxsize=4_000)
def _parsed(formula: str) -> ast.expr:
    if len(formula) > MAX_FORMULA:
        raise FormulaError(f"it is longer than {MAX_FORMULA} characters")
    try:
        tree = ast.parse(formula.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FormulaError("it is no formula; write one such as `rate * seconds / 60`") from error
    if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
        raise FormulaError("it has too many parts: split it into several parameters")
    return tree.body


def _evaluator(names: Mapping[str, Value]) -> SimpleEval:
    evaluator = SimpleEval(operators=_OPERATORS, functions=FUNCTIONS, names=dict(names))
    evaluator.nodes = {kind: visit for kind, visit in evaluator.nodes.items() if kind in _NODES}
    return evaluator


def _numbers(work: Callable[..., Any]) -> Callable[..., Any]:
    """The work on numbers alone, its result bounded."""

    def checked(*values: Any) -> Any:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise FormulaError("it calculates with something that is no number")
        return _bounded(work(*values))

    return checked


def _bounded(result: Any) -> Any:
    if isinstance(result, complex) or not abs(result) <= MAX_MAGNITUDE:  # true of NaN as well
        raise FormulaError("its value is not finite, or beyond 10^15")
    return result


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > _MAX_EXPONENT:
        raise FormulaError(f"an exponent is beyond {_MAX_EXPONENT}")
    if abs(base) > 1 and abs(exponent) * math.log10(abs(base)) > 16:
        raise FormulaError("its value is not finite, or beyond 10^15")
    return base**exponent


def _round(value: float, digits: float = 0) -> float:
    """Rounds halves up, as people do on paper."""
    if not 0 <= digits <= 9:
        raise FormulaError("`round` takes 0 to 9 digits")
    scale = 10 ** int(digits)
    rounded = math.floor(value * scale + 0.5) / scale
    return int(rounded) if digits == 0 else rounded


_WORKS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": lambda value: math.ceil(round(value, 9)),  # 0.1 * 30 is three, not a hair more
    "floor": lambda value: math.floor(round(value, 9)),
    "round": _round,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log2": math.log2,
    "log10": math.log10,
}
FUNCTIONS = {name: _numbers(work) for name, work in _WORKS.items()}
"""The functions that formulae may call."""

_OPERATORS: dict[Any, Callable[..., Any]] = {
    **{
        kind: _numbers(DEFAULT_OPERATORS[kind])
        for kind in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd)
    },
    ast.Pow: _numbers(_power),
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _numbers(operator.lt),
    ast.LtE: _numbers(operator.le),
    ast.Gt: _numbers(operator.gt),
    ast.GtE: _numbers(operator.ge),
}
_NODES = frozenset(
    {
        ast.Expr,
        ast.UnaryOp,
        ast.BinOp,
        ast.BoolOp,
        ast.Compare,
        ast.IfExp,
        ast.Call,
        ast.Name,
        ast.Constant,
    }
)


def _in_words(error: InvalidExpression) -> str:
    name = getattr(error, "name", None) or getattr(error, "func_name", None)
    if name:
        return f"there is no parameter or function `{name}`"
    return f"formulae have no such thing ({type(error).__name__}); use arithmetic, comparisons and {', '.join(FUNCTIONS)}"
