"""What a customer chose, and what follows from it for one message: now, later, or never. Pure: it is tested by itself."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from reference_impl.services.notification.kinds import Category, Channel, Kind
from reference_impl.shared.types import NOT_NUL, Command, Flag


class EmailChoice(Command):
    """By email. Its address is that of the account, and it can't be switched off: that is how orders are confirmed."""

    marketing: Flag = True


class SmsChoice(Command):
    """By SMS; without a number none are sent."""

    enabled: Flag = True
    marketing: Flag = False
    number: Annotated[str | None, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="As +41791234567.")] = None


class PushChoice(Command):
    """By push message; without a device none are sent."""

    enabled: Flag = True
    marketing: Flag = False
    device: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{8,200}$", description="A device's token.")] = (
        None
    )


class QuietHours(Command):
    """When not to disturb, every day, by the customer's own clock."""

    start: time
    end: time
    time_zone: Annotated[str, Field(max_length=64, pattern=NOT_NUL, description="As Europe/Zurich.")] = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; write it as Europe/Zurich") from error
        return name

    @model_validator(mode="after")
    def _sensible(self) -> QuietHours:
        if self.start == self.end or self.start.tzinfo or self.end.tzinfo:
            raise ValueError("start and end are two different times of the day, without an offset")
        return self

    def until(self, at: datetime) -> datetime | None:
        """When the quiet hours that this moment lies in are over; None when it lies in none."""
        local = at.astimezone(ZoneInfo(self.time_zone))
        clock = local.time()
        begun, not_over = clock >= self.start, clock < self.end
        over_midnight = self.start > self.end
        if not ((begun or not_over) if over_midnight else (begun and not_over)):
            return None
        day = local.date() if not_over else local.date() + timedelta(days=1)
        # In the night in which the clocks change an end may exist twice, and the first one be over.
        return max(at, datetime.combine(day, self.end, local.tzinfo).astimezone(UTC))


class Preferences(Command):
    """What a customer chose, channel by channel."""

    email: EmailChoice = EmailChoice()
    sms: SmsChoice = SmsChoice()
    push: PushChoice = PushChoice()
    quiet_hours: QuietHours | None = None

    def address(self, channel: Channel) -> str | None:
        """Where a channel other than email leads to, if it is to be used."""
        if channel is Channel.SMS:
            return self.sms.number if self.sms.enabled else None
        if channel is Channel.PUSH:
            return self.push.device if self.push.enabled else None
        return None


def when(kind: Kind, channel: Channel, chosen: Preferences, at: datetime) -> datetime | None:
    """From when on this message may be sent, if it is looked at now; None: never.

    Quiet hours hold back what makes a sound, and marketing; an email about one's own order waits silently where it arrives.
    """
    marketing = kind.category is Category.MARKETING
    if channel is not Channel.EMAIL and chosen.address(channel) is None:
        return None
    if (
        marketing
        and not {
            Channel.EMAIL: chosen.email.marketing,
            Channel.SMS: chosen.sms.marketing,
            Channel.PUSH: chosen.push.marketing,
        }[channel]
    ):
        return None
    if chosen.quiet_hours is None or (channel is Channel.EMAIL and not marketing):
        return at
    return chosen.quiet_hours.until(at) or at
