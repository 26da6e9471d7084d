"""Checks of jwt-and-refresh-rotation: hidden keys, claims, moments and sessions; the tables say what was really done."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import jwt

from labs.checks import LabUnderTest, check, require
from sandboxes.interface import LearnerCodeError

from .support import (
    AUDIENCE,
    REFRESH_SECONDS,
    REFUSED,
    Books,
    Claims,
    Signer,
    at_the_same_moment,
    claims_of,
    decoded,
    digest,
    encoded,
    verified,
)

GRACE, LEEWAY = 10.0, 5
AT_ONCE = 12


@check("forge")
def two_tokens_that_the_naive_verifier_believes(lab: LabUnderTest) -> None:
    """Shows why a token must not choose how it is verified: one without a signature, one signed with the public key."""
    signer = Signer(lab)
    claims = claims_of(lab, 1_800_000_000)
    tokens = lab.call("forge", claims, signer.pem)
    require(
        isinstance(tokens, list) and len(tokens) == 2 and all(isinstance(token, str) for token in tokens),
        "forge must return a list of two tokens.",
    )
    assert isinstance(tokens, list)
    for token, algorithm in zip(map(str, tokens), ("none", "HS256"), strict=True):
        parts = token.split(".")
        require(
            len(parts) == 3, "A token has three parts with two dots between them, also when the third is empty."
        )
        try:
            header, body, signature = (
                json.loads(decoded(parts[0])),
                json.loads(decoded(parts[1])),
                decoded(parts[2]),
            )
        except ValueError:
            header, body, signature = {}, None, b""
        require(
            isinstance(header, dict) and body is not None, "A part of a forged token is not base64url of JSON."
        )
        require(
            header.get("alg") == algorithm,
            "The header must name the algorithm that you want the verifier to use: `none` in the first token, `HS256` "
            "in the second.",
        )
        require(body == claims, "The forged token does not hold the claims that were asked for.")
        expected = b""
        if algorithm == "HS256":
            signed = f"{parts[0]}.{parts[1]}".encode()
            expected = hmac.new(signer.pem.encode(), signed, hashlib.sha256).digest()
        require(
            hmac.compare_digest(signature, expected),
            "The verifier would find the signature wrong. For `none` it is empty; for `HS256` look at what `hmac.new` "
            "in verify_naive is given.",
        )


@check("verify")
def believes_only_what_it_asked_for(lab: LabUnderTest) -> None:
    """Believes our own access tokens in their time, and refuses every other, however well it is signed."""
    pick = lab.random
    now = float(pick.randint(1_700_000_000, 1_900_000_000))
    ours, also_ours, stranger = Signer(lab), Signer(lab), Signer(lab)
    keys = {signer.kid: signer.jwk for signer in (ours, also_ours)}

    def judge(token: str, moment: float = now) -> Claims | str:
        return verified(lab, token, keys, moment)

    good = claims_of(lab, now)
    for signer in (ours, also_ours):
        found = judge(signer.token(good))
        if found == REFUSED:
            today = claims_of(lab, time.time())
            require(
                judge(signer.token(today), time.time()) == REFUSED,
                "A token that is good at the `now` you were given was refused, and one that is good by the "
                "real clock is believed. Who looks at the real clock: your code, or PyJWT?",
            )
        require(
            found == good,
            "A good token, signed with one of the keys, must be believed and its claims returned as they are.",
        )
    for audience in ([good["aud"], "urn:somebody:else"], [good["aud"]]):
        require(
            judge(ours.token(good | {"aud": audience})) == good | {"aud": audience},
            "`aud` may be a list; a token that names us among others is for us.",
        )
    for moment, words in (
        (good["exp"] + LEEWAY - 1, "just after its end"),
        (good["nbf"] - LEEWAY + 1, "just before its start"),
    ):
        require(
            judge(ours.token(good), float(moment)) == good,
            f"Clocks differ: {words}, within LEEWAY, a token must be believed.",
        )

    def refuse(token: str, message: str, moment: float = now) -> None:
        require(judge(token, moment) == REFUSED, message)

    admin = good | {"roles": ["admin"]}
    header = {"typ": "at+jwt", "kid": ours.kid}
    unsigned = f"{encoded(json.dumps(header | {'alg': 'none'}).encode())}.{encoded(json.dumps(admin).encode())}"
    refuse(f"{unsigned}.", "You believed a token with the algorithm `none`.")
    hashed = f"{encoded(json.dumps(header | {'alg': 'HS256'}).encode())}.{encoded(json.dumps(admin).encode())}"
    mac = hmac.new(ours.pem.encode(), hashed.encode(), hashlib.sha256).digest()
    refuse(
        f"{hashed}.{encoded(mac)}",
        "You believed a token that was signed by HS256 with the public key as its secret.",
    )
    refuse(
        stranger.token(admin, kid=ours.kid),
        "You believed a token that a stranger signed under the id of one of your keys.",
    )
    refuse(
        also_ours.token(good, kid=ours.kid),
        "A token names one of the keys and is signed with another of them: that must be refused.",
    )
    refuse(
        stranger.token(admin, jwk=stranger.jwk),
        "You believed a token whose key is not among yours: a key in the token's own header proves nothing.",
    )
    refuse(stranger.token(good), "A token that names a key which you don't have must be refused.")
    refuse(ours.token(good, kid=None), "A token that names no key must be refused.")
    for kind in ("JWT", "id+jwt", None):
        refuse(
            ours.token(good, typ=kind) if kind else _without_type(ours, good),
            "You believed a token of another type. A refresh or ID token with a good signature is no access token.",
        )
    refuse(ours.token(good | {"iss": "urn:somebody:else"}), "You believed a token of another issuer.")
    refuse(
        ours.token(good | {"aud": "urn:somebody:else"}),
        "You believed a token that is meant for another audience.",
    )
    longer = f"{AUDIENCE}-{pick.getrandbits(24):06x}"
    for others in (longer, [longer]):
        refuse(
            ours.token(good | {"aud": others}),
            "You believed a token for another audience, whose name begins like ours. `aud` is a text or a "
            "list of texts, and `in` does not mean the same for both.",
        )
    for claim in ("exp", "nbf", "iat", "sub", "iss", "aud"):
        refuse(
            ours.token({name: value for name, value in good.items() if name != claim}),
            f"You believed a token without `{claim}`. PyJWT checks what is there; what has to be there you say in `require`.",
        )
    refuse(ours.token(good), "You believed a token after its end.", float(good["exp"] + LEEWAY + 1))
    refuse(ours.token(good), "You believed a token before its time.", float(good["nbf"] - LEEWAY - 1))
    head, _, signature = ours.token(good).split(".")
    altered = encoded(json.dumps(admin).encode())
    refuse(
        f"{head}.{altered}.{signature}", "You believed a token whose claims were changed after it was signed."
    )
    for roles in ("administrator", None, [1, 2], {"admin": True}):
        refuse(
            ours.token(good | {"roles": roles}),
            "You believed a token whose `roles` are no list of strings: a search in a text finds `admin` in words "
            "that only contain it.",
        )
    refuse(
        ours.token({name: value for name, value in good.items() if name != "roles"}),
        "You believed a token without `roles`.",
    )
    refuse(
        ours.token(good | {"note": "x" * 5_000}),
        "You looked into a token that is longer than 4,096 characters.",
    )
    for text in ("", ".", "a.b", "a.b.c", f"{head}.{signature}", "é" * 50, f"{head}..{signature}"):
        refuse(text, "You believed a text that is no token.")


def _without_type(signer: Signer, claims: Claims) -> str:
    """PyJWT writes `typ: JWT` when none is given; this one has none at all."""
    header = encoded(json.dumps({"alg": "ES256", "kid": signer.kid}).encode())
    signed = f"{header}.{encoded(json.dumps(claims).encode())}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{signed}.{encoded(algorithm.sign(signed.encode(), signer.private))}"


Step = list[Any]


@check("keys")
def asks_for_keys_seldom_and_survives_an_outage(lab: LabUnderTest) -> None:
    """Sees a rotation at once, asks every ten seconds at most, whatever it is sent, and lives through an outage."""
    pick = lab.random
    first, second, third = (f"{pick.getrandbits(40):010x}" for _ in range(3))

    def play(*steps: Step) -> list[tuple[str, int]]:
        try:
            found = lab.call("play", list(steps))
        except LearnerCodeError as error:
            require(
                error.name not in OS_ERRORS,
                f"fetch raised an OSError, of the kind {error.name}, and it came out of `get`: nobody there, "
                "no answer in time, no way to it, each of them means that the user service is down.",
            )
            raise
        require(
            isinstance(found, list) and all(isinstance(one, list) for one in found),
            "play must return its list.",
        )
        assert isinstance(found, list)
        return [(str(one[0]), int(one[1])) for one in found]  # type: ignore[index, arg-type, call-overload]

    short = pick.uniform(11, 60)
    publish: Step = [0, "publish", [first]]
    found = play(publish, [0, "get", first], [1, "get", first], [280, "get", first])
    require(found[0] == (first, 1), "The keys must be fetched when the first one is needed.")
    require(found[-1] == (first, 1), "Keys that are at hand and fresh must not be fetched again.")
    found = play(publish, [0, "get", first], [300 + short, "get", first], [1, "get", first])
    require(
        found[1:] == [(first, 2), (first, 2)],
        "After FRESH seconds the next `get` must fetch the keys anew, and only that one.",
    )
    found = play(
        publish, [0, "get", first], [short, "publish", [first, second]], [0, "get", second], [0, "get", first]
    )
    require(
        found[1:] == [(second, 2), (first, 2)],
        "After a rotation a token names a key that is new to you: fetch, and find it. The keys before it stay.",
    )
    found = play(
        publish, [0, "get", first], [short, "publish", [second]], [0, "get", second], [0, "get", first]
    )
    require(
        found[-1][0] == "Refused",
        "A key that the user service no longer publishes must be refused once you have fetched: what has leaked is "
        "taken away so.",
    )
    names = [f"{pick.getrandbits(32):08x}" for _ in range(60)]
    found = play(publish, [0, "get", first], *[[0.5, "get", name] for name in names])
    require({result for result, _ in found[1:]} == {"Refused"}, "An id that nobody publishes must be Refused.")
    require(
        found[-1][1] <= 4, "Thirty seconds of made-up ids made you ask more often than every PAUSE seconds."
    )
    require(
        found[-1][1] >= 3,
        "While unknown ids come, a fetch every PAUSE seconds must be made: one of them may be new.",
    )
    found = play([0, "down", None], *[[1, "get", first] for _ in range(25)])
    require(
        {result for result, _ in found} == {"Unavailable"},
        "Without any keys you can't know: that is Unavailable, and not Refused.",
    )
    require(
        found[-1][1] <= 3,
        "While the user service was down you asked more often than every PAUSE seconds: a failure counts, too.",
    )
    found = play([0, "down", None], [0, "get", first], [0, "up", None], publish, [PAUSE_LATER, "get", first])
    require(found[-1] == (first, 2), "When the user service is back, the next fetch must be used.")
    found = play(
        publish,
        [0, "get", first],
        [0, "down", None],
        [3000, "get", first],
        [500, "get", first],
        [200, "get", first],
    )
    require(
        found[1][0] == first and found[2][0] == first,
        "While the user service is down, the keys at hand must serve on until they are STALE seconds old.",
    )
    require(found[3][0] == "Unavailable", "Keys older than STALE seconds must not be believed any more.")
    found = play(publish, [0, "get", first], [0, "down", None], [short, "get", third], [0, "get", first])
    require(
        found[1][0] == "Refused",
        "An id that is not among keys younger than FRESH must be Refused, also when asking anew failed.",
    )
    require(found[2][0] == first, "A fetch that failed must leave the keys at hand as they are.")
    # The successor of keys that were kept through an outage counts its age from its own fetch.
    found = play(
        publish,
        [0, "get", first],
        [0, "down", None],
        [2000, "get", first],
        [0, "up", None],
        [20, "get", first],
        [0, "down", None],
        [3000, "get", first],
    )
    require(
        found[-1][0] == first,
        "The age of the keys counts from the fetch that brought them, not from the first one nor from one that failed.",
    )


PAUSE_LATER = 10.5
OS_ERRORS = ("ConnectionRefusedError", "TimeoutError", "OSError")
"""What the notebook's `play` lets `fetch` raise."""


