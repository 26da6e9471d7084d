"""The forms of accounts."""

from __future__ import annotations

from typing import Self

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, EqualTo, Length

from portal.days import is_zone, zones_by_region
from portal.features.accounts.service import PASSWORD_MAX, PASSWORD_MIN


class SignInForm(FlaskForm):
    """Address and password."""

    email = EmailField("E-mail", [DataRequired("Your e-mail address is missing."), Length(max=254)])
    password = PasswordField("Password", [DataRequired("The password is missing."), Length(max=PASSWORD_MAX)])


class SignUpForm(FlaskForm):
    """A new account."""

    display_name = StringField("Name", [DataRequired("A name is missing."), Length(max=80)])
    email = EmailField("E-mail", [DataRequired("Your e-mail address is missing."), Length(max=254)])
    password = PasswordField(
        "Password",
        [
            DataRequired("A password is missing."),
            Length(PASSWORD_MIN, PASSWORD_MAX, f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters."),
        ],
    )


class ProfileForm(FlaskForm):
    """Name and address of an account."""

    display_name = StringField("Name", [DataRequired("A name is missing."), Length(max=80)])
    email = EmailField("E-mail", [DataRequired("Your e-mail address is missing."), Length(max=254)])


class PasswordForm(FlaskForm):
    """A new password; the current one is asked for when there is one."""

    current = PasswordField("Current password", [Length(max=PASSWORD_MAX)])
    new = PasswordField(
        "New password",
        [
            DataRequired("The new password is missing."),
            Length(PASSWORD_MIN, PASSWORD_MAX, f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters."),
        ],
    )
    repeat = PasswordField("New password again", [EqualTo("new", "The two passwords differ.")])


class ZoneForm(FlaskForm):
    """The time zone of an account: one of the places, or the one that it has."""

    time_zone = SelectField("Time zone")

    def offer(self, chosen: str) -> Self:
        """Fill the list, and choose in it what the account has; an account without one has UTC."""
        self.time_zone.choices = [
            SelectChoice(name, name.replace("_", " "), optgroup=region)
            for region, names in zones_by_region().items()
            for name in names
        ]
        if is_zone(chosen) and all(chosen not in names for names in zones_by_region().values()):
            self.time_zone.choices.insert(0, SelectChoice(chosen, chosen, optgroup="Now"))
        self.time_zone.data = chosen if is_zone(chosen) else "UTC"
        return self


class EmptyForm(FlaskForm):
    """Only the CSRF token: for buttons."""
