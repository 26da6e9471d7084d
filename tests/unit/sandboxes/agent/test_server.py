from __future__ import annotations

import pytest

from sandboxes.agent.server import _name, _number, _path_expression
from sandboxes.protocol import AgentError, ErrorKind


@pytest.mark.parametrize("expression", ["x", "shop.stock", "shop.stock['apple']", "rows[0][-1].name", " x "])
def test_names_with_attributes_and_indexes_are_expressions(expression: str) -> None:
    assert _path_expression(expression) == expression.strip()


@pytest.mark.parametrize(
    "expression", ["", "f()", "a + b", "x if y else z", "rows[i]", "rows[f()]", "(x := 1)", "x; y", 3, None]
)
def test_whatever_computes_is_none(expression: object) -> None:
    with pytest.raises(AgentError) as failure:
        _path_expression(expression)
    assert failure.value.kind is ErrorKind.INVALID


@pytest.mark.parametrize("name", ["", "a b", "f()", "a..b", "x" * 300, 1])
def test_a_function_is_named_by_identifiers(name: object) -> None:
    with pytest.raises(AgentError):
        _name({"function": name})


@pytest.mark.parametrize("value", [0, -1, True, "5", None, float("nan"), float("inf"), 11])
def test_a_number_has_bounds(value: object) -> None:
    with pytest.raises(AgentError):
        _number({"seconds": value}, "seconds", 10)
    assert _number({"seconds": 10}, "seconds", 10) == 10
