"""The forms of authoring."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Regexp

from portal.content import Content
from question_bank import KINDS

KIND_WORDS = {
    "single": "Single choice",
    "multiple": "Multiple choice",
    "true-false": "True or false",
    "numeric": "Number",
    "short": "Short answer",
    "ordering": "Ordering",
    "matching": "Matching",
    "cloze": "Cloze",
    "code": "Program",
    "open": "Open answer",
}
_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class IdForm(FlaskForm):
    """The id of a new question."""

    question_id = StringField(
        "Id",
        [
            DataRequired("The id is missing."),
            Length(2, 80, "An id has 2 to 80 characters."),
            Regexp(_SLUG, message="An id is words in lower case with hyphens, such as stale-set-after-delete."),
        ],
        filters=[lambda value: value.strip() if value else value],
    )


class NewForm(IdForm):
    """What a new question begins with."""

    kind = SelectField("Kind", choices=[SelectChoice(kind, KIND_WORDS.get(kind, kind)) for kind in KINDS])
    topic = SelectField("Main topic")

    def offer(self, content: Content) -> NewForm:
        """Offer the topics of the roadmap, by module."""
        self.topic.choices = [
            SelectChoice(topic.id, topic.title, optgroup=module.title)
            for module in content.roadmap.modules.values()
            for topic in module.topics
        ]
        return self

    def module_of(self, content: Content) -> str:
        """The module that the chosen topic belongs to."""
        return next(
            module.id
            for module in content.roadmap.modules.values()
            if any(topic.id == self.topic.data for topic in module.topics)
        )
