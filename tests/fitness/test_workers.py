"""Several workers share the tests by module; when nobody heeds the groups, nothing else says so."""

from __future__ import annotations

import os

import pytest


def test_a_test_is_sent_out_with_its_module(request: pytest.FixtureRequest) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests: nothing is shared out")
    assert request.node.nodeid.endswith("@tests/fitness/test_workers.py")


def test_a_tests_name_is_short(request: pytest.FixtureRequest) -> None:
    # It is in the environment of whatever a test starts; a long one ends in "Argument list too long".
    assert [item.nodeid[:200] for item in request.session.items if len(item.nodeid) > 1000] == []
