"""The benchmarks' own parts that need no sandbox."""

from __future__ import annotations

import json

import pytest

from bench.cli import main
from bench.nbgrader import TESTS
from bench.product import LAB
from bench.result import compare, percentile
from bench.worker import LABS, bench_content
from labs.catalogue import load
from tests.unit.labs.conftest import proven
from tests.unit.labs.fake_driver import FakeDriver


def test_percentiles_are_values_that_were_measured() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 3.0, 5.0, 5.0]
    assert percentile([1.0, 2.0], 0.5) == 1.0


def test_a_comparison_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    compare("launch", "warm", [0.1, 0.2, 0.3], [1.0, 2.0, 3.0], budget=0.25, hits=3)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "bench": "launch", "case": "warm", "unit": "s", "ours": 0.2, "floor": 2.0, "ratio": 0.1, "budget": 0.25,
        "ours_p95": 0.3, "floor_p95": 3.0, "rounds": 3, "hits": 3,
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [["nothing"], ["grade", "--rounds", "0"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_the_lab_of_the_benchmarks_is_sound_and_judges_as_it_says() -> None:
    catalogue = load(LABS)
    assert catalogue.faults == ()
    lab = catalogue.labs[LAB]
    proofs = proven(lab, FakeDriver())
    assert [problem for proof in proofs for problem in proof.problems] == []
    assert len(proofs) == 2 + 10
    assert set(TESTS) == {task.id for task in lab.tasks}


def test_the_product_does_not_offer_it() -> None:
    assert LAB in bench_content().labs.labs
    assert LAB not in load().labs