def rotation(lab: LabUnderTest, function: str) -> Books:
    """What holds with and without forgiveness."""
    pick = lab.random
    books = Books(lab, function)
    start = float(pick.randint(1_000_000, 2_000_000))
    good = "A token that was never used, in its time, must go on."

    opened, beside = books.open(start), books.open(start)
    untouched = books.everything(beside)
    token, now = opened.token, start
    for _ in range(3):
        now += pick.uniform(60, 900)
        successor = books.goes_on(opened, token, now, good)
        state, _, used_at, following = books.token(token) or ("", 0.0, None, None)
        require(
            state == "used" and used_at == now,
            "A token that was used must say so: state `used`, and `used_at`.",
        )
        require(
            following == digest(successor), "A used token must name its successor, by the successor's hash."
        )
        fresh = books.token(successor)
        assert fresh is not None
        require(fresh[0] == "active", "The successor must be active.")
        require(
            abs(fresh[1] - (now + REFRESH_SECONDS)) < 1, "The successor must expire REFRESH_SECONDS after now."
        )
        token = successor
    require(books.ended_at(opened) is None, "A session ended although each of its tokens was used once.")
    _holds_no_token(books, [opened.token, token])

    # The thief used the second token; the owner comes with the first, much later.
    late = now + pick.uniform(60, 900)
    books.refused(opened.token, late, "A token that was used long ago worked again.")
    require(
        books.ended_at(opened) == late,
        "A used token came again, and the session did not end at that moment. Is it committed, although the answer is None?",
    )
    books.refused(
        token,
        late + 1,
        "After a reuse the newest token of the session still works: the thief may hold it. End the session.",
    )
    require(books.everything(beside) == untouched, "A session that has nothing to do with it was changed.")

    for expires, token_expires in ((start + 50, None), (start + 50, start + 900), (None, start + 50)):
        over = books.open(start, expires=expires, token_expires=token_expires)
        before = books.everything(over)
        what = "a session that is over" if expires is not None else "a token that has expired"
        books.refused(over.token, start + 51, f"You went on with {what}.")
        require(books.everything(over) == before, f"You changed something for {what}: nothing must change.")
    ending = books.open(start, expires=start + 5_000)
    last = books.goes_on(ending, ending.token, start + 100, good)
    row = books.token(last)
    assert row is not None
    require(
        row[1] <= start + 5_000,
        "You gave a successor an `expires_at` later than its session's: who refreshes in time would go on "
        "for ever.",
    )
    books.refused(f"t-{pick.getrandbits(64):x}", start, "You accepted a token that was never issued.")

    return books


