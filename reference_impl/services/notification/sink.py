"""Where messages end that must not leave the house: a mail server of our own, and what the simulated providers took.

The mail server listens on a free port of this machine from the first email on. It takes everything and delivers nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from email import policy
from email.contentmanager import raw_data_manager
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from typing import Any, cast

from sqlalchemy import delete, insert, select

from reference_impl.services.notification.kinds import Channel
from reference_impl.services.notification.models import SinkMessage
from reference_impl.shared import logs
from reference_impl.shared.database import Database, table_of

HOST = "127.0.0.1"
KEPT = 10_000
"""Messages; older ones are forgotten, some at once."""
TRIM_EVERY = 100
LARGEST_BYTES = 1_000_000
START_SECONDS = 5.0
_STOP_CHECK_SECONDS = 0.1
_log = logs.logger("meridian.notification")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_ADD = insert(table_of(SinkMessage)).returning(SinkMessage.number)


class Sink:
    """The messages that came out, as a table in the service's own database."""

    def __init__(self, database: Database, stopping: threading.Event) -> None:
        self._database = database
        self._stopping = stopping
        self._starting = threading.Lock()
        self._port: int | None = None

    def address(self) -> tuple[str, int]:
        """Where the mail server listens; started when it is not yet. Raises OSError when it can't be."""
        with self._starting:
            if self._port is None:
                ready, failed = threading.Event(), list[OSError]()
                thread = threading.Thread(
                    target=self._run, args=(ready, failed), name="notification sink", daemon=True
                )
                thread.start()
                ready.wait(START_SECONDS)
                if self._port is None:
                    raise failed[0] if failed else OSError("the mail sink did not start")
            return HOST, self._port

    def take(
        self,
        channel: Channel,
        *,
        message_id: str,
        sender: str,
        recipient: str,
        subject: str,
        text: str,
        html: str | None,
        once: bool = False,
    ) -> None:
        """Keep a message; with `once` not a second time under the same id."""
        with self._database.write() as session:
            known = select(SinkMessage.number).where(SinkMessage.message_id == message_id).limit(1)
            if once and session.scalar(known) is not None:
                return
            message = {
                "channel": channel,
                "message_id": message_id[:200],
                "sender": sender[:320],
                "recipient": recipient[:320],
                "subject": subject[:1000],
                "text": text,
                "html": html,
            }
            number = session.execute(_ADD, message).scalar_one()
            if number % TRIM_EVERY == 0:
                session.execute(delete(SinkMessage).where(SinkMessage.number <= number - KEPT))

    def _run(self, ready: threading.Event, failed: list[OSError]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except OSError as error:
            failed.append(error)
        finally:
            self._port = None
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        from aiosmtpd.smtp import SMTP  # here, because most processes never send an email

        logging.getLogger("mail.log").setLevel(logging.WARNING)  # below that it writes addresses

        def protocol() -> SMTP:
            return SMTP(
                _Mailbox(self),
                hostname="sink",
                ident="Meridian sink",
                enable_SMTPUTF8=True,
                data_size_limit=LARGEST_BYTES,
                timeout=30,
            )

        server = await asyncio.get_running_loop().create_server(protocol, HOST, 0)
        async with server:
            self._port = server.sockets[0].getsockname()[1]
            ready.set()
            while not self._stopping.is_set():
                await asyncio.sleep(_STOP_CHECK_SECONDS)


class _Mailbox:
    """What the mail server does with a message; its methods are named as aiosmtpd wants them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        try:
            await asyncio.to_thread(self._keep, envelope)
        except Exception as error:
            _log.warning("the sink could not keep an email", reason=type(error).__name__)
            return "451 Try again later"
        return "250 Kept"

    def _keep(self, envelope: Any) -> None:
        # The modern policy would parse every header into a tree, which costs ten times as much.
        parsed = BytesParser(EmailMessage, policy=policy.compat32).parsebytes(envelope.content)
        letter = cast(EmailMessage, parsed)
        text, html = letter.get_body(("plain",)), letter.get_body(("html",))
        for recipient in envelope.rcpt_tos:
            self._sink.take(
                Channel.EMAIL,
                message_id=_header(letter, "Message-ID"),
                sender=_header(letter, "From") or envelope.mail_from,
                recipient=recipient,
                subject=_header(letter, "Subject"),
                text="" if text is None else _content(text),
                html=None if html is None else _content(html),
            )


def _header(letter: EmailMessage, name: str) -> str:
    """A header's text in one line, however it was folded on its way."""
    return _FOLD.sub("", str(make_header(decode_header(letter[name] or ""))))


def _content(part: MIMEPart) -> str:
    return str(raw_data_manager.get_content(part))
