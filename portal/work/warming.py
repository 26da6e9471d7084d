"""Which labs have sandboxes ready before anybody asks: those that people work in, or look at, most recently.

Who has a lab open will check soon: a grader waits. Who is asked to write a program will run it: a sandbox of its language
waits. Who looks at a lab's page, or launched it lately, is not the only one: a learner's sandbox waits. What the rows can't
tell, who looks at what, comes in by `looked_at` and `programs_in` and is forgotten with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import select

from labs.catalogue import Lab
from labs.grader import grading_spec
from portal.content import Content
from portal.database import Database
from portal.models import LabSession, SessionState, Submission, utcnow
from portal.settings import Settings
from portal.work.launching import session_spec
from portal.work.programs.specs import program_spec
from question_bank.runner import Language
from sandboxes.interface import SandboxSpec
from sandboxes.pool import Pool
from sandboxes.warm import Flavour

log = structlog.get_logger("worker")
RECENT = timedelta(minutes=30)
ROWS = 200
"""Of the newest rows, how many are looked at for recent use."""
LABS = 500
"""Labs whose last look is remembered."""
NOWHERE = Path("/nonexistent")
"""A template's workspace: the pool puts its own there."""


class Warming:
    """Tells a pool what to keep ready."""

    def __init__(
        self,
        pool: Pool,
        database: Database,
        content: Content,
        settings: Settings,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self.pool = pool
        self._database = database
        self._content = content
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._looks: dict[str, datetime] = {}
        self._programs: dict[Language, datetime] = {}
        """Language → when somebody last looked at a question that asks for a program in it, or ran one."""
        self._wanted: dict[Flavour, tuple[SandboxSpec, int]] = {}

    def looked_at(self, lab_id: str) -> None:
        """Somebody looks at a lab's page now."""
        lab = self._content.lab(lab_id)
        if lab is None or not self._settings.pool_total:
            return
        with self._lock:
            self._looks[lab.id] = self._now()
            if len(self._looks) > LABS:
                del self._looks[min(self._looks, key=self._looks.__getitem__)]
        self.refresh()

    def programs_in(self, language: Language) -> None:
        """Somebody is asked for a program in this language now, or runs one."""
        if not self._settings.pool_total or not self._settings.pool_programs:
            return
        with self._lock:
            self._programs[language] = self._now()
        self.refresh()

    def refresh(self) -> None:
        """Decide anew from the rows and the looks, and tell the pool what changed."""
        if not self._settings.pool_total:
            return
        chosen = self._chosen()
        with self._lock:
            before, self._wanted = self._wanted, chosen
        for flavour, (template, _) in before.items():
            if flavour not in chosen:
                self.pool.forget(template)
        if list(before.items()) != list(chosen.items()):
            # The most recent last: the pool takes what was wanted last for the most urgent.
            for template, count in reversed(chosen.values()):
                self.pool.want(template, count)

    def _chosen(self) -> dict[Flavour, tuple[SandboxSpec, int]]:
        """Flavour → template and how many, the most recently used first, together at most as many as may wait."""
        left = self.pool.total
        chosen: dict[Flavour, tuple[SandboxSpec, int]] = {}
        for _, template, count in sorted(self._candidates(), key=lambda one: one[0], reverse=True):
            count = min(count, left)
            flavour = Flavour.of(template)
            if count > 0 and flavour not in chosen:
                chosen[flavour] = (template, count)
                left -= count
        return chosen

    def _candidates(self) -> Iterator[tuple[datetime, SandboxSpec, int]]:
        launched, graded = self._uses()
        with self._lock:
            looks = dict(self._looks)
            programs = dict(self._programs)
        since = self._now() - RECENT
        for language, last in programs.items():
            if last > since:
                yield last, program_spec(language, NOWHERE), self._settings.pool_programs
        for lab in self._content.labs.labs.values():
            # A launch is a sign of more launches, and of gradings to come.
            yield from self._candidate(lab, since, looks.get(lab.id), launched.get(lab.id), graders=False)
            yield from self._candidate(lab, since, graded.get(lab.id), launched.get(lab.id), graders=True)

    def _candidate(
        self, lab: Lab, since: datetime, *uses: datetime | None, graders: bool
    ) -> Iterator[tuple[datetime, SandboxSpec, int]]:
        last = max((use for use in uses if use is not None), default=since)
        if last > since:
            if graders:
                yield last, grading_spec(lab, NOWHERE), self._settings.pool_graders
            else:
                yield last, session_spec(lab, self._settings, NOWHERE), self._settings.pool_learners

    def _uses(self) -> tuple[dict[str, datetime], dict[str, datetime]]:
        """When each lab was last launched, and when it was last graded or stands open."""
        launched: dict[str, datetime] = {}
        graded: dict[str, datetime] = {}
        now = self._now()
        with self._database.transaction() as db:
            sessions = db.execute(
                select(LabSession.lab_id, LabSession.requested_at, LabSession.state)
                .order_by(LabSession.id.desc())
                .limit(ROWS)
            ).all()
            submissions = db.execute(
                select(Submission.lab_id, Submission.created_at).order_by(Submission.id.desc()).limit(ROWS)
            ).all()
        for lab_id, at, state in sessions:
            launched.setdefault(lab_id, at)
            if state == SessionState.READY:
                graded[lab_id] = now
        for lab_id, at in submissions:
            graded.setdefault(lab_id, at)
        return launched, graded
