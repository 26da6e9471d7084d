"""What proving labs and trying mutants shows: documents for programs, tables for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from labs.console import out
from labs.mutation.mutants import Mutant
from labs.mutation.run import ENOUGH, KILLED, Fate, Trial, share_killed
from labs.proving import Result
from labs.verify import Case, Proof


@dataclass(frozen=True)
class MutationReport:
    """The mutants of one lab that were tried."""

    lab: str
    known: int
    """How many mutants there are, tried or not."""
    equivalent: int
    """How many of them are listed as equivalent."""
    trials: tuple[Trial, ...]
    faulty: bool
    """Whether the list of equivalent ones has faults."""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "lab": self.lab,
            "mutants": self.known,
            "equivalent": self.equivalent,
            "tried": len(self.trials),
            "killed_share": round(share_killed(self.trials), 4),
            "trials": [
                {
                    "mutant": trial.mutant.fingerprint,
                    "task": trial.mutant.task,
                    "operator": trial.mutant.operator,
                    "fate": trial.fate.value,
                    "diff": trial.mutant.diff(),
                    "message": trial.message,
                    "seconds": trial.seconds,
                }
                for trial in self.trials
            ],
        }


def outcome(result: Result) -> str:
    """One grading in a few words."""
    if isinstance(result, Proof):
        return f"{'holds' if result.holds else 'does not hold'} ({result.report.seconds:.1f} s)"
    return f"could not be graded: {result.learner}"


def result_document(driver: str, case: Case, result: Result) -> dict[str, Any]:
    """What grading a case gave, as JSON values."""
    document = {"case": case.name, "driver": driver, "why": case.why, "loses": sorted(case.loses)}
    if isinstance(result, Proof):
        return {
            **document,
            "lost": sorted(result.report.lost),
            "holds": result.holds,
            "problems": result.problems,
            "report": result.report.document(),
        }
    return {**document, "holds": False, "problems": [outcome(result)]}


def print_results(lab: str, results: Sequence[tuple[str, Case, Result]]) -> None:
    """What proving a lab gave, and below it why a case does not hold."""
    drivers = list(dict.fromkeys(driver for driver, _, _ in results))
    table = Table(
        "case",
        "must lose",
        *(f"{driver}, s" for driver in drivers),
        "",
        box=None,
        title=lab,
        title_justify="left",
    )
    by_case: dict[str, dict[str, Result]] = {}
    cases = {case.name: case for _, case, _ in results}
    for driver, case, result in results:
        by_case.setdefault(case.name, {})[driver] = result
    for name, by_driver in by_case.items():
        holds = all(_holds(result) for result in by_driver.values())
        seconds = [_seconds(by_driver[driver]) if driver in by_driver else "" for driver in drivers]
        mark = "[green]holds[/]" if holds else "[red]does not hold[/]"
        table.add_row(name, _names(cases[name].loses), *seconds, mark)
    out.print(table)
    for driver, case, result in results:
        problems = result.problems if isinstance(result, Proof) else [outcome(result)]
        for problem in problems:
            out.print(f"{case.name}, {driver}: {problem}", markup=False, soft_wrap=True)


def print_sum(results: Sequence[tuple[str, str, Result]], proven: Mapping[str, Collection[str]]) -> None:
    """One line a lab: how many cases hold, how long they took one after the other, and for which drivers its proof fits."""
    drivers = list(dict.fromkeys(driver for _, driver, _ in results))
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[str, Counter[bool]] = {lab: Counter() for lab in proven}
    for lab, driver, result in results:
        seconds[lab, driver] += result.report.seconds if isinstance(result, Proof) else 0.0
        counts[lab][_holds(result)] += 1
    table = Table("lab", "cases hold", "don't", *(f"{driver}, s" for driver in drivers), "proven on", box=None)
    for lab, count in counts.items():
        failed = f"[red]{count[False]}[/]" if count[False] else "0"
        taken = (f"{seconds[lab, driver]:.0f}" for driver in drivers)
        table.add_row(lab, str(count[True]), failed, *taken, _names(proven[lab]))
    out.print(table)


def print_mutants(lab: str, mutants: Sequence[Mutant], reasons: Mapping[str, str]) -> None:
    """All mutants of a lab with their changes."""
    out.print(f"{lab}: {len(mutants)} mutants")
    for mutant in mutants:
        note = f" (equivalent: {reasons[mutant.fingerprint]})" if mutant.fingerprint in reasons else ""
        out.print(
            f"\n{mutant.fingerprint}  {mutant.task}, {mutant.operator}{note}", markup=False, soft_wrap=True
        )
        out.print(mutant.diff(), markup=False, soft_wrap=True)


def print_mutation(report: MutationReport) -> None:
    """A table of the tasks, and below it each mutant that was not killed."""
    table = Table(
        "task",
        "mutants",
        "killed",
        "of them by time",
        "share",
        box=None,
        title=report.lab,
        title_justify="left",
    )
    by_task: dict[str, list[Trial]] = {}
    for trial in report.trials:
        by_task.setdefault(trial.mutant.task, []).append(trial)
    for task, trials in by_task.items():
        table.add_row(task, *_counted(trials))
    table.add_row("all", *_counted(report.trials))
    out.print(table)
    refused = sum(trial.fate is Fate.NOT_COMPILED for trial in report.trials)
    left = report.known - report.equivalent - len(report.trials)
    out.print(
        f"{report.known} mutants known, {report.equivalent} listed as equivalent, {left} not tried, {refused} not compiled; "
        f"{share_killed(report.trials):.0%} killed, {ENOUGH:.0%} must be.",
        soft_wrap=True,
    )
    for trial in report.trials:
        if trial.fate in (Fate.SURVIVED, Fate.BROKEN_CHECK):
            mutant = trial.mutant
            out.print(
                f"\n[red]{trial.fate}[/] {mutant.fingerprint}  {mutant.task}, {escape(mutant.operator)}",
                soft_wrap=True,
            )
            out.print(mutant.diff(), markup=False, soft_wrap=True)


def _counted(trials: Sequence[Trial]) -> tuple[str, str, str, str]:
    counted = [trial for trial in trials if trial.fate is not Fate.NOT_COMPILED]
    killed = sum(trial.fate in KILLED for trial in counted)
    by_time = sum(trial.fate is Fate.KILLED_BY_TIME for trial in counted)
    return str(len(counted)), str(killed), str(by_time), f"{share_killed(trials):.0%}"


def _holds(result: Result) -> bool:
    return isinstance(result, Proof) and result.holds


def _seconds(result: Result) -> str:
    return f"{result.report.seconds:.1f}" if isinstance(result, Proof) else "–"


def _names(tasks: Collection[str]) -> str:
    return ", ".join(sorted(tasks)) or "–"
