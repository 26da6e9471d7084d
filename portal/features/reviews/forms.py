"""The forms of practice."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from portal.features.reviews.service import LENGTH_MAX, LENGTH_MIN
from question_bank import scheduling

PERCENT_MIN = round(100 * scheduling.RETENTION_MIN)
PERCENT_MAX = round(100 * scheduling.RETENTION_MAX)


class SettingsForm(FlaskForm):
    """How a learner wants to practise."""

    retention = IntegerField(
        "Share to remember, in percent",
        [
            InputRequired(f"Give a whole number from {PERCENT_MIN} to {PERCENT_MAX}."),
            NumberRange(PERCENT_MIN, PERCENT_MAX, f"Give a whole number from {PERCENT_MIN} to {PERCENT_MAX}."),
        ],
    )
    session_length = IntegerField(
        "Questions in a session",
        [
            InputRequired(f"Give a whole number from {LENGTH_MIN} to {LENGTH_MAX}."),
            NumberRange(LENGTH_MIN, LENGTH_MAX, f"Give a whole number from {LENGTH_MIN} to {LENGTH_MAX}."),
        ],
    )
