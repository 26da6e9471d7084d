"""The notification service's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from reference_impl.shared.settings import Section


class NotificationSettings(Section):
    """Each as `MERIDIAN_NOTIFICATION_<NAME>`; times are in seconds."""

    section: ClassVar[str] = "notification"

    smtp_host: str = ""
    """The mail server; empty: a sink of our own, whose messages `GET /notifications/sink` shows."""
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 25
    """Its port."""
    smtp_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How long one step of the talk with it may take."""
    smtp_starttls: bool = False
    """Whether to encrypt the talk, and to refuse a server that can't."""
    smtp_username: str = ""
    """Whom to sign in as; empty: nobody."""
    smtp_password: str = ""
    """With which password; sent only after STARTTLS."""
    sender: Annotated[str, Field(pattern=r"^[^\r\n]{3,200}$")] = "Meridian <no-reply@meridian.example>"
    """Whom emails come from."""
    tries: Annotated[int, Field(ge=1, le=20)] = 6
    """How often a message is tried before it is given up and waits for somebody to send it again."""
    retry_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """How long to wait after the first failure; each time four times as long."""
    longest_retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3600.0
    """The longest such wait."""
    lease_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """After how long a message whose sender died is tried again; more than a batch takes."""
    simulated_failures: Annotated[float, Field(ge=0, le=1)] = 0.02
    """The share of attempts by SMS and push that their simulated providers are too busy for."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """How long it is remembered what was sent, and so that it was."""

    @model_validator(mode="after")
    def _no_open_password(self) -> NotificationSettings:
        if self.smtp_username and not self.smtp_starttls:
            raise ValueError("a password is sent encrypted only: set MERIDIAN_NOTIFICATION_SMTP_STARTTLS=on")
        return self