def race(books: Books) -> None:
    """Many uses of one token at the same moment leave one successor that works."""
    start = float(books.lab.random.randint(1_000_000, 2_000_000))
    raced = books.open(start)
    if books.function == "refresh":
        good_ones = _at_once(books, raced.token, start + 100, "one token")
        require(
            len(good_ones) == 1,
            f"Of {AT_ONCE} uses of one token at the same moment {len(good_ones)} got a successor: exactly "
            "one may. What must the second one wait for, and what may it read only after that?",
        )
        require(
            books.ended_at(raced) is not None,
            "A token was used several times at the same moment, and its session did not end.",
        )
        return
    again = books.open(start)
    books.goes_on(again, again.token, start + 99, "A token that was never used, in its time, must go on.")
    for opened, what in ((raced, "one token"), (again, "a token whose answer was lost")):
        good_ones = _at_once(books, opened.token, start + 100, what)
        active = [token for token in good_ones if (books.token(token) or ("",))[0] == "active"]
        require(
            len(active) <= 1,
            f"{AT_ONCE} uses of {what} at the same moment left {len(active)} successors that are active: "
            "several parties can go on. What must the second one wait for, and what may it read only after "
            "that?",
        )


def _at_once(books: Books, token: str, now: float, what: str) -> list[str]:
    """The successors that many uses of a token at the same moment got."""
    outcomes = at_the_same_moment(
        books.lab, "on_own_connection", [[books.function, token, now] for _ in range(AT_ONCE)]
    )
    require(
        not any(outcome.error for outcome in outcomes),
        f"With {AT_ONCE} uses of {what} at the same moment, {books.function} raised an error.",
    )
    answers = [books.told(outcome.value) for outcome in outcomes]
    good_ones = [str(answer["token"]) for answer in answers if answer is not None]
    require(good_ones, f"Of {AT_ONCE} uses of {what} at the same moment none got a successor.")
    return good_ones


