"""Messages to customers: each fact once, by the channels that they chose, whatever is delivered twice or fails meanwhile."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import update

from reference_impl.services.notification.delivery import Delivery
from reference_impl.services.notification.models import Contact, HeldEvent, Notification
from reference_impl.shared.events import new_id, now
from reference_impl.shared.settings import SettingsError
from tests.unit.reference_impl.lone import Lone

ANN = "a" * 32
EMAIL = "ann.lee@shop.example"
TOTAL = {"attempt": 1, "customer_id": ANN, "lines": [], "total_cents": 123_450, "currency": "CHF"}
QUICK = {
    "notification_retry_seconds": "0.000001",
    "notification_longest_retry_seconds": "0.000001",
    "notification_simulated_failures": "0",
    "notification_smtp_seconds": "60",
}
MakePost = Callable[..., Lone]


@pytest.fixture
def make_post(tmp_path: Path) -> Iterator[MakePost]:
    made: list[Lone] = []

    def make(**sections: str) -> Lone:
        chosen = QUICK | {f"notification_{name}": value for name, value in sections.items()}
        made.append(Lone("notification", tmp_path / f"post-{len(made)}", sections=chosen))
        return made[-1]

    yield make
    for post in made:
        post.close()


@pytest.fixture
def post(make_post: MakePost) -> Lone:
    """A notification service that knows Ann, whose welcome is on its way."""
    post = make_post()
    register(post)
    post.settle()
    return post


def register(post: Lone, name: str = "Ann Lee") -> None:
    post.say("UserRegistered", ANN, user_id=ANN, email=EMAIL, name=name)


def order_of(post: Lone, customer: str | None = ANN) -> str:
    order = new_id()
    post.say("OrderCreated", order, order_id=order, customer_id=customer)
    return order


def confirm(post: Lone, order: str, event_id: str | None = None) -> None:
    post.say("OrderConfirmed", order, event_id, order_id=order, **TOTAL)


def sink(post: Lone, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = post.http.get("/notifications/sink", params=query).json()["messages"]
    return found


def messages(post: Lone, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = post.http.get("/notifications", params=query).json()["notifications"]
    return found


def choose(post: Lone, **choices: Any) -> None:
    post.http.put(f"/preferences/{ANN}", json=choices).raise_for_status()


def about(post: Lone, order: str) -> list[tuple[str, str]]:
    return [
        (item["channel"], item["subject"] or item["text"]) for item in sink(post) if order[-8:] in item["text"]
    ]


def test_a_confirmed_order_is_told_by_a_real_email(post: Lone) -> None:
    order = order_of(post)
    confirm(post, order)
    post.settle()
    post.tick()
    welcome, email = sink(post)
    assert welcome["subject"] == "Welcome to Meridian"
    assert (email["recipient"], email["subject"]) == (EMAIL, f"Your order {order[-8:]} is confirmed")
    assert "Hello Ann Lee," in email["text"]
    assert "CHF 1,234.50" in email["text"]
    assert "<strong>CHF 1,234.50</strong>" in email["html"]
    [message] = messages(post, fact=order)
    assert email["message_id"] == f"<{message['id']}@meridian.example>"
    assert (message["state"], message["attempts"], message["last_error"]) == ("sent", 1, None)
    [_, sent] = post.said()
    assert sent.type == "NotificationSent"
    assert sent.payload == {
        "notification_id": message["id"],
        "user_id": ANN,
        "template": "order_confirmed",
        "channel": "email",
    }


@pytest.mark.parametrize(
    ("kind", "payload", "subject", "words"),
    [
        ("OrderCancelled", {"reason": "out_of_stock"}, "is cancelled", "sold out"),
        ("OrderCancelled", {"reason": "changed my mind"}, "is cancelled", "your money back"),
        ("PaymentDeclined", {"attempt": 1, "code": "expired_card"}, "did not go through", "it has expired"),
        ("PaymentDeclined", {"attempt": 1, "code": "do_not_honor"}, "did not go through", "did not say why"),
        ("PaymentRefunded", {"amount_cents": 5, "currency": "USD"}, "on its way back", "USD 0.05"),
        ("ShipmentDispatched", {"carrier": "post", "tracking_number": "RP1XM"}, "is on its way", "RP1XM"),
        ("ShipmentDelivered", {}, "has arrived", "has been delivered"),
    ],
)
def test_everything_that_happens_to_an_order_has_its_message(
    post: Lone, kind: str, payload: dict[str, Any], subject: str, words: str
) -> None:
    order = order_of(post)
    post.say(kind, order, order_id=order, shipment_id=new_id(), **payload)
    post.settle()
    post.tick()
    found = [item for item in sink(post) if subject in item["subject"]]
    assert len(found) == 1
    assert words in found[0]["text"]
    assert words in found[0]["html"]
    assert "{" not in found[0]["text"] + found[0]["subject"]
    assert post.parked() == 0


def test_an_order_of_nobody_and_one_nobody_knows_concern_nobody(post: Lone) -> None:
    confirm(post, order_of(post, None))
    confirm(post, new_id())
    post.settle()
    assert [item["template"] for item in messages(post)] == ["welcome"]
    assert post.parked() == 0


def test_an_event_that_came_before_its_order_is_told_when_the_order_comes(post: Lone) -> None:
    order = new_id()
    confirm(post, order)
    post.settle()
    assert messages(post, fact=order) == []
    post.say("OrderCreated", order, order_id=order, customer_id=ANN)
    post.settle()
    post.tick()
    assert [item["state"] for item in messages(post, fact=order)] == ["sent"]
    with post.service.database.read() as session:  # type: ignore[union-attr]
        assert session.query(HeldEvent).count() == 0


def test_a_message_waits_for_an_address_that_is_not_known_yet(make_post: MakePost) -> None:
    post = make_post()
    order = order_of(post)
    confirm(post, order)
    post.settle()
    post.tick()
    [message] = messages(post, fact=order)
    assert (message["state"], message["attempts"]) == ("queued", 1)
    register(post)
    post.settle()
    post.tick()
    assert [item["state"] for item in messages(post, fact=order)] == ["sent"]


def test_a_fact_that_is_told_in_two_events_is_one_message(post: Lone) -> None:
    order, shipment = order_of(post), new_id()
    for _ in range(2):  # a second answer of shipping's: another event, the same fact
        where = {"carrier": "post", "tracking_number": "RP1XM"}
        post.say("ShipmentDispatched", order, order_id=order, shipment_id=shipment, **where)
        post.settle()
        post.tick()
    assert len(about(post, order)) == 1
    for attempt in (1, 2):  # another attempt is another fact
        post.say("PaymentDeclined", order, order_id=order, attempt=attempt, code="do_not_honor")
    post.settle()
    post.tick()
    assert len(about(post, order)) == 3


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.sampled_from(["created", "confirmed", "again", "cancelled", "outage", "clock"]), max_size=10
    )
)
def test_whatever_comes_twice_or_in_no_order_each_fact_reaches_its_customer_once(
    post: Lone, words: list[str]
) -> None:
    order, last, told = new_id(), None, set()
    for word in [*words, "created", "confirmed"]:
        if word == "created":
            last = post.say("OrderCreated", order, order_id=order, customer_id=ANN)
        elif word == "confirmed":
            last = post.say("OrderConfirmed", order, order_id=order, **TOTAL)
            told.add("is confirmed")
        elif word == "cancelled":
            last = post.say("OrderCancelled", order, order_id=order, reason="why", customer_id=ANN)
            told.add("is cancelled")
        elif word == "again" and last is not None:
            post.bus.publish([last])
        elif word == "outage":
            post.faults.set("notification.provider-outage", 0.3)
        elif word == "clock":
            post.tick()
        post.settle()
    post.faults.clear()
    post.tick()
    assert sorted(subject for _, subject in about(post, order)) == [
        f"Your order {order[-8:]} {what}" for what in sorted(told)
    ]
    assert post.parked() == 0


def test_the_channels_are_the_customers_choice(post: Lone) -> None:
    choose(post, sms={"number": "+41791234567"}, push={"device": "device-0001"})
    order, where = order_of(post), {"carrier": "post", "tracking_number": "RP1XM"}
    post.say("ShipmentDispatched", order, order_id=order, shipment_id=new_id(), **where)
    post.settle()
    post.tick()
    assert sorted(channel for channel, _ in about(post, order)) == ["email", "push", "sms"]
    [sms] = sink(post, channel="sms")
    assert (sms["recipient"], sms["html"]) == ("+41791234567", None)
    assert len(sms["text"]) <= 160
    choose(post, sms={"number": "+41791234567", "enabled": False})
    order = order_of(post)
    post.say("ShipmentDispatched", order, order_id=order, shipment_id=new_id(), **where)
    post.settle()
    post.tick()
    assert [channel for channel, _ in about(post, order)] == ["email"]


def test_one_can_decline_marketing_and_not_what_belongs_to_an_order(post: Lone) -> None:
    choose(post, email={"marketing": False})
    order = order_of(post)
    post.say("ShipmentDelivered", order, order_id=order, shipment_id=new_id())
    post.settle()
    post.tick()
    states = {item["template"]: item["state"] for item in messages(post)}
    assert states == {"welcome": "sent", "order_delivered": "sent", "review_invitation": "suppressed"}
    assert post.http.put(f"/preferences/{ANN}", json={"email": {"enabled": False}}).status_code == 422


def test_who_declines_while_a_message_waits_does_not_get_it(post: Lone) -> None:
    order = order_of(post)
    post.say("ShipmentDelivered", order, order_id=order, shipment_id=new_id())
    post.settle()
    choose(post, email={"marketing": False})
    post.tick()
    assert {item["template"]: item["state"] for item in messages(post)}["review_invitation"] == "suppressed"


def test_the_night_holds_back_what_makes_a_sound(post: Lone) -> None:
    at = now()
    hours = [(at + timedelta(hours=shift)).strftime("%H:%M") for shift in (-2, 2)]
    choose(post, push={"device": "device-0001"}, quiet_hours={"start": hours[0], "end": hours[1]})
    order = order_of(post)
    confirm(post, order)
    post.settle()
    post.tick()
    states = {item["channel"]: item["state"] for item in messages(post, fact=order)}
    assert states == {"email": "sent", "push": "queued"}
    choose(post, push={"device": "device-0001"})
    wake(post)
    post.tick()
    assert {item["state"] for item in messages(post, fact=order)} == {"sent"}


def wake(post: Lone, **values: Any) -> None:
    """Make the time of everything that waits have come."""
    assert post.service.database is not None
    with post.service.database.write() as session:
        session.execute(update(Notification).values(due_at=now(), **values))


def test_an_outage_is_waited_out_and_ends_in_a_dead_message_that_can_be_sent_again(make_post: MakePost) -> None:
    post = make_post(tries="3")
    register(post)
    post.faults.set("notification.provider-outage", 1)
    post.settle()
    for attempt in (1, 2):
        post.tick()
        [message] = messages(post)
        assert (message["state"], message["attempts"]) == ("queued", attempt)
    post.tick()
    [message] = messages(post, state="dead")
    assert (message["attempts"], message["last_error"]) == (3, "the mail server is away")
    post.faults.clear()
    post.tick()
    assert sink(post) == []
    path = f"/notifications/{message['id']}/retry"
    assert post.http.post(path, headers=post.as_user(ANN)).status_code == 403
    assert post.http.post(path).status_code == 202
    post.tick()
    assert len(sink(post)) == 1
    assert post.http.post(path).status_code == 409
    assert post.http.post(f"/notifications/{new_id()}/retry").status_code == 404


def test_waits_between_tries_grow(make_post: MakePost) -> None:
    post = make_post(retry_seconds="100", longest_retry_seconds="1000")
    register(post)
    post.faults.set("notification.provider-outage", 1)
    post.settle()
    waits = []
    with freeze_time(now()):
        for _ in range(4):
            post.tick()
            post.tick()  # not yet: nothing happens
            with post.service.database.read() as session:  # type: ignore[union-attr]
                message = session.query(Notification).one()
            waits.append(round((message.due_at - now()).total_seconds(), -1))
            wake(post)
    assert message.attempts == 4
    assert waits == [100, 400, 1000, 1000]


def test_a_mail_server_that_is_not_there_is_waited_for(make_post: MakePost) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, and nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        post = make_post(smtp_host="127.0.0.1", smtp_port=str(taken.getsockname()[1]))
        register(post)
        post.settle()
        post.tick()
        [message] = messages(post)
    assert (message["state"], message["last_error"]) == ("queued", "no mail server: ConnectionRefusedError")


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"sms": {"number": "+41790000000"}}, "the number is not in service"),
        ({"push": {"device": "gone-0001"}}, "the device does not know us any more"),
    ],
)
def test_what_is_refused_for_good_is_not_tried_again(post: Lone, choice: dict[str, Any], reason: str) -> None:
    choose(post, **choice)
    order = order_of(post)
    post.say("PaymentDeclined", order, order_id=order, attempt=1, code="do_not_honor")
    post.settle()
    post.tick()
    [dead] = messages(post, state="dead")
    assert (dead["attempts"], dead["last_error"]) == (1, reason)


def test_busy_providers_are_asked_again(make_post: MakePost) -> None:
    post = make_post(simulated_failures="0.5", tries="20")
    register(post)
    choose(post, sms={"number": "+41791234567"})
    for _ in range(8):
        order = order_of(post)
        post.say("PaymentDeclined", order, order_id=order, attempt=1, code="do_not_honor")
    post.settle()
    for _ in range(20):
        post.tick()
    texts = [item for item in messages(post) if item["channel"] == "sms"]
    assert {item["state"] for item in texts} == {"sent"}
    assert max(item["attempts"] for item in texts) > 1
    assert len(sink(post, channel="sms")) == 8


def test_a_crash_between_sending_and_noting_sends_again_under_the_same_message_id(
    make_post: MakePost, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = make_post(lease_seconds="3600")
    register(post)
    post.settle()
    with monkeypatch.context() as patched:

        def die(*_: Any) -> None:
            raise SystemExit("killed")

        patched.setattr(Delivery, "note", die)
        with pytest.raises(SystemExit):
            post.service.chores[0].run()
    post.tick()
    assert len(sink(post)) == 1, "while the lease lasts, nobody else tries"
    wake(post)
    post.tick()
    first, second = sink(post)
    assert first["message_id"] == second["message_id"]
    assert [item["state"] for item in messages(post)] == ["sent"]


def test_a_sender_that_never_comes_back_does_not_send_for_ever(make_post: MakePost) -> None:
    post = make_post(tries="2")
    register(post)
    post.settle()
    wake(post, attempts=2)
    post.tick()
    assert [item["state"] for item in messages(post)] == ["dead"]
    assert sink(post) == []


def test_a_slow_sender_does_not_overwrite_what_another_one_noted(post: Lone) -> None:
    delivery: Delivery = post.service.chores[0].run.__self__  # type: ignore[attr-defined]
    [slow] = delivery.claim()
    wake(post)
    post.tick()
    before = messages(post)
    delivery.note([(slow.notification, None)])
    post.settle()
    assert messages(post) == before
    assert post.heard() == ["NotificationSent"]


def reset(post: Lone, seconds: float) -> None:
    expires = (now() + timedelta(seconds=seconds)).isoformat()
    post.say("PasswordResetRequested", ANN, user_id=ANN, email=EMAIL, token="secret-token", expires_at=expires)
    post.settle()


def stored(post: Lone) -> list[Notification]:
    with post.service.database.read() as session:  # type: ignore[union-attr]
        return session.query(Notification).filter_by(template="password_reset").all()


def test_a_password_reset_is_sent_and_its_secret_forgotten(post: Lone) -> None:
    reset(post, 600)
    assert stored(post)[0].variables["token"] == "secret-token"
    post.tick()
    assert "secret-token" in sink(post)[-1]["text"]
    assert stored(post)[0].variables == {}
    reset(post, 600)
    post.tick()
    assert len(stored(post)) == 2, "who asks again gets another one"


def test_a_password_reset_that_came_too_late_is_not_sent(post: Lone) -> None:
    reset(post, -1)
    post.tick()
    [late] = messages(post, state="expired")
    assert late["template"] == "password_reset"
    assert stored(post)[0].variables == {}


def test_old_messages_and_events_without_an_order_are_forgotten(post: Lone) -> None:
    confirm(post, new_id())
    post.settle()
    post.tick()
    with post.service.database.write() as session:  # type: ignore[union-attr]
        session.execute(update(Notification).values(created_at=now() - timedelta(days=91)))
        session.execute(update(HeldEvent).values(held_at=now() - timedelta(days=8)))
    post.tick()
    with post.service.database.read() as session:  # type: ignore[union-attr]
        assert (session.query(Notification).count(), session.query(HeldEvent).count()) == (0, 0)
        assert session.query(Contact).count() == 1


def test_nothing_about_a_person_gets_into_the_logs(post: Lone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("mail.log").setLevel(logging.DEBUG)
    choose(post, sms={"number": "+41790000000"})
    reset(post, 600)
    order = order_of(post)
    post.say("PaymentDeclined", order, order_id=order, attempt=1, code="do_not_honor")
    post.settle()
    post.tick()
    assert messages(post, state="dead"), "the test has to have something to log"
    written = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert written
    for secret in (EMAIL, "ann.lee", "Ann Lee", "+41790000000", "secret-token"):
        assert secret not in written


def test_a_name_can_neither_write_headers_nor_html(make_post: MakePost) -> None:
    post = make_post()
    register(post, "<b>Ann</b>\r\nBcc: other@shop.example")
    post.settle()
    post.tick()
    [email] = sink(post)
    assert "&lt;b&gt;Ann&lt;/b&gt;" in email["html"]
    assert "<b>" not in email["html"]
    assert email["recipient"] == EMAIL


def test_a_header_that_was_folded_on_its_way_is_kept_in_one_line(make_post: MakePost) -> None:
    sender = f"Meridian, {'the shop for everything, ' * 4}and more <shop@meridian.example>"
    post = make_post(sender=f'"{sender.replace(" <", chr(34) + " <", 1)}')
    register(post)
    post.settle()
    post.tick()
    [email] = sink(post)
    assert email["sender"].replace('"', "") == sender


def test_an_address_that_is_none_is_given_up_at_once(make_post: MakePost) -> None:
    post = make_post()
    post.say("UserRegistered", ANN, user_id=ANN, email="nobody at nowhere", name="Ann")
    post.settle()
    post.tick()
    [dead] = messages(post, state="dead")
    assert (dead["attempts"], dead["last_error"]) == (1, "the address is not usable")


def test_customers_see_their_own_messages_and_preferences_only(post: Lone) -> None:
    other = post.as_user("b" * 32)
    assert len(post.http.get("/notifications", headers=post.as_user(ANN)).json()["notifications"]) == 1
    assert post.http.get("/notifications", headers=other).json()["notifications"] == []
    assert post.http.get("/notifications/sink", headers=post.as_user(ANN)).status_code == 403
    assert post.http.get("/notifications/sink", headers=post.as_user("c", "admin")).status_code == 200
    for headers, status in ((other, 403), (post.as_user(ANN), 200)):
        assert post.http.get(f"/preferences/{ANN}", headers=headers).status_code == status
        assert post.http.put(f"/preferences/{ANN}", json={}, headers=headers).status_code == status


class Moody:
    """What a mail server says, one answer after the other; then it takes everything."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.taken = 0

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.answers and self.answers[0].endswith("recipient"):
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.taken += 1
        return "250 OK"


