"""Checks of go-http-service: hidden requests to the learner's handlers, and signals to a service around them."""

from __future__ import annotations

import json
import re
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.go_bench import NETWORK, QUIET, TESTING, Trial, drive, require_tests_that_tell

from .support import BROKEN, CONTENT, CORRECT, HANDLERS, conduct, fields, require_problem

JSON_TYPE = "application/json"


def _word(lab: LabUnderTest) -> str:
    return f"{lab.random.getrandbits(32):08x}"


@check("user-api")
def answers_well_and_refuses_well(lab: LabUnderTest) -> None:
    """Answers with the right status and body, refuses with a reason for each field, and keeps its errors to itself."""
    pick = lab.random
    there = [
        {"id": "", "name": f"User {_word(lab)}", "email": f"{_word(lab)}@example.com"}
        for _ in range(pick.randint(23, 29))
    ]
    fresh, trimmed = f"{_word(lab)}@example.com", f"{_word(lab)}@example.org"
    broken, slow, secret = (
        f"{_word(lab)}@example.net",
        f"{_word(lab)}@example.net",
        f"password of shop is {_word(lab)}",
    )
    name, other = f"Ada {_word(lab)}", f"Grace {_word(lab)}"
    umlauts = "ü" * 100

    def post(body: Any, kind: str = JSON_TYPE, **more: Any) -> dict[str, Any]:
        return {
            "method": "POST",
            "path": "/users",
            "type": kind,
            "body": body if isinstance(body, str) else json.dumps(body),
            **more,
        }

    def get(path: str, **more: Any) -> dict[str, Any]:
        return {"method": "GET", "path": path, **more}

    def user(name: str, email: str) -> dict[str, str]:
        return {"name": name, "email": email}

    asked = {
        "add": post(user(name, fresh)),
        "charset": post(user(f"  {other} ", trimmed), "application/json; charset=utf-8"),
        "long": post(user(umlauts, f"{_word(lab)}@example.com")),
        "short": post(user(pick.choice("ÄÖÜ"), f"{_word(lab)}@example.com")),
        "taken": post(user(other, fresh)),
        "both": post(user("   ", "nobody")),
        "email": post(user(name, f"Ada <{_word(lab)}@example.com>")),
        "too long": post(user("x" * 101, f"{_word(lab)}@example.com")),
        "form": post("name=Ada", "application/x-www-form-urlencoded"),
        "untyped": post(user(name, f"{_word(lab)}@example.com"), ""),
        "no json": post('{"name": '),
        "type": post({"name": 7, "email": fresh}),
        "unknown": post(user(name, f"{_word(lab)}@example.com") | {"admin": True}),
        "two": post(json.dumps(user(name, f"{_word(lab)}@example.com")) + '{"admin": true}'),
        "large": post(user("x" * pick.randint(66_000, 66_400), fresh)),
        "not large": post(user("x" * pick.randint(62_000, 63_000), f"{_word(lab)}@example.com")),
        "broken": post(user(name, broken)),
        "leave": post(user(name, slow), leave=True),
        "leave get": get(f"/users/{slow}", leave=True),
        "get": get("/users/u000002"),
        "gone": get(f"/users/{_word(lab)}"),
        "get broken": get(f"/users/{broken}"),
        "page": get("/users"),
        "few": get("/users?limit=3&after=u000004"),
        "last": get(f"/users?limit=100&after=u{len(there):06d}"),
        "full": get(f"/users?limit=4&after=u{len(there):06d}"),
        "full behind a full one": get(f"/users?limit=2&after=u{len(there) + 2:06d}"),
        "none": get("/users?after=u999999"),
        "one": get("/users?limit=1"),
        "low limit": get("/users?limit=0"),
        "high limit": get("/users?limit=101"),
        "bad limit": get(f"/users?limit={pick.choice(['-1', 'ten', '1e1'])}"),
        "list broken": get(f"/users?after={broken}"),
        "remove": {"method": "DELETE", "path": "/users/u000003"},
        "again": {"method": "DELETE", "path": "/users/u000003"},
        "put": {"method": "PUT", "path": "/users/u000001", "type": JSON_TYPE, "body": "{}"},
    }
    trace, empty = drive(
        lab, CONTENT, "users/routes.go", HANDLERS,
        [
            {"users": there, "broken": [broken], "slow": [slow], "secret": secret, "requests": list(asked.values())},
            {"users": [], "requests": [get("/users")]},
        ],
        "store.go", "answers.go",
    )  # fmt: skip
    got = dict(zip(asked, trace["answers"], strict=True))
    require(
        not any(one["status"] == -1 for one in got.values()),
        "A request got no answer: the handler broke the connection.",
    )

    made = fields(got["add"])
    require(
        got["add"]["status"] == 201, "A user was added, and the status does not say that something was created."
    )
    require(
        isinstance(made, dict) and made.get("name") == name and made.get("email") == fresh and made.get("id"),
        "The answer to an added user is not that user, with the id that the store gave.",
    )
    require(
        got["add"]["location"] == f"/users/{made['id']}",
        "The answer to an added user does not say where the user is found (Location).",
    )
    require(
        got["charset"]["status"] == 201,
        "application/json with a charset is JSON too: parse the media type instead of comparing it.",
    )
    require(
        (fields(got["charset"]) or {}).get("name") == other,
        "White space around the name is to be taken off before it is kept.",
    )
    require(
        got["long"]["status"] == 201, "A name of a hundred characters was refused: characters are not bytes."
    )
    require(
        got["short"]["status"] == 201,
        "A name of one character was refused: the bounds of a length belong to it.",
    )
    for key in ("add", "get", "page"):
        require(got[key]["type"].split(";")[0] == JSON_TYPE, "A user and a page of users are application/json.")
    require(
        got["get"]["status"] == 200 and (fields(got["get"]) or {}).get("id") == "u000002",
        "GET of a user that is there does not give that user: is the id taken from the address (r.PathValue)?",
    )
    require(
        got["remove"]["status"] == 204 and got["remove"]["body"] == "",
        "A user was removed: that is 204, without a body.",
    )
    require(
        got["put"]["status"] == 405,
        "A method that an address does not have is to be refused by 405: let the patterns name the method.",
    )

    for key, when in {
        "gone": "There is no such user",
        "again": "A user that is gone was removed again",
    }.items():
        require_problem(got[key], 404, when)
    require_problem(got["taken"], 409, "The email address is taken")
    for key in ("form", "untyped"):
        require_problem(got[key], 415, "The body does not say that it is JSON")
    for key, when in {
        "no json": "The body is not JSON", "type": "The name is a number", "unknown": "The body has a field that does not exist",
        "two": "There is more behind the object", "low limit": "The limit of a list is no number from 1 to 100",
        "high limit": "The limit of a list is no number from 1 to 100", "bad limit": "The limit of a list is no number",
    }.items():  # fmt: skip
        require_problem(got[key], 400, when)
    require_problem(got["large"], 413, "The body is larger than 64 KB")
    fields_wrong = {"both": {"name", "email"}, "email": {"email"}, "too long": {"name"}, "not large": {"name"}}
    for key, wrong in fields_wrong.items():
        require_problem(got[key], 422, "A field is not valid")
        faults = fields(got[key]).get("errors")
        named = (
            {one.get("field") for one in faults if isinstance(one, dict)} if isinstance(faults, list) else set()
        )
        require(
            named == wrong,
            "The faults of fields are not told one by one: `errors` holds an entry for each that is wrong, all "
            "at once, and for no other.",
        )
    for key in ("broken", "get broken", "list broken"):
        require_problem(got[key], 500, "The store failed")
        require(
            secret not in got[key]["body"],
            "The text of an internal error was told to the caller: what it says is for the log alone.",
        )
    require(
        got["leave"]["heard"] and got["leave get"]["heard"],
        "The client went away, and the store still works for it: give it the request's context.",
    )

    ids = [f"u{n:06d}" for n in range(1, len(there) + 10)]
    page, few, last, none, first = (fields(got[key]) or {} for key in ("page", "few", "last", "none", "one"))
    full, behind = (fields(got[key]) or {} for key in ("full", "full behind a full one"))
    nobody = fields(empty["answers"][0]) or {}
    for one in (page, few, last, none, first, full, behind, nobody):
        require(
            isinstance(one.get("users"), list),
            "A page is an object with a list `users`, also when nobody is on it: [] and not null.",
        )
    require([one["id"] for one in page["users"]] == ids[:20], "Without a limit a page has the first 20 users.")
    require(
        [one["id"] for one in few["users"]] == ids[4:7] and [one["id"] for one in first["users"]] == ids[:1],
        "A page with a limit has that many users, those behind `after`.",
    )
    require(
        page.get("next") == ids[19] and few.get("next") == ids[6],
        "`next` of a page is what the next one comes `after`: the last id on this page.",
    )
    require(
        not last.get("next") and not none.get("next"),
        "The last page has no `next`: whoever follows it would ask for ever.",
    )
    require(
        len(full["users"]) == 4 and len(behind["users"]) == 2,
        "A page with a limit has that many users, those behind `after`.",
    )
    require(
        not full.get("next") and not behind.get("next"),
        "The page was the last one, and exactly full, but it had a `next`. Does anybody come behind it?",
    )
    emails = {one["email"] for one in trace["users"]}
    require(
        len(trace["users"]) == len(there) + 3 and fresh in emails,
        "A request that was refused left a user behind: does every refusal return before the store is asked?",
    )


