"""A learner's work on activities: begin, call done, hand in, take back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from portal.content import Content
from portal.database import insert_once
from portal.errors import Conflict, Invalid, NotFound
from portal.features.portfolio import queries
from portal.features.portfolio.forms import Draft
from portal.features.portfolio.queries import Version
from portal.features.roadmap import Progress, Standing
from portal.links import https_link
from portal.models import FURTHEST_LAST, ActivityWork, HandIn, WorkState, utcnow
from portal.texts import tidy, too_long
from roadmap import Activity, Kind, Module, Track

TEXT_MOST = 20_000
NOTE_MOST = 1_000
VERSIONS_MOST = 20
HAND_INS_A_DAY = 20

_OPEN = (WorkState.STARTED, WorkState.DONE, WorkState.RETURNED)
"""States in which the learner is the one who goes on."""


class Unfit(Invalid):
    """What was typed can't be handed in; `fields` says what is wrong with which field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(next(iter(fields.values())))
        self.fields = dict(fields)


@dataclass(frozen=True)
class Folder:
    """One activity of one learner: where they are with it, and all they handed in, oldest first."""

    activity: Activity
    work: ActivityWork | None
    versions: list[Version]

    @property
    def state(self) -> WorkState | None:
        """None when it was not begun."""
        return WorkState(self.work.state) if self.work is not None else None

    @property
    def may_hand_in(self) -> bool:
        """Whether the learner can hand something in now."""
        return self.state in _OPEN

    @property
    def waiting(self) -> HandIn | None:
        """The version that waits for an instructor."""
        return next((v.hand_in for v in self.versions if v.hand_in.verdict is None), None)


@dataclass(frozen=True)
class OpenModule:
    """What a learner could begin in a module."""

    module: Module
    activities: list[Activity]


@dataclass(frozen=True)
class OpenTrack:
    """What a learner could begin in a track."""

    track: Track
    modules: list[OpenModule]

    @property
    def count(self) -> int:
        """How many activities."""
        return sum(len(entry.activities) for entry in self.modules)