@contextmanager
def mail_server(handler: Moody) -> Iterator[int]:
    """A mail server of this character on a port of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(handler, hostname="moody", loop=loop), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@pytest.mark.parametrize("what", ["recipient", "content"])
@pytest.mark.parametrize(("code", "tries", "end"), [(451, 2, "sent"), (550, 1, "dead")])
def test_what_a_mail_server_says_decides(
    make_post: MakePost, what: str, code: int, tries: int, end: str
) -> None:
    server = Moody(f"{code} no such {what}")
    with mail_server(server) as port:
        post = make_post(smtp_host="127.0.0.1", smtp_port=str(port))
        register(post)
        post.settle()
        for _ in range(3):
            post.tick()
    [message] = messages(post)
    assert (message["state"], message["attempts"], server.taken) == (end, tries, int(end == "sent"))
    if end == "dead":
        assert message["last_error"] == f"the mail server said {code}"


def test_a_mail_server_that_says_nothing_is_not_waited_for_long(make_post: MakePost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        post = make_post(smtp_host="127.0.0.1", smtp_port=str(silent.getsockname()[1]), smtp_seconds="0.1")
        register(post)
        post.settle()
        post.tick()
        [message] = messages(post)
    assert (message["state"], message["last_error"]) == ("queued", "no mail server: SMTPServerDisconnected")


def test_a_password_never_goes_over_an_open_line(make_post: MakePost) -> None:
    with pytest.raises(SettingsError, match="STARTTLS"):
        make_post(smtp_host="mail.example", smtp_username="meridian", smtp_password="x")


@pytest.mark.parametrize(
    "choice",
    [
        {"sms": {"number": "0791234567"}},
        {"push": {"device": "no token"}},
        {"quiet_hours": {"start": "22:00", "end": "22:00"}},
        {"quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Mars/Olympus"}},
        {"quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "../../etc/passwd"}},
        {"fax": {}},
    ],
)
def test_choices_that_can_not_be_kept_are_refused(post: Lone, choice: dict[str, Any]) -> None:
    assert post.http.put(f"/preferences/{ANN}", json=choice).status_code == 422


def test_what_became_of_messages_is_counted(post: Lone) -> None:
    labels = {"channel": "email", "template": "welcome", "outcome": "sent"}
    before = REGISTRY.get_sample_value("meridian_notification_messages_total", labels) or 0.0
    post.tick()
    assert REGISTRY.get_sample_value("meridian_notification_messages_total", labels) == before + 1


def test_a_customer_of_the_whole_platform_gets_an_email(make_shop: Any) -> None:
    shop = make_shop()
    body = {"email": EMAIL, "name": "Ann Lee", "password": "a long enough passphrase"}
    user = shop.http.post("/users", json=body).raise_for_status().json()
    shop.stock("TEA", 10)
    lines = [{"sku": "TEA", "quantity": 1}]
    order = (
        shop.http.post("/orders", json={"items": lines, "customer_id": user["id"]}).raise_for_status().json()
    )
    shop.settle()
    shop.expire()
    found = shop.http.get("/notifications/sink", params={"recipient": EMAIL}).json()["messages"]
    assert [item["subject"] for item in found] == [
        "Welcome to Meridian",
        f"Your order {order['id'][-8:]} is confirmed",
    ]
