"""The forms of authoring."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Regexp

from portal.content import Content
from question_bank import KINDS, formats
from question_bank.transfer import GUESS

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
        self.topic.choices = _topics(content)
        return self

    def module_of(self, content: Content) -> str:
        """The module that the chosen topic belongs to."""
        return _module_of(content, self.topic.data)


class ImportForm(FlaskForm):
    """A file of another system."""

    file = FileField("File", [FileRequired("Choose a file.")])
    format = SelectField("Format")
    topic = SelectField("Topic of questions whose file names none")

    def offer(self, content: Content) -> ImportForm:
        """Offer the formats that can be read, and the topics of the roadmap, by module."""
        readable = (each for each in formats.FORMATS.values() if each.can_import)
        self.format.choices = [
            SelectChoice(GUESS, "Find out"),
            *(SelectChoice(each.name, each.title) for each in readable),
        ]
        self.topic.choices = [SelectChoice("", "Decide later"), *_topics(content)]
        return self

    def module_of(self, content: Content) -> str:
        """The module that the chosen topic belongs to; empty when none was chosen."""
        return _module_of(content, self.topic.data) if self.topic.data else ""


def _topics(content: Content) -> list[SelectChoice]:
    return [
        SelectChoice(topic.id, topic.title, optgroup=module.title)
        for module in content.roadmap.modules.values()
        for topic in module.topics
    ]


def _module_of(content: Content, topic_id: str) -> str:
    return next(
        module.id
        for module in content.roadmap.modules.values()
        if any(topic.id == topic_id for topic in module.topics)
    )
