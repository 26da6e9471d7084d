"""The forms of plans."""

from __future__ import annotations

import re
from datetime import date

from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    Field,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TimeField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from portal.features.plan.layout import HOURS_MAX, HOURS_MIN
from portal.features.plan.service import EVENING

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS_RULE = f"Give a whole number of hours from {HOURS_MIN} to {HOURS_MAX}."
DATE_RULE = "Give a day as YYYY-MM-DD, for example 2026-09-01."


class DayField(DateField):
    """A day; what is none is told how to be one."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read it. Raises ValueError with the rule."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(DATE_RULE) from None


class ReadyForm(FlaskForm):
    """What a learner says when they take a ready-made plan."""

    starts_on = DayField("Start", [InputRequired(DATE_RULE)])
    days_off = SelectMultipleField(
        "Days without study", choices=[SelectChoice(n, name) for n, name in enumerate(WEEKDAYS)], coerce=int
    )
    holidays = StringField("Weeks off", [Length(max=500)])
    begins_at = TimeField(
        "Study begins at", [InputRequired("Give a time as HH:MM, for example 18:00.")], default=EVENING
    )

    def validate_holidays(self, field: Field) -> None:
        """Every word is a day."""
        try:
            self.weeks_off()
        except ValueError:
            raise ValidationError(
                "Give a day of each week off as YYYY-MM-DD, with commas between: 2026-12-24, 2026-12-31."
            ) from None

    def weeks_off(self) -> tuple[date, ...]:
        """A day of each week off. Raises ValueError when a word is no day."""
        return tuple(
            date.fromisoformat(word) for word in re.split(r"[,;\s]+", self.holidays.data or "") if word
        )


class PlanForm(ReadyForm):
    """What a learner says for a plan that is laid out by hours."""

    track = SelectField("Track")
    hours = IntegerField(
        "Hours a week", [InputRequired(HOURS_RULE), NumberRange(HOURS_MIN, HOURS_MAX, HOURS_RULE)], default=6
    )
    target_on = DayField("Done by", [Optional()])
    left_out = SelectMultipleField("Modules to leave out", choices=[], validate_choice=False)