def _holds_no_token(books: Books, tokens: list[str]) -> None:
    with books.lab.sql() as connection:
        for name in ("sessions", "refresh_tokens"):
            for token in tokens:
                found = connection.execute(
                    f"SELECT EXISTS (SELECT FROM {name} AS row WHERE strpos(row::text, %s) > 0)",  # noqa: S608
                    [token],
                ).fetchone()
                require(
                    not (found and found[0]),
                    "A refresh token stands in the database in clear text: store its hash and nothing else.",
                )


@check("rotate")
def a_refresh_token_works_once_and_its_reuse_ends_the_session(lab: LabUnderTest) -> None:
    """Each refresh token works once, also when many use it at the same moment, and a reuse ends the session for all."""
    books = rotation(lab, "refresh")
    start = float(lab.random.randint(1_000_000, 2_000_000))
    opened = books.open(start)
    successor = books.goes_on(
        opened, opened.token, start + 1, "A token that was never used, in its time, must go on."
    )
    with lab.sql() as connection:
        connection.execute(
            "UPDATE refresh_tokens SET state = 'retired' WHERE token_hash = %s", [digest(successor)]
        )
    books.refused(successor, start + 2, "A retired token worked.")
    require(books.ended_at(opened) == start + 2, "A retired token came, and the session did not end.")
    ended = books.everything(opened)
    books.refused(opened.token, start + 50, "A token of a session that has ended worked.")
    require(
        books.everything(opened) == ended,
        "A session that had ended was changed: `ended_at` is when it ended first.",
    )
    race(books)