@check("middleware")
def every_request_is_known_and_survived(lab: LabUnderTest) -> None:
    """Gives each request one id and one line in the log, and turns a panic into an answer, or into a visible break."""
    pick = lab.random
    mine, secret = f"req-{_word(lab)}.{_word(lab)}", f"nil map of {_word(lab)}"
    status = pick.choice([201, 202, 404, 409, 503])
    odd = pick.choice([f"{_word(lab)} x", f"{_word(lab)}<b>", "z" * 65, f'{_word(lab)}"'])

    def request(do: str, **more: Any) -> dict[str, Any]:
        return {"path": f"/{do.replace(' ', '-')}/{_word(lab)}", "do": do, **more}

    asked = {
        "plain": request("answer", status=status, text="hello"),
        "given": request("answer", status=200, text="hello", id=mine),
        "odd": request("answer", status=200, text="hello", id=odd),
        "nothing": request("nothing"),
        "panic": request("panic", text=secret),
        "late": request("late", status=206, text=secret),
        "late plain": request("late", status=200, text=secret),
        "late bare": request("late bare", status=200, text=secret),
        "late flush": request("late flush", status=200, text=secret),
        "twice": request("twice", status=status, text="hello"),
        "abort": request("abort"),
        "flush": request("flush"),
        "after": request("answer", status=200, text="still here"),
    }
    many = [request("answer", status=200 + n, text="hello") for n in range(8)]
    one, together = drive(
        lab,
        CONTENT,
        "middle/middle.go",
        HANDLERS,
        [{"requests": list(asked.values())}, {"requests": many, "together": True}],
        "recorder.go",
    )
    got = dict(zip(asked, one["answers"], strict=True))
    lines = {
        key: [line for line in one["lines"] if line.get("path") == given["path"]]
        for key, given in asked.items()
    }
    require(
        (got["plain"]["status"], got["plain"]["body"]) == (status, "hello") and got["nothing"]["status"] == 200,
        "The middleware changed what the handler answered: what wraps the ResponseWriter hands everything on as it came.",
    )
    require(
        got["panic"]["status"] == 500 and got["after"]["status"] == 200,
        "A handler panicked before it had answered: the client must get an answer of 500, and the service go on.",
    )
    require(
        got["panic"]["type"].split(";")[0] == "application/problem+json"
        and (fields(got["panic"]) or {}).get("status") == 500,
        "The answer to a panic is not a problem like any other (application/problem+json with its status).",
    )
    cut = ("late", "late plain", "late bare")
    require(
        secret not in got["panic"]["body"],
        "The value of the panic was told to the caller: it is for the log alone.",
    )
    require(
        all(got[key]["status"] in (0, asked[key]["status"]) and not got[key]["whole"] for key in cut),
        "A handler panicked in the middle of its answer, and the client can't see that it is not whole: nothing "
        "can be mended any more, "
        "so break the connection (panic with http.ErrAbortHandler).",
    )
    require(
        got["abort"]["status"] == 0,
        "A handler ended with http.ErrAbortHandler, which breaks the connection on purpose, and the client got an answer.",
    )
    require(
        got["flush"]["prompt"] and got["flush"]["body"].endswith("second\n"),
        "A handler flushed and nothing arrived: what wraps a ResponseWriter has to let http.ResponseController through (Unwrap).",
    )
    require(
        got["late flush"]["status"] in (0, 200) and not got["late flush"]["whole"],
        "A handler flushed before it had written anything, and then panicked: the flush has sent the status, so the answer had "
        "begun, and the client can't see that it is not whole. A flush that goes by Unwrap passes what you watch: FlushError.",
    )
    cut = (*cut, "late flush")
    whole = [key for key in asked if key not in (*cut, "abort")]
    ids = [got[key]["id"] for key in whole]
    require(all(ids), "An answer has no X-Request-ID: set it before the handler writes.")
    require(
        all(got[key]["inner"] == got[key]["id"] for key in whole),
        "ID(r.Context()) in the handler is not the id that the answer has.",
    )
    require(
        got["given"]["id"] == mine,
        "The client sent an id of its own that is well-formed, and it was not kept: a trace through several services breaks.",
    )
    require(
        got["odd"]["id"] != odd,
        "An id of the client that is not well-formed (1 to 64 letters, digits, dots, dashes or underscores) was "
        "taken over: it would stand in every log as it is.",
    )
    require(
        all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", one) for one in ids),
        "A new id is not well-formed itself (1 to 64 letters, digits, dots, dashes or underscores): the next service "
        "would replace it.",
    )
    require(
        len(set(ids)) == len(ids), "Two requests have the same id: make a new one for each that brings none."
    )
    require(
        one["outside"] == "",
        "ID of a context that belongs to no request must be empty: nothing was put into that context.",
    )
    for key in asked:
        require(
            len(lines[key]) == 1,
            f"There must be one line in the log for each request, whatever became of it: for one there were {len(lines[key])}.",
        )
    for key in whole:
        (line,) = lines[key]
        require(
            line.get("id") == got[key]["id"]
            and line.get("method") == "GET"
            and line.get("status") == got[key]["status"],
            "A line of the log does not have the request's id, method and status (under these names). The status is the one that "
            "the client saw, the first.",
        )
    for key in ("panic", *cut):
        (line,) = lines[key]
        require(
            line.get("level") == "ERROR" and secret in json.dumps(line),
            "A panic is not in the log with its value, as an error: nobody would ever know of it.",
        )
    require(
        all(lines[key][0].get("status") == asked[key]["status"] for key in cut),
        "The log has another status than the one with which the answer had begun.",
    )
    require(
        all(lines[key][0].get("level") == "INFO" for key in ("plain", "given", "nothing", "after")),
        "A request that went well is in the log as something worse: only a panic is an error here.",
    )
    inner = [answer["inner"] for answer in together["answers"]]
    require(
        len(set(inner)) == len(many) and all(answer["id"] == answer["inner"] for answer in together["answers"]),
        "Requests at the same time got each other's ids: what belongs to one request must not stand where all see it.",
    )


