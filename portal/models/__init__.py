"""What people did. Content lives in files; only this lives in the database."""

from portal.models.activity_work import FURTHEST_LAST, ActivityWork, HandIn, Verdict, WorkState
from portal.models.authored_question import AuthoredQuestion, AuthoringState
from portal.models.base import Base, utcnow
from portal.models.calendar_feed import CalendarFeed
from portal.models.code_run import RUNS_PENDING, CodeRun, RunPurpose, RunState
from portal.models.commitment_entry import CommitmentEntry
from portal.models.criterion_claim import CriterionClaim
from portal.models.failure import Failure, Work
from portal.models.hint_use import HintUse
from portal.models.item_tally import CountOf, ItemCount, ItemTally
from portal.models.lab_session import OPEN_STATES, PLACE_STATES, EndReason, LabSession, SessionState
from portal.models.lesson_mark import LessonMark
from portal.models.lesson_read import LessonRead
from portal.models.plan_tick import PlanTick
from portal.models.practice_session import PracticeAnswer, PracticeSession, PracticeSource
from portal.models.practice_setting import PracticeSetting
from portal.models.question_import import QuestionImport
from portal.models.question_note import QuestionNote
from portal.models.question_report import QuestionReport, ReportReason
from portal.models.question_revision import WRITING, QuestionAction, QuestionEvent, QuestionRevision
from portal.models.quiz_attempt import QuizAnswer, QuizAttempt
from portal.models.review_card import ReviewCard
from portal.models.review_comment import ReviewComment
from portal.models.scorecard_month import ScorecardMonth
from portal.models.sign_in_link import SignInLink
from portal.models.site_revision import SiteRevision, Subject
from portal.models.study_plan import StudyPlan
from portal.models.submission import (
    PENDING_STATES,
    Submission,
    SubmissionKind,
    SubmissionState,
    TaskResult,
)
from portal.models.user import Role, User, zone_for
from portal.models.worker_status import WorkerStatus

__all__ = [
    "FURTHEST_LAST",
    "OPEN_STATES",
    "PENDING_STATES",
    "PLACE_STATES",
    "RUNS_PENDING",
    "WRITING",
    "ActivityWork",
    "AuthoredQuestion",
    "AuthoringState",
    "Base",
    "CalendarFeed",
    "CodeRun",
    "CommitmentEntry",
    "CountOf",
    "CriterionClaim",
    "EndReason",
    "Failure",
    "HandIn",
    "HintUse",
    "ItemCount",
    "ItemTally",
    "LabSession",
    "LessonMark",
    "LessonRead",
    "PlanTick",
    "PracticeAnswer",
    "PracticeSession",
    "PracticeSetting",
    "PracticeSource",
    "QuestionAction",
    "QuestionEvent",
    "QuestionImport",
    "QuestionNote",
    "QuestionReport",
    "QuestionRevision",
    "QuizAnswer",
    "QuizAttempt",
    "ReportReason",
    "ReviewCard",
    "ReviewComment",
    "Role",
    "RunPurpose",
    "RunState",
    "ScorecardMonth",
    "SessionState",
    "SignInLink",
    "SiteRevision",
    "StudyPlan",
    "Subject",
    "Submission",
    "SubmissionKind",
    "SubmissionState",
    "TaskResult",
    "User",
    "Verdict",
    "Work",
    "WorkState",
    "WorkerStatus",
    "utcnow",
    "zone_for",
]
