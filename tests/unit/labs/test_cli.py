"""`python -m labs`: exit status, and one document on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labs import build, catalogue, cli, cli_parts
from labs.catalogue import Lab
from labs.notebook import dumps
from sandboxes.drivers import Choice
from sandboxes.interface import DriverUnavailable, ProgressListener, Sandbox, SandboxSpec
from tests.unit.labs.conftest import write_lab
from tests.unit.labs.fake_driver import FakeDriver

Invoke = Callable[..., Result]


@pytest.fixture
def run(lab_folder: Path, driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Call the command line on one small lab, with the driver without processes."""
    monkeypatch.setattr(catalogue, "CONTENT_ROOT", lab_folder.parent)
    monkeypatch.setattr(build, "NOTEBOOKS_ROOT", tmp_path / "notebooks")
    monkeypatch.setattr(cli_parts, "choose_driver", lambda name, run_dir: Choice("local", "a test"))
    monkeypatch.setattr(cli_parts, "open_driver", lambda name, run_dir: driver)
    return lambda *arguments: CliRunner().invoke(cli.main, [str(one) for one in arguments])


@pytest.fixture
def notebook(lab: Lab, tmp_path: Path) -> Path:
    """A file with the solution."""
    path = tmp_path / "solution.ipynb"
    path.write_text(dumps(lab.source.solution()))
    return path