@check("graceful-stop")
def stops_without_losing_a_request(lab: LabUnderTest) -> None:
    """Finishes every request in flight after SIGTERM, takes no new ones, gives up after the grace period, and tells a failure."""
    count = lab.random.randint(4, 7)
    scenes = conduct(lab, count)
    drain, grace, broken, halting = (scenes[name] for name in ("drain", "grace", "broken", "halting"))
    require(
        drain["refused"],
        "After SIGTERM the service still accepted connections: whoever comes now should go to another replica.",
    )
    require(
        not drain.get("deserted"),
        "Run returned while requests were in flight, and the process would have ended with them. "
        "Serve returns at once when Shutdown begins: wait for Shutdown itself.",
    )
    require(
        drain["whole"] == count,
        f"Of {count} requests in flight at SIGTERM {count - drain['whole']} got no whole answer. Were their "
        f"contexts cancelled with the signal, or their "
        "connections closed?",
    )
    require(drain["idle_closed"], "A connection on which nothing was asked was kept after SIGTERM.")
    require(drain["exited"], "Every request was answered, and Run never returned: the process does not end.")
    require(
        not drain.get("failed"),
        "Every request was answered within the grace period, and Run returned an error.",
    )
    require(
        grace["exited"],
        "Requests hung after SIGTERM, the grace period was over, and Run had not returned: what never ends must "
        "not decide when the service ends.",
    )
    require(
        grace.get("failed"),
        "Requests were cut off after the grace period, and Run returned nil: whoever started it should know.",
    )
    require(
        grace.get("deadline"),
        "When the grace period is over, the error must wrap that of the context that ran out (context.DeadlineExceeded).",
    )
    require(
        grace["cut"] == grace["asked"],
        "The grace period was over, Run had returned, and connections were left open: a handler that does not look at its "
        "context keeps the one it answers until somebody closes it.",
    )
    require(
        grace.get("ended") == grace["asked"] - 1,  # one is deaf
        "The grace period was over, and not all of the requests that still ran heard of it: their context was not cancelled. To "
        "close a connection is not enough, since the server doesn't look at it while a body waits to be read.",
    )
    require(
        broken["exited"] and broken.get("failed") and not broken.get("signalled"),
        "The listener failed, and Run did not return its error: a service that can't serve must end and not wait for a signal.",
    )
    require(
        halting["dropped"],
        "A client sent half a header and then nothing, and its connection was kept: the zero value of "
        "http.Server waits for ever.",
    )
    require(
        halting["exited"] and not halting.get("failed"),
        "With nothing in flight the service must end at once, and without an error.",
    )
    left = max(one.get("left", 0) for one in (drain, grace, halting))
    require(
        left == 0,
        f"Run had returned, and goroutines that it started were still there: {left}, seconds later. Each waits for somebody who "
        "has gone. Who receives what Serve returns, when nobody asks any more?",
    )


@check("api-tests")
def tests_tell_right_from_wrong(lab: LabUnderTest) -> None:
    """The tests pass with correct implementations, however these write their JSON, and fail with each that breaks a promise."""
    require_tests_that_tell(
        lab,
        CONTENT,
        Trial(
            tests="users/routes_test.go",
            allowed=QUIET | NETWORK | TESTING | HANDLERS | {"lab/users", "net/http/httptest"},
            implementations="routes.go",
            given=("store.go", "ask_test.go"),
            correct=CORRECT,
            broken=BROKEN,
            too_much="something that was not promised, such as the white space in the JSON, a Content-Type without `charset`, "
            "or the words of a detail",
        ),
    )
