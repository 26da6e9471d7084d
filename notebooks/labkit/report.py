"""The result of a check, as a table in the notebook."""

from __future__ import annotations

import html
import sys
from typing import Any

MARKS = {"passed": ("✓", "#2f7d4f"), "failed": ("✗", "#b3372f"), "error": ("!", "#8a5a00")}


class Report:
    """What the grader said; `.document` is its JSON."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @property
    def score(self) -> int:
        """Points earned."""
        return int(self.document["score"])

    @property
    def max_score(self) -> int:
        """Points there are."""
        return int(self.document["max_score"])

    @property
    def tasks(self) -> dict[str, str]:
        """Task id → passed, failed or error."""
        return {task["id"]: task["status"] for task in self.document["tasks"]}

    @property
    def passed(self) -> bool:
        """Whether every task passed."""
        return self.score == self.max_score

    def show(self) -> None:
        """Display it: a table where there is a notebook, text elsewhere."""
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            ipython.display.display({"text/html": self.html(), "text/plain": self.text()}, raw=True)
        else:
            print(self.text())

    def text(self) -> str:
        """The result as lines of text."""
        lines = []
        if self.document["notebook"]["status"] != "completed":
            lines.append(f"The notebook: {self.document['notebook']['message']}")
        for task in self.document["tasks"]:
            mark, _ = MARKS.get(task["status"], ("?", ""))
            lines.append(f"{mark} {task['title']} ({task['earned']}/{task['points']})")
            lines += [f"    {line}" for line in task["message"].splitlines()]
        return "\n".join([*lines, self._sum()])

    def html(self) -> str:
        """The result as an HTML table; every text in it is escaped, because some of it is the learner's own code speaking."""
        rows = []
        for task in self.document["tasks"]:
            mark, colour = MARKS.get(task["status"], ("?", "inherit"))
            message = html.escape(task["message"]).replace("\n", "<br>")
            rows.append(
                f'<tr><td style="color:{colour};font-weight:bold" title="{html.escape(task["status"])}">{mark}</td>'
                f'<td style="text-align:left;white-space:nowrap">{html.escape(task["title"])}</td>'
                f'<td style="text-align:right">{int(task["earned"])}/{int(task["points"])}</td>'
                f'<td style="text-align:left">{message}</td></tr>'
            )
        notebook = ""
        if self.document["notebook"]["status"] != "completed":
            notebook = f"<p>The notebook: {html.escape(self.document['notebook']['message'])}</p>"
        return f"{notebook}<table><tbody>{''.join(rows)}</tbody></table><p><strong>{html.escape(self._sum())}</strong></p>"

    def _sum(self) -> str:
        return f"{self.score} of {self.max_score} points (seed {self.document['seed']})"

    def __repr__(self) -> str:
        return f"<Report: {self.score} of {self.max_score} points>"