class PortfolioService:
    """The activities of one learner, in one database session."""

    def __init__(self, db: Session, content: Content, user_id: int) -> None:
        self.db = db
        self.content = content
        self.user_id = user_id

    def activity(self, activity_id: str) -> Activity:
        """The activity of that id, or the one that replaced it. Raises NotFound."""
        found = self.content.roadmap.current(Activity, activity_id)
        if found is None:
            raise NotFound(f"There is no activity “{activity_id[:80]}”. Each module lists those it has.")
        return found

    def folder(self, activity: Activity) -> Folder:
        """The activity as this learner does it: two statements."""
        return Folder(
            activity,
            self._work(activity),
            queries.versions(self.db, self.user_id, self._ids(activity)),
        )

    def start(self, activity: Activity) -> None:
        """Begin; twice is the same as once."""
        if self._work(activity) is None:
            insert_once(self.db, ActivityWork, user_id=self.user_id, activity_id=activity.id)

    def leave(self, activity: Activity) -> None:
        """Put away what was begun. Raises Conflict once something was handed in: that stays."""
        folder = self.folder(activity)
        if folder.work is None:
            return
        if folder.versions:
            raise Conflict("You have handed something in, which stays with the activity. Nothing was put away.")
        self.db.delete(folder.work)

    def call_done(self, activity: Activity, *, done: bool) -> None:
        """Tick the activity as done, or take the tick away. Raises Conflict where an instructor's word stands."""
        work = self._begun(activity)
        if work.state == (WorkState.DONE if done else WorkState.STARTED):
            return
        if done and work.state in (WorkState.STARTED, WorkState.RETURNED):
            work.state, work.done_at = WorkState.DONE, work.done_at or utcnow()
        elif not done and work.state == WorkState.DONE:
            work.state, work.done_at = WorkState.STARTED, None
        else:
            raise Conflict("This is with the instructors, so the tick makes no difference. Reload the page.")

    def hand_in(self, activity: Activity, draft: Draft) -> HandIn:
        """Hand in a new version. Raises Unfit, and Conflict when one waits, is approved, or it was too often."""
        link, text, notes = _fit(activity, draft)
        work = self._begun(activity)
        if work.state == WorkState.APPROVED:
            raise Conflict("This is approved already. There is nothing more to hand in.")
        if work.state == WorkState.HANDED_IN:
            raise Conflict("A version waits for an instructor. Take it back first, or wait for the answer.")
        now = utcnow()
        if len(queries.versions(self.db, self.user_id, self._ids(activity))) >= VERSIONS_MOST:
            raise Conflict(
                f"You have handed this in {VERSIONS_MOST} times, which is all there is room for. Talk to an instructor."
            )
        if queries.handed_in_since(self.db, self.user_id, now - timedelta(days=1)) >= HAND_INS_A_DAY:
            raise Conflict(f"You have handed in {HAND_INS_A_DAY} times within a day. Go on tomorrow.")
        made = HandIn(
            work_id=work.id,
            link=link,
            text=text,
            notes=[
                {"condition": condition, "note": note}
                for condition, note in zip(activity.done_when, notes, strict=True)
            ],
            created_at=now,
        )
        self.db.add(made)
        work.state, work.done_at = WorkState.HANDED_IN, work.done_at or now
        self.db.flush()
        return made

    def withdraw(self, activity: Activity) -> None:
        """Take back what waits. Raises Conflict when nothing does, or an instructor has it."""
        work = self._begun(activity)
        waiting = self.folder(activity).waiting
        if waiting is None:
            raise Conflict("Nothing of yours waits here any more. Reload the page.")
        if not queries.withdraw(self.db, waiting.id, utcnow()):
            raise Conflict("An instructor is looking at it already. Wait for the answer.")
        work.state = WorkState.DONE

    def by_state(self, progress: Progress) -> dict[WorkState, list[tuple[Activity, Standing]]]:
        """The activities that were begun, by where they are; what needs the learner comes first."""
        order = [
            WorkState.RETURNED,
            WorkState.STARTED,
            WorkState.HANDED_IN,
            WorkState.DONE,
            WorkState.APPROVED,
        ]
        activities = self.content.roadmap.activities
        return {
            state: sorted(
                ((activities[id_], one) for id_, one in progress.activities.items() if one.state == state),
                key=lambda entry: _moved_at(entry[1]),
                reverse=True,
            )
            for state in order
        }

    def open_tracks(self, progress: Progress) -> list[OpenTrack]:
        """What the learner could begin, in the tracks that they are in."""
        catalogue = self.content.roadmap
        found = []
        for track in progress.tracks_begun(catalogue):
            modules = []
            for module in map(catalogue.modules.__getitem__, track.modules):
                waiting = [one for one in module.activities if one.id not in progress.activities]
                if waiting:
                    modules.append(OpenModule(module, waiting))
            if modules:
                found.append(OpenTrack(track, modules))
        return found

    def _ids(self, activity: Activity) -> tuple[str, ...]:
        return self.content.roadmap.ids_of(Kind.ACTIVITY, activity.id)

    def _work(self, activity: Activity) -> ActivityWork | None:
        """The work that came furthest, of those under the activity's ids."""
        return max(
            queries.works(self.db, self.user_id, self._ids(activity)),
            key=lambda work: (FURTHEST_LAST.index(WorkState(work.state)), work.started_at),
            default=None,
        )

    def _begun(self, activity: Activity) -> ActivityWork:
        """The work, held against a second request; begun now if it was not."""
        self.start(activity)
        work = self._work(activity)
        assert work is not None
        return queries.locked(self.db, work.id)


def _fit(activity: Activity, draft: Draft) -> tuple[str, str, list[str]]:
    wrong: dict[str, str] = {}
    link = ""
    try:
        link = https_link(draft.link)
    except Invalid as error:
        wrong["link"] = error.message
    text = tidy(draft.text)
    if len(text) > TEXT_MOST:
        wrong["text"] = (
            f"A text has at most {TEXT_MOST:,} characters; this one has {len(text):,}. Shorten it, or give a link."
        )
    if not (link or text or wrong):
        wrong["link"] = "Give a link or write a text: there is nothing to look at yet."
    given = [*draft.notes, *[""] * len(activity.done_when)][: len(activity.done_when)]
    notes = [tidy(note) for note in given]
    for index, note in enumerate(notes):
        if (fault := too_long("A note", note, NOTE_MOST)) is not None:
            wrong[f"note-{index}"] = fault
    if wrong:
        raise Unfit(wrong)
    return link, text, notes


def _moved_at(standing: Standing) -> datetime:
    return standing.approved_at or standing.done_at or standing.started_at
