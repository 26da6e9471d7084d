"""Functions that the notebook gives and checks work by."""

from __future__ import annotations

import time
from unittest.mock import Mock, call, create_autospec

import pytest

from labs.checks import CheckFailed
from labs.given_cells import given_dict, given_list, require_commands
from labs.under_test import LabUnderTest
from sandboxes.interface import JSON, Sandbox

CHANGED = "^ask_all does not answer as it should: restore the cell that defines it.$"


@pytest.fixture
def sandbox() -> Mock:
    made: Mock = create_autospec(Sandbox)
    return made


@pytest.fixture
def lab(sandbox: Mock) -> LabUnderTest:
    return LabUnderTest(sandbox, task="limit", seed=1, deadline=time.monotonic() + 60)


def test_a_list_of_so_many_things(lab: LabUnderTest, sandbox: Mock) -> None:
    sandbox.call.return_value = [3, None]
    assert given_list(lab, "ask_all", "key", 7, count=2, timeout=4.0) == [3, None]
    assert sandbox.call.call_args == call("ask_all", "key", 7, timeout=4.0)


@pytest.mark.parametrize("answer", [None, "ab", {"a": 1, "b": 2}, [1], [1, 2, 3]])
def test_what_is_no_list_of_so_many_things(lab: LabUnderTest, sandbox: Mock, answer: JSON) -> None:
    sandbox.call.return_value = answer
    with pytest.raises(CheckFailed, match=CHANGED):
        given_list(lab, "ask_all", count=2)


def test_a_dictionary_with_names_may_have_more(lab: LabUnderTest, sandbox: Mock) -> None:
    sandbox.call.return_value = {"answer": None, "commands": 2, "more": 1}
    assert given_dict(lab, "ask_all", 7, names=("answer", "commands"), timeout=4.0)["commands"] == 2
    assert sandbox.call.call_args == call("ask_all", 7, timeout=4.0)


@pytest.mark.parametrize("answer", [None, "answer", ["answer"], {}, {"answers": 1}])
def test_what_is_no_dictionary_with_the_names(lab: LabUnderTest, sandbox: Mock, answer: JSON) -> None:
    sandbox.call.return_value = answer
    with pytest.raises(CheckFailed, match=CHANGED):
        given_dict(lab, "ask_all", names=("answer",))


def test_a_command_by_the_client_is_required() -> None:
    require_commands({"commands": 1}, "acquire")
    with pytest.raises(
        CheckFailed, match=r"^acquire sent no command by .* Use `cache`, not one of your own\.$"
    ):
        require_commands({"commands": 0}, "acquire", "cache")