@check("forgive")
def a_lost_answer_is_forgiven_and_a_theft_is_not(lab: LabUnderTest) -> None:
    """A used token is taken once more within the grace while its successor was not used; every other reuse ends the session."""
    books = rotation(lab, "refresh_forgiving")
    pick = lab.random
    start = float(pick.randint(1_000_000, 2_000_000))
    good = "A token that was never used, in its time, must go on."
    again = (
        "A client lost the answer and asked again within GRACE; its successor was never used. It must go on."
    )

    opened = books.open(start)
    lost = books.goes_on(opened, opened.token, start, good)
    second = books.goes_on(opened, opened.token, start + pick.uniform(1, 5), again)
    third = books.goes_on(
        opened,
        opened.token,
        start + pick.uniform(6, GRACE - 1),
        "A client lost the second answer, too, and asked a third time within GRACE. The successor that was "
        "given last was never used, so it must go on. At which successor did you look?",
    )
    states = [(books.token(token) or ("",))[0] for token in (lost, second, third)]
    require(
        states[:2] == ["retired", "retired"],
        "When an answer is repeated, the successor that was lost must be retired.",
    )
    require(states[2] == "active", "The successor that was given last must be active.")
    row = books.token(opened.token)
    assert row is not None
    require(row[0] == "used", "A token that was forgiven stays `used`.")
    require(row[2] == start, "`used_at` must stay at the first use, or the grace never ends.")
    require(row[3] == digest(third), "The token must name the successor that was given last.")
    following = books.goes_on(opened, third, start + 500, "The successor that was given last must go on.")
    family = books.open(start)
    first = books.goes_on(family, family.token, start, good)
    books.goes_on(family, family.token, start + 2, again)
    books.refused(first, start + 3, "A retired token worked.")
    require(
        books.ended_at(family) == start + 3,
        "A retired token came: somebody got the answer that was thought lost. The session must end, also within the grace.",
    )
    books.refused(lost, start + 600, "A retired token worked.")
    require(books.ended_at(opened) == start + 600, "A retired token came later, and the session did not end.")
    books.refused(following, start + 601, "After a reuse the newest token of the session still works.")

    opened = books.open(start)
    books.goes_on(opened, opened.token, start, good)
    moment = start + GRACE + pick.uniform(0.5, 30)
    books.refused(opened.token, moment, "A used token was forgiven after the grace was over.")
    require(books.ended_at(opened) == moment, "A used token came after the grace, and the session did not end.")

    opened = books.open(start)
    books.goes_on(opened, opened.token, start, good)
    for step in range(1, 4):
        moment = start + step * 4.5
        if moment - start < GRACE:
            books.goes_on(opened, opened.token, moment, again)
        else:
            books.refused(
                opened.token, moment, "The grace was drawn out by asking again: it counts from the first use."
            )

    opened = books.open(start)
    successor = books.goes_on(opened, opened.token, start, good)
    newest = books.goes_on(opened, successor, start + 2, good)
    books.refused(
        opened.token,
        start + 4,
        "A used token was forgiven although its successor had been used: so the answer was not lost, and two parties "
        "hold the session.",
    )
    require(books.ended_at(opened) == start + 4, "Two parties hold the session, and it did not end.")
    books.refused(newest, start + 5, "After a reuse the newest token of the session still works.")
    race(books)


