"""Emails by SMTP.

What a mail server says decides what happens: 4xx means later, 5xx means never, and no answer means that nobody knows. A message
that is sent again after that has the same Message-ID, by which mail programs show it once.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from reference_impl.services.notification.channels.port import (
    OUTAGE,
    ChannelPort,
    Message,
    Permanent,
    Temporary,
)
from reference_impl.services.notification.settings import NotificationSettings
from reference_impl.shared.faults import Faults

DOMAIN = "meridian.example"


class EmailChannel(ChannelPort):
    """Sends by the mail server of the settings, or by the sink when they name none."""

    def __init__(
        self, settings: NotificationSettings, faults: Faults, sink: Callable[[], tuple[str, int]]
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._sink = sink
        self._open: smtplib.SMTP | None = None

    def send(self, message: Message) -> None:
        if self._faults.hits(OUTAGE, f"{message.id}:{message.attempt}"):
            raise Temporary("the mail server is away")
        letter = compose(message, self._settings.sender)
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise Temporary(f"no mail server: {type(error).__name__}") from None
        try:
            server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as refused:
            self.close()
            raise _judged(next(iter(refused.recipients.values()))[0]) from None
        except smtplib.SMTPResponseException as answer:
            self.close()
            raise _judged(answer.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            self.close()
            raise Permanent("the mail server can't write to such an address") from None
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise Temporary(f"the mail server broke off: {type(error).__name__}") from None

    def close(self) -> None:
        server, self._open = self._open, None
        if server is not None:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        """One connection carries a whole batch."""
        if self._open is None:
            settings = self._settings
            host, port = (settings.smtp_host, settings.smtp_port) if settings.smtp_host else self._sink()
            self._open = smtplib.SMTP(host, port, local_hostname="meridian", timeout=settings.smtp_seconds)
            if settings.smtp_starttls:
                self._open.starttls(context=ssl.create_default_context())
            if settings.smtp_username:
                self._open.login(settings.smtp_username, settings.smtp_password)
        return self._open


def message_id(notification_id: str) -> str:
    """How a mail program tells an email that came twice."""
    return f"<{notification_id}@{DOMAIN}>"


def compose(message: Message, sender: str) -> EmailMessage:
    """The email of a message, as text and as HTML. Raises Permanent when the address is none."""
    letter = EmailMessage(policy=SMTP)
    try:
        letter["From"] = sender
        letter["To"] = Address(display_name=message.name, addr_spec=message.recipient)
        letter["Subject"] = message.content.subject
    except (ValueError, MessageError):
        raise Permanent("the address is not usable") from None
    letter["Message-ID"] = message_id(message.id)
    letter["Date"] = formatdate(usegmt=True)
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.content.text)
    letter.add_alternative(message.content.html, subtype="html")
    return letter


def _judged(code: int) -> Temporary | Permanent:
    reason = f"the mail server said {code}"
    return Permanent(reason) if 500 <= code < 600 else Temporary(reason)