def test_list_names_labs_and_exits_1_when_there_are_faults(run: Invoke, lab_folder: Path) -> None:
    result = run("list", "--json")
    assert result.exit_code == 0
    assert [lab["id"] for lab in json.loads(result.stdout)["labs"]] == ["tiny"]
    (write_lab(lab_folder.parent, "other") / "lab.yaml").write_text("id: 7\n")
    result = run("list", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["faults"][0]["line"] == 1
    assert "Tiny lab" in run("list").stdout


def test_build_writes_what_is_stale_and_check_only_tells(run: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "notebooks" / "tiny.ipynb"
    assert run("build", "--check").exit_code == 1
    assert not path.exists()
    assert json.loads(run("build", "--json").stdout)["written"] == ["tiny.ipynb"]
    assert run("build", "--check").exit_code == 0
    path.write_text("{}")
    assert run("build").exit_code == 1
    assert path.read_text() == "{}"
    assert run("build", "--force").exit_code == 0


def test_grade_prints_one_document_and_exits_0_whatever_was_scored(
    run: Invoke, notebook: Path, tmp_path: Path
) -> None:
    result = run("grade", "tiny", notebook, "--seed", 5, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["score"], document["seed"]) == (0, 100, 5)
    empty = tmp_path / "empty.ipynb"
    empty.write_text("")
    result = run("grade", "tiny", empty, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["score"], document["notebook"]["status"]) == (0, 0, "invalid")


def test_grade_draws_a_seed_when_none_is_given(run: Invoke, notebook: Path) -> None:
    seeds = {json.loads(run("grade", "tiny", notebook, "--json").stdout)["seed"] for _ in range(3)}
    assert len(seeds) > 1


def test_grade_can_keep_the_notebook_as_it_ran(run: Invoke, notebook: Path, tmp_path: Path) -> None:
    run("grade", "tiny", notebook, "--executed", tmp_path / "ran.ipynb")
    assert json.loads((tmp_path / "ran.ipynb").read_text())["cells"][1]["execution_count"] == 1


def test_grade_for_people_shows_tasks_and_messages(run: Invoke, notebook: Path) -> None:
    result = run("grade", "tiny", notebook)
    assert result.exit_code == 0
    assert "100 of 100 points" in result.stdout
    assert "Adds any two numbers" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("grade", "huge", "NOTEBOOK"),
        ("grade", "tiny", "nothing.ipynb"),
        ("grade", "tiny"),
        ("verify", "huge"),
        ("nonsense",),
    ],
)
def test_a_wrong_call_exits_2_and_prints_nothing_on_standard_output(
    run: Invoke, notebook: Path, arguments: tuple[str, ...]
) -> None:
    result = run(*[notebook if one == "NOTEBOOK" else one for one in arguments])
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_broken_grader_exits_1_and_says_that_it_is_not_the_notebook(
    run: Invoke, notebook: Path, driver: FakeDriver
) -> None:
    driver.start_error = DriverUnavailable("Install PostgreSQL.")
    result = run("grade", "tiny", notebook, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == {
        "reason": "driver_unavailable",
        "message": "Install PostgreSQL.",
    }
    assert "not because of the notebook" in result.stderr


def test_verify_exits_1_with_the_reason_when_a_case_does_not_hold(run: Invoke, lab_folder: Path) -> None:
    result = run("verify", "tiny", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["holds"] is True
    path = lab_folder / "wrong_answers" / "first-only.md"
    path.write_text(path.read_text().replace("return a", "return b + a"))
    result = run("verify", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    wrong = next(case for case in document["labs"]["tiny"] if not case["holds"])
    assert (wrong["case"], wrong["problems"]) == ("wrong answer first-only", ["add passed and must be lost"])
    assert "add passed and must be lost" in run("verify").stdout.replace("\n", " ")


def test_verify_counts_the_faults_of_the_lab_too(run: Invoke, lab_folder: Path) -> None:
    (lab_folder / "wrong_answers" / "squares.md").unlink()
    result = run("verify", "tiny", "--json")
    assert result.exit_code == 1
    assert "it needs at least 2" in json.loads(result.stdout)["faults"][0]["message"]


def test_verify_writes_the_proof_of_a_lab_that_holds(run: Invoke, lab_folder: Path) -> None:
    assert run("verify", "tiny").exit_code == 0
    assert not (lab_folder / "proof.json").exists()
    result = run("verify", "tiny", "--write", "--driver", "local")
    assert result.exit_code == 0
    document = json.loads((lab_folder / "proof.json").read_text())
    assert set(document["drivers"]["fake"]) == {
        "solution", "starter", *(f"wrong answer {name}" for name in ("subtracts", "first-only", "adds-two", "squares"))
    }  # fmt: skip


def test_only_what_is_not_proven_is_proven_again(run: Invoke, lab_folder: Path) -> None:
    def graded() -> set[str]:
        return {
            case["case"]
            for case in json.loads(run("verify", "tiny", "--write", "--stale", "--json").stdout)["labs"]["tiny"]
        }

    assert len(graded()) == 6
    assert graded() == set()
    assert run("verify", "tiny", "--stale").exit_code == 0
    path = lab_folder / "wrong_answers" / "first-only.md"
    path.write_text(path.read_text().replace("return a", "return a + 0"))
    assert graded() == {"wrong answer first-only"}
    (lab_folder / "support.py").write_text("# changed\n")
    assert "solution" in graded()


def test_what_changed_while_it_was_graded_is_not_written(
    run: Invoke, lab_folder: Path, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = driver.start

    def start_and_change(spec: SandboxSpec, listener: ProgressListener) -> Sandbox:
        (lab_folder / "support.py").write_text(f"# {spec.labels['case']}\n")
        return start(spec, listener)

    monkeypatch.setattr(driver, "start", start_and_change)
    assert run("verify", "tiny", "--write", "--parallel", "1").exit_code == 0
    assert not (lab_folder / "proof.json").exists()


def test_what_does_not_hold_is_not_written(run: Invoke, lab_folder: Path) -> None:
    path = lab_folder / "wrong_answers" / "first-only.md"
    path.write_text(path.read_text().replace("return a", "return b + a"))
    assert run("verify", "tiny", "--write").exit_code == 1
    results = json.loads((lab_folder / "proof.json").read_text())["drivers"]["fake"]
    assert "wrong answer first-only" not in results
    assert len(results) == 5


def test_verify_takes_every_driver_that_works_here(
    run: Invoke, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_one(name: str, run_dir: Path) -> FakeDriver:
        if name == "docker":
            raise DriverUnavailable("No engine answers.")
        return driver

    monkeypatch.setattr(cli_parts, "choose_driver", lambda name, run_dir: Choice(name, "a test"))
    monkeypatch.setattr(cli_parts, "open_driver", open_one)
    result = run("verify", "tiny", "--driver", "every", "--json")
    assert result.exit_code == 0
    assert "The driver docker does not work here: No engine answers." in result.stderr
    assert {case["driver"] for case in json.loads(result.stdout)["labs"]["tiny"]} == {"fake"}
    monkeypatch.setattr(cli_parts, "DRIVERS", {"docker": ""})
    assert run("verify", "tiny", "--driver", "every").exit_code == 1


def test_a_sandbox_that_does_not_start_costs_its_case_and_not_the_others(
    run: Invoke, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = driver.start
    calls = 0

    def start_but_twice(spec: SandboxSpec, listener: ProgressListener) -> Sandbox:
        nonlocal calls
        if spec.labels["case"] == "starter":
            calls += 1
            raise DriverUnavailable("The machine is full.")
        return start(spec, listener)

    monkeypatch.setattr(driver, "start", start_but_twice)
    result = run("verify", "tiny", "--json")
    cases = {case["case"]: case for case in json.loads(result.stdout)["labs"]["tiny"]}
    assert result.exit_code == 1
    assert calls == 2, "it is tried once more"
    assert cases["starter"]["problems"] == ["could not be graded: The machine is full."]
    assert all(case["holds"] for name, case in cases.items() if name != "starter")
    assert "does not hold" in run("verify", "tiny").stdout


def test_mutate_tells_the_share_that_the_checks_notice(run: Invoke, lab_folder: Path) -> None:
    result = run("mutate", "tiny", "--json")
    (report,) = json.loads(result.stdout)["labs"]
    assert result.exit_code == 0
    assert (report["mutants"], report["tried"], report["killed_share"]) == (6, 6, 1.0)
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace("== [2 * number for number in numbers]", "!= []"))
    result = run("mutate", "tiny")
    assert result.exit_code == 1
    assert "33% killed, 85% must be" in result.stdout.replace("\n", " ")
    assert "+    return a * 3" in result.stdout


def test_mutants_that_are_listed_as_equivalent_are_not_counted(run: Invoke, lab_folder: Path) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace("== [2 * number for number in numbers]", "!= []"))
    survivors = [
        trial["mutant"]
        for trial in json.loads(run("mutate", "tiny", "--json").stdout)["labs"][0]["trials"]
        if trial["fate"] == "survived"
    ]
    entries = "".join(
        f"  - mutant: {mutant}\n    reason: The check of this test is weak.\n" for mutant in survivors
    )
    (lab_folder / "equivalent_mutants.yaml").write_text(f"equivalent:\n{entries}")
    result = run("mutate", "tiny", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["labs"][0]["equivalent"] == len(survivors) == 4
    (lab_folder / "equivalent_mutants.yaml").write_text(
        f"equivalent:\n{entries}  - mutant: m0123456789a\n    reason: Gone by now, or so.\n"
    )
    result = run("mutate", "tiny")
    assert result.exit_code == 1
    assert "no mutant of this lab" in result.stderr.replace("\n", " ")


def test_single_mutants_can_be_tried_and_all_can_be_listed(run: Invoke) -> None:
    listed = run("mutate", "tiny", "--list").stdout
    assert "6 mutants" in listed
    one = listed.split("+    return a * 3")[0].rsplit("double, constant", 1)[0].split()[-1]
    (report,) = json.loads(run("mutate", "tiny", "--only", one, "--json").stdout)["labs"]
    assert [trial["mutant"] for trial in report["trials"]] == [one]
    assert "+    return a * 3" in report["trials"][0]["diff"]


def test_a_hint_is_one_step_of_a_task(run: Invoke) -> None:
    document = json.loads(run("hint", "tiny", "add", "--step", "2", "--json").stdout)
    assert document == {
        "lab": "tiny",
        "task": "add",
        "title": "Add",
        "step": 2,
        "steps": 3,
        "text": "It is one operator.",
    }
    assert run("hint", "tiny", "double").stdout == "Think of times.\n"
    wrong = run("hint", "tiny", "none")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "add, double" in wrong.stderr


def test_the_driver_is_closed_at_the_end(run: Invoke, notebook: Path, driver: FakeDriver) -> None:
    run("grade", "tiny", notebook)
    assert driver.running() == []
