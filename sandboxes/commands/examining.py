"""`doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from sandboxes.commands.answer import Answer, table
from sandboxes.doctor import Finding, State, Surroundings, examine, usable_drivers
from sandboxes.drivers import choose_driver

HELP = "check what works here, and say what to do about what does not"
ROOT = Path(__file__).parents[2]
STYLES = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "bold red"}


def configure(parser: argparse.ArgumentParser) -> None:
    """How deep to look, and where the workspaces are."""
    parser.add_argument(
        "--deep",
        action="store_true",
        help="also start a real sandbox by each driver and look at it from inside",
    )
    parser.add_argument(
        "--instance-dir",
        type=Path,
        default=Path(os.environ.get("INSTANCE_DIR") or ROOT / "instance"),
        help="the instance directory of the portal (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> Answer:
    """Every finding; exit code 1 when no driver can work here."""
    findings = examine(Surroundings(options.run_dir, options.instance_dir / "workspaces", options.deep))
    usable = usable_drivers(findings)
    counts = Counter(str(finding.state) for finding in findings)
    document = {
        "checks": [asdict(finding) for finding in findings],
        "counts": {str(state): counts[str(state)] for state in State},
        "usable_drivers": usable,
        "chosen_driver": choose_driver("auto", options.run_dir).name if usable else None,
    }
    return Answer(document, _shown(findings, usable, counts), code=0 if usable else 1)


def _shown(findings: list[Finding], usable: list[str], counts: Counter[str]) -> list[RenderableType]:
    made = table("check", "state", "what was found, and what to do")
    for finding in findings:
        words = Text(finding.found)
        if finding.todo and finding.state is not State.OK:
            words.append(f"\n→ {finding.todo}", style="italic")
        made.add_row(Text(finding.name), Text(str(finding.state), style=STYLES[finding.state]), words)
    verdict = (
        f"Labs can run here by: {', '.join(usable)}."
        if usable
        else "No driver can work here: mend the problems above, from the top."
    )
    tally = ", ".join(f"{counts[str(state)]} {state}" for state in State)
    return [made, Text(f"{tally}. {verdict}", style="bold")]