@check("allow")
def sensitive_permissions_are_asked_for_again(lab: LabUnderTest) -> None:
    """Roles decide, unknown permissions are nobody's, and what is sensitive also needs a session and a role that hold now."""
    pick = lab.random
    mark = f"{pick.getrandbits(32):08x}"
    now = float(pick.randint(1_000_000, 2_000_000))
    plain, sensitive, other = f"read-{mark}", f"pay-{mark}", f"other-{mark}"
    clerk, guest = f"clerk-{mark}", f"guest-{mark}"
    books = Books(lab, "refresh")
    with lab.sql() as connection:
        connection.execute(
            "INSERT INTO permissions VALUES (%s, false), (%s, true), (%s, true)", [plain, sensitive, other]
        )
        connection.execute(
            "INSERT INTO grants VALUES (%s, %s), (%s, %s), (%s, %s)",
            [clerk, plain, clerk, sensitive, guest, other],
        )

    def member(*roles: str) -> Claims:
        opened = books.open(now)
        with lab.sql() as connection:
            for role in roles:
                connection.execute("INSERT INTO members VALUES (%s, %s)", [opened.user, role])
        return {"sub": opened.user, "sid": opened.session, "roles": sorted(roles)}

    def ask(claims: Claims, permission: str, expected: bool, message: str, moment: float = now) -> None:
        answer = lab.call("on_own_connection", "allowed", claims, permission, moment)
        require(isinstance(answer, bool), "allowed must return True or False.")
        require(answer is expected, message)

    at_work = member(guest, clerk)
    for permission in (plain, sensitive):
        ask(
            at_work,
            permission,
            True,
            "One of the token's roles has the permission and everything holds now: that must be allowed.",
        )
    ask(at_work, f"none-{mark}", False, "A permission that `permissions` does not know was allowed.")
    ask(member(guest), plain, False, "Somebody without a role that has the permission was allowed.")
    ask(member(), plain, False, "Somebody without any role was allowed.")
    claims = member(clerk)
    ask(
        claims | {"roles": [guest]},
        sensitive,
        False,
        "The token's roles lack the permission; what the user has become since does not count for this token.",
    )
    ask(
        claims | {"roles": [guest]},
        plain,
        False,
        "What is not sensitive is decided by the token's roles alone, also when the user has more by now.",
    )

    demoted = member(guest)
    ask(
        demoted | {"roles": [clerk]},
        plain,
        True,
        "What is not sensitive is decided by the token alone, also when the user has lost the role.",
    )
    ask(
        demoted | {"roles": [clerk]},
        sensitive,
        False,
        "Somebody who has lost the role did what is sensitive with an old token.",
    )

    signed_out = member(clerk)
    with lab.sql() as connection:
        connection.execute(
            "UPDATE sessions SET ended_at = %s WHERE session_id = %s", [now - 1, signed_out["sid"]]
        )
    ask(
        signed_out,
        plain,
        True,
        "What is not sensitive must not ask for the session: the token alone decides until it expires.",
    )
    ask(signed_out, sensitive, False, "A token of a session that has ended did what is sensitive.")
    expired = member(clerk)
    with lab.sql() as connection:
        connection.execute(
            "UPDATE sessions SET expires_at = %s WHERE session_id = %s", [now + 10, expired["sid"]]
        )
    ask(expired, sensitive, True, "The session has not expired yet: that must be allowed.", now + 9)
    ask(expired, sensitive, False, "A token of a session that has expired did what is sensitive.", now + 11)
    claims = member(clerk)
    ask(
        claims | {"sid": f"none-{mark}"},
        sensitive,
        False,
        "A token of a session that does not exist did what is sensitive.",
    )
    ask(
        claims | {"sid": member(clerk)["sid"]},
        sensitive,
        False,
        "A token did what is sensitive with the session of another user.",
    )
