"""Functions that the notebook gives and checks work by: what they answer while the learner has left their cells as they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from labs.checks import LabUnderTest, require


def given_list(
    lab: LabUnderTest, function: str, *arguments: Any, count: int, timeout: float = 10.0
) -> list[Any]:
    """The answer of a function that gives a list of `count` things. Fails the task when it is none."""
    answer = lab.call(function, *arguments, timeout=timeout)
    require(isinstance(answer, list) and len(answer) == count, _changed(function))
    assert isinstance(answer, list)
    return answer


def given_dict(
    lab: LabUnderTest, function: str, *arguments: Any, names: Collection[str] = (), timeout: float = 10.0
) -> dict[str, Any]:
    """The answer of a function that gives a dictionary with these `names` in it. Fails the task when it is none."""
    answer = lab.call(function, *arguments, timeout=timeout)
    require(isinstance(answer, dict) and set(names) <= set(answer), _changed(function))
    assert isinstance(answer, dict)
    return answer


def require_commands(told: Mapping[str, Any], function: str, client: str = "client") -> None:
    """Require that the learner's function sent a command by the client that it got: `told["commands"]` counts them."""
    require(
        told["commands"],
        f"{function} sent no command by the client that it was given. Use `{client}`, not one of your own.",
    )


def _changed(function: str) -> str:
    return f"{function} does not answer as it should: restore the cell that defines it."
