"""Every attack of the corpus on the real drivers: it ends in a clear result, gains nothing, and harms nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labs.catalogue import Catalogue
from labs.grader import grade, new_seed
from labs.notebook import dumps
from labs.report import NotebookStatus, Report, TaskStatus
from portal.work.workspaces import NotebookUnreadable, Workspaces
from tests.attacks.conftest import Place
from tests.attacks.corpus import Attack, load
from tests.attacks.host import Host, Watched, taken
from tests.attacks.seen import secrets_in, seen, what_acts

SECRETS = ["CANARY-CHECK-90c1f2a7", "CANARY-INPUT-4be07d53", "CANARY-EXPECTED-b1a6c8d2"]
CORPUS = load()


HARMFUL = ("exhaust", "escape", "reach")
"""Kinds of attack that the driver itself has to withstand, so they are run on each. Others aim at the grader, which is the
same on any driver: those are run on one of them."""


def _drivers(attack: Attack) -> tuple[str, ...]:
    return ("docker", "local") if attack.local else ("docker",)


def _cases() -> list[object]:
    cases = []
    for attack in CORPUS:
        for driver in _drivers(attack):
            if attack.hand_in is not None:
                continue
            marks = [
                pytest.mark.docker if driver == "docker" else pytest.mark.postgres,
                pytest.mark.xdist_group(f"attacks on {driver}"),
            ]
            if attack.path.parent.name not in HARMFUL:
                marks.append(pytest.mark.one_driver)
            if attack.needs:
                marks.append(pytest.mark.xfail(reason=f"needs {attack.needs}", strict=False))
            cases.append(pytest.param(driver, attack, marks=marks, id=f"{driver}-{attack.name}"))
    return cases


@pytest.mark.parametrize(("driver", "attack"), _cases())
def test_nothing_is_gained(
    labs: Catalogue, host: Host, place: Callable[[str], Place], driver: str, attack: Attack
) -> None:
    lab = labs.labs[attack.lab]
    if attack.seconds is not None:
        limits = lab.manifest.limits.model_copy(update={"total_seconds": attack.seconds})
        lab = replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))
    here = place(driver)
    watched = Watched(here.driver)
    with here.neighbour.beside(attack.path.parent.name):
        report = grade(lab, attack.notebook(lab, host.known()), seed=new_seed(), driver=watched)
    assert problems(report, attack, attack.may_earn(lab), [*SECRETS, host.secret]) == []
    assert host.harm(watched) == []
    assert taken(here.neighbour.harm) == []


@pytest.mark.parametrize(
    "attack", [pytest.param(each, id=each.name) for each in CORPUS if each.hand_in is not None]
)
def test_nothing_but_a_notebook_is_handed_in(labs: Catalogue, tmp_path: Path, attack: Attack) -> None:
    lab = labs.labs[attack.lab]
    secret = tmp_path / "secret"
    secret.write_text(SECRETS[0])
    workspaces = Workspaces(tmp_path / "workspaces")
    workspace = workspaces.prepare(1, lab)
    assert attack.hand_in is not None
    attack.hand_in(workspace, dumps(lab.source.solution()).encode(), secret)
    with pytest.raises(NotebookUnreadable) as refused:
        workspaces.notebook(1, lab)
    assert re.search(attack.expected_words or r"\w", str(refused.value)), str(refused.value)
    assert SECRETS[0] not in str(refused.value)
    assert secret.read_text() == SECRETS[0]


def problems(report: Report, attack: Attack, may_earn: frozenset[str], secrets: list[str]) -> list[str]:
    """What is wrong with the result of an attack."""
    earned = {task.id for task in report.tasks if task.earned}
    told = [report.notebook.message, *(task.message for task in report.tasks)]
    found = [f"points for {task}" for task in sorted(earned - may_earn)]
    if attack.keeps:
        found += [f"honest work on {task} was lost: {told}" for task in sorted(may_earn - earned)]
    found += [f"{task.id}: {task.message}" for task in report.tasks if task.status is TaskStatus.ERROR]
    if not all(message.strip() for message in told) or any("Traceback" in message for message in told):
        found.append(f"no plain words: {told}")
    if attack.expected_words and not re.search(attack.expected_words, "\n".join(told)):
        found.append(f"it should say {attack.expected_words!r}: {told}")
    try:
        texts = seen(report)
    except Exception as error:
        return [*found, f"the result can't be shown: {error!r}"]
    found += secrets_in(texts, secrets)
    if attack.loot and attack.loot in texts["report"]:
        found.append(f"loot in the report: {texts['report']}")
    found += [f"{what} in the page" for what in what_acts(texts["page"])]
    if report.notebook.status is NotebookStatus.INVALID and report.score:
        found.append("points for what is no notebook")
    return found
