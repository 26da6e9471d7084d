"""Checks of api-versioning: hidden documents, schemas, products, requests, contracts and clocks."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from labs.checks import LabUnderTest, check, require
from sandboxes.interface import LearnerCodeError

from .support import Json, Wrapped, a_schema, altered, compared, raised_or_read, word, words

KNOWN = ("on_sale", "sold_out", "retired")
EMPTY: Json = {}


@check("read")
def reads_what_it_can_and_refuses_what_it_must(lab: LabUnderTest) -> None:
    """Ignores what is new, names what it doesn't know, fills in what is optional, and insists on the little that it needs."""
    pick = lab.random
    good: Json = {
        "sku": word(pick).upper(),
        "price_cents": pick.randint(10, 99_999),
        "currency": word(pick)[:3].upper(),
        "status": "sold_out",
        "tags": words(pick, 3),
    }

    def read(message: str, **changes: Any) -> Json:
        found = raised_or_read(lab, good | changes)
        require(found is not None, message)
        assert found is not None
        return found

    def refused(document: Any, message: str) -> None:
        require(raised_or_read(lab, document) is None, message)

    for known in KNOWN:
        found = read("A good document must be read.", status=known)
        require(
            found == good | {"status": known, "buyable": known == "on_sale"},
            "A good document must give exactly the keys of the table, with the document's own values.",
        )
    require(
        read("A field that this client doesn't use stopped it.", **{word(pick): [1, {"x": None}]})
        == good | {"buyable": False},
        "A field that this client doesn't know must be ignored: it stands in the result.",
    )
    status: Any
    for status in (word(pick), None, 7, True, [KNOWN[0]], {"name": KNOWN[0]}, KNOWN[0].upper(), ""):
        found = read("An unknown status stopped the client: it must become a named fallback.", status=status)
        require(found.get("status") == "unknown", "A status that is not in KNOWN must become `unknown`.")
        require(
            found.get("buyable") is False,
            "A product of which the status isn't known was buyable: not knowing must lead to the safe choice.",
        )
    for name, default in (("currency", "USD"), ("tags", []), ("status", "unknown")):
        without = {key: value for key, value in good.items() if key != name}
        for document in (without, without | {name: None}):
            answer = raised_or_read(lab, document)
            require(answer is not None, f"`{name}` is optional: missing and null must both be read.")
            assert answer is not None
            require(answer.get(name) == default, f"A missing or null `{name}` must become its default.")
    mixed = [word(pick), 3, None, word(pick), ["x"], ""]
    kept = read("A list of tags with other things in it must be read.", tags=mixed).get("tags")
    require(
        kept != [tag for tag in mixed if tag and isinstance(tag, str)],
        "Of `tags` an empty text was left out. It is a text, too.",
    )
    require(
        kept == [tag for tag in mixed if isinstance(tag, str)],
        "Of `tags` those that are texts must stay, in their order, and the others be left out.",
    )
    require(
        read("A price of 0 is a price.", price_cents=0).get("price_cents") == 0, "A price of 0 must stay 0."
    )
    require(
        read("An empty text is a text.", currency="").get("currency") == "",
        "A currency that is a text stays as it is.",
    )
    for price in (None, str(good["price_cents"]), good["price_cents"] + 0.5, True, -1, [EMPTY], {"amount": 3}):
        refused(
            good | {"price_cents": price},
            "You accepted a price that is no whole number of 0 or more. A guess is worse than a refusal here.",
        )
    for sku in (None, "", 17, ["A"]):
        refused(good | {"sku": sku}, "You accepted a document without a usable `sku`.")
    for name in ("sku", "price_cents"):
        refused(
            {key: value for key, value in good.items() if key != name},
            f"You accepted a document without `{name}`, which the client can't do without.",
        )
    for currency in (978, ["EUR"], False, EMPTY):
        refused(good | {"currency": currency}, "You accepted a currency that is no text.")
    for tags in ("new", 0, {"a": 1}, False):
        refused(good | {"tags": tags}, "You accepted `tags` that are no list.")
    for shapeless in (None, [], [good], "product", 3):
        refused(shapeless, "You accepted a document that is no object.")


@check("compare")
def finds_what_breaks_in_each_direction(lab: LabUnderTest) -> None:
    """Finds removed and narrowed, widened and newly required parts at any depth, each in the direction in which it breaks."""
    pick = lab.random
    text, whole = {"type": "string"}, {"type": "integer"}

    def thing(properties: Json, *needed: str) -> Json:
        return {"type": "object", "properties": properties, "required": list(needed)}

    def judge(old: Json, new: Json, request: list[list[str]], response: list[list[str]], message: str) -> None:
        place = Wrapped(pick)
        for direction, expected in (("request", request), ("response", response)):
            inside = sorted([place.path(path), change] for path, change in expected)
            for before, after, wanted, where in (
                (old, new, expected, ""),
                (place.schema(old), place.schema(new), inside, " It lies inside other objects and lists."),
            ):
                found = lab.call("breaking_changes", before, after, direction)
                require(isinstance(found, list), "breaking_changes must return a list.")
                require(found == wanted, f"In a {direction}: {message}{where}")

    def both(old: Json, new: Json, found: list[list[str]], message: str) -> None:
        judge(old, new, found, found, message)

    a, b, c = words(pick, 3)
    base = thing({a: text, b: whole}, a)
    both(base, base, [], "a schema that did not change breaks nobody.")
    both(base, thing({a: text, b: whole, c: text}, a), [], "a new optional property breaks nobody.")
    both(base, thing({a: text}, a), [[b, "removed"]], "a property was removed, an optional one.")
    judge(
        base,
        thing({b: whole}),
        [[a, "removed"]],
        [[a, "removed"]],
        "a required property was removed: that is one change, `removed`.",
    )
    judge(
        base,
        thing({a: text, b: whole, c: text}, a, c),
        [[c, "required"]],
        [],
        "a new property is required. Those who send requests don't know it; those who read responses gain.",
    )
    judge(
        base, thing({a: text, b: whole}, a, b), [[b, "required"]], [], "an optional property became required."
    )
    judge(base, thing({a: text, b: whole}), [], [[a, "optional"]], "a required property became optional.")
    judge(
        thing({a: text, b: text}, a, b),
        thing({a: text, c: text}, a, c),
        sorted([[b, "removed"], [c, "required"]]),
        [[b, "removed"]],
        "a property got another name.",
    )
    both(whole, text, [["", "type"]], "a number became a text.")
    wider = (
        "a type was widened. Who sends may still send what was sent; who reads may get what it has never seen."
    )
    narrower = "a type was narrowed. Who reads gets nothing new; who sends may send what is refused now."
    a_number = "Every integer is a number, but not the other way round."
    real = {"type": "number"}
    judge(whole, real, [], [["", "type"]], f"`integer` became `number`, which is a wider type. {a_number}")
    judge(real, whole, [["", "type"]], [], f"`number` became `integer`, which is a narrower type. {a_number}")
    for narrow, wide in (
        ("string", ["string", "null"]),
        (["integer", "null"], ["null", "number"]),
        (["object", "string"], None),
    ):
        small, large = {"type": narrow}, {"type": wide} if wide else {"description": word(pick)}
        judge(small, large, [], [["", "type"]], wider)
        judge(large, small, [["", "type"]], [], narrower)
    both({"type": "string"}, {"type": ["string"]}, [], "a type stands in a list now and is the same.")
    both(
        {"type": ["number", "string"]},
        {"type": ["string", "integer", "number"]},
        [],
        "an integer is a number, and the order of names says nothing.",
    )
    values = words(pick, 4)
    more, fewer = {"type": "string", "enum": values}, {"type": "string", "enum": list(reversed(values[:3]))}
    added = "a value was added to an enum: who sends is not hurt, who reads has never heard of it."
    taken = "a value was taken out of an enum: who sends it is refused, who reads is not hurt."
    judge(fewer, more, [], [["", "enum"]], added)
    judge(more, fewer, [["", "enum"]], [], taken)
    judge(more, text, [], [["", "enum"]], "an enum was dropped: now any value may come.")
    judge(text, more, [["", "enum"]], [], "an enum came in where every value was allowed.")
    both(
        more | {"description": word(pick), "maxLength": 9},
        more | {"title": word(pick)},
        [],
        "keys that the task doesn't name are ignored.",
    )
    row = {"type": "array", "items": {"type": "array", "items": thing({a: fewer, b: text}, b)}}
    changed = {"type": "array", "items": {"type": "array", "items": thing({a: more, b: text})}}
    judge(
        row,
        changed,
        [],
        sorted([[f"[][].{a}", "enum"], [f"[][].{b}", "optional"]]),
        "changes lie in elements of lists.",
    )
    judge(
        thing({a: {"type": ["object", "null"], "properties": {b: text}}}),
        thing({a: {"type": "object", "properties": {b: whole}}}),
        [[a, "type"], [f"{a}.{b}", "type"]],
        [[f"{a}.{b}", "type"]],
        "a type changed and something inside as well: both count.",
    )
    both(
        thing({a: {"properties": {b: text}}, b: {"items": text}}),
        thing({a: {"description": c}, b: {"description": c}}),
        [[f"{a}.{b}", "removed"]],
        "a schema that lost its `properties` as a whole has lost each of them (`removed`), and one that lost its `items` has "
        "lost nothing that has a name.",
    )
    for _ in range(40):
        old = a_schema(pick)
        new = altered(pick, old)
        for direction in ("request", "response"):
            require(
                lab.call("breaking_changes", old, new, direction) == compared(old, new, direction),
                f"In a {direction}: with several changes at once, at several depths, something is missing, too much, or "
                "not sorted.",
            )


@check("translate")
def two_faces_of_one_model(lab: LabUnderTest) -> None:
    """Says one product in two versions to the cent, loses nothing by a write in either, and invents no price."""
    pick = lab.random

    def run(function: str, *arguments: Json) -> Any:
        try:
            answer = lab.call("unchanged", function, *arguments)
        except LearnerCodeError as error:
            require(False, f"{function} raised {error.name}.")
            raise
        require(isinstance(answer, list) and len(answer) == 2, "`unchanged` must return its list.")
        assert isinstance(answer, list)
        require(answer[1] is True, f"{function} changed one of its arguments.")
        return answer[0]

    exact = " Does it pass through a float? Cutting off hurts small amounts, rounding large ones."

    def stored(function: str, found: Any, cents: int) -> None:
        require(isinstance(found, dict), f"{function} must return the product, a dictionary.")
        now = found.get("cents")
        require(
            isinstance(now, int) and not isinstance(now, bool),
            f"After a write of a price {function} must give the product a whole number of `cents`. Its type is "
            f"{type(now).__name__}.",
        )
        off = abs(now - cents)
        # Further off than a float can be: then it is something else.
        why = exact if off <= max(1, cents >> 50) else ""
        require(
            off == 0, f"After {function} the price is another one than was written: off by {off} (cents).{why}"
        )

    amounts = [0, 1, 5, 10, 29, 57, 99, 100, 101, 110, 115, 1_001_00, 4_35, 1_13, 999_999_999_99]
    # Above 2 ** 53 cents a float hits few amounts, with and without rounding.
    large = [2**53 + 1, *(2 * pick.randint(2**54, 2**56) + 1 for _ in range(3))]
    for cents in [*amounts, *(pick.randint(1, 10_000_000) for _ in range(8)), *large]:
        product = _product(lab, cents)
        v1, v2 = _v1(product), _v2(product)
        found = run("to_v1", product)
        require(
            found != "NotInV1",
            "to_v1 raised NotInV1 for a product that has a price. A price of 0 is one, too.",
        )
        require(found == v1, "to_v1 does not give the document of v1.")
        found = run("to_v2", product)
        require(isinstance(found, dict), "to_v2 must return a dictionary.")
        require(
            found.get("price") is not None,
            "to_v2 says null for a product that has a price. A price of 0 is one, too.",
        )
        require(
            cents not in large or found["price"] == v2["price"],
            f"The price in v2 is wrong for a large amount: cents are lost or invented.{exact}",
        )
        require(
            found["price"] == v2["price"],
            "The price in v2 is wrong: an amount is a text with exactly two decimals, beside its currency.",
        )
        require(found == v2, "to_v2 does not give the document of v2.")
        require(
            run("apply_v1", product, v1) == product, "Reading by v1 and writing it back changed the product."
        )
        back = run("apply_v2", product, v2)
        stored("apply_v2", back, cents)
        require(back == product, "Reading by v2 and writing it back changed the product.")
        other = _product(lab, pick.choice(amounts))
        for version, written, silent in (
            ("v1", _v1(other), ("sku", "categories", "note")),
            ("v2", _v2(other), ("sku", "note")),
        ):
            found = run(f"apply_{version}", product, written)
            stored(f"apply_{version}", found, other["cents"])
            require(
                found.get("sku") == product["sku"],
                f"After a write by {version} the product has another sku. The address says which one it is.",
            )
            require(
                all(found.get(name) == product[name] for name in silent),
                f"After a write by {version} something is lost or changed that {version} has no word for.",
            )
            require(
                found == other | {name: product[name] for name in silent},
                f"After a write by {version} what was written is not there, or there is more than that.",
            )
    free = _product(lab, None)
    require(
        run("to_v1", free) == "NotInV1", "v1 can't say that a price is on request: to_v1 must raise NotInV1."
    )
    require(run("to_v2", free) == _v2(free), "A price on request is null in v2.")
    require(
        run("apply_v2", free, _v2(free)) == free,
        "Reading a price on request by v2 and writing it back changed the product. Does its currency stay?",
    )
    priced = _product(lab, pick.randint(1, 9_999))
    require(
        run("apply_v2", priced, _v2(priced) | {"price": None}) == priced | {"cents": None},
        "A client of v2 took the price away: then there is none, and the rest is as it was.",
    )
    require(
        run("apply_v1", free, _v1(priced))
        == priced | {"sku": free["sku"], "categories": free["categories"], "note": free["note"]},
        "A client of v1 may write a price where there was none.",
    )


def _product(lab: LabUnderTest, cents: int | None) -> Json:
    pick = lab.random
    return {
        "sku": word(pick).upper(),
        "title": word(pick),
        "description": pick.choice(("", word(pick))),
        "cents": cents,
        "currency": pick.choice(("EUR", "USD", "GBP", "PLN")),
        "categories": words(pick, pick.randint(1, 3)),
        # What neither version has a word for.
        "note": word(pick),
    }


def _v1(product: Json) -> Json:
    return {
        "sku": product["sku"],
        "name": product["title"],
        "description": product["description"],
        "unit_price_cents": product["cents"],
        "currency": product["currency"],
    }


def _v2(product: Json) -> Json:
    cents = product["cents"]
    digits = "" if cents is None else f"{cents:03}"
    return {
        "sku": product["sku"],
        "title": product["title"],
        "description": product["description"],
        "price": {"amount": f"{digits[:-2]}.{digits[-2:]}", "currency": product["currency"]}
        if digits
        else None,
        "categories": product["categories"],
    }


@check("dispatch")
def each_request_gets_the_version_it_means(lab: LabUnderTest) -> None:
    """Chooses by path, then header, then media type, gives the silent the oldest, refuses the rest, and tells caches."""
    pick = lab.random
    low, middle, high = [*sorted(pick.sample(range(3, 9), 2)), pick.randint(10, 19)]
    numbers = [high, low, middle]
    tail = f"/{word(pick)}/{word(pick)}"
    unknown = high + pick.randint(1, 9)
    own = {word(pick).title(): word(pick)}

    def ask(path: str, headers: Json, handler_headers: Json | None = None) -> Json:
        request: Json = {"method": "GET", "path": path, "headers": headers, "body": None}
        found = lab.call(
            "play_dispatch", numbers, [request], own if handler_headers is None else handler_headers
        )
        require(
            isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict),
            "dispatch must return a response.",
        )
        assert isinstance(found, list)
        answer = found[0]
        assert isinstance(answer, dict)
        require(
            {"status", "headers", "body"} <= set(answer)
            and isinstance(answer["headers"], dict)
            and isinstance(answer["body"], dict),
            "A response is a dictionary with status, headers and body, and here each body is an object.",
        )
        return answer

    def varied(answer: Json, *more: str) -> None:
        fields = [str(value) for name, value in answer["headers"].items() if name.lower() == "vary"]
        kind = "A refusal" if answer["status"] >= 400 else "An answer"
        kind = f"{kind} of a path without version (status {answer['status']})"
        require(len(fields) > 0, f"{kind} has no `Vary`: a cache would give it to everybody.")
        require(len(fields) == 1, f"{kind} has `Vary` twice, in different capitals. Make one header of them.")
        names = {name.strip().lower() for name in fields[0].split(",")}
        require(
            {"accept", "api-version"} <= names,
            "`Vary` must name both headers by which the version could have been chosen, also in a refusal and when the "
            "client said nothing.",
        )
        require(set(more) <= names, "What the handler itself wrote into `Vary` is lost.")

    def served(path: str, headers: Json, version: int, message: str, seen: str | None = None) -> None:
        answer = ask(path, headers)
        require(answer["status"] == 200 and answer["body"].get("version") == version, message)
        got = answer["body"].get("path")
        if seen is None:
            require(got == path, "A path without version did not reach the handler as it was.")
        require(
            seen != "/" or got == "/",
            "Of a path that is a version and nothing else, the handler must get `/`.",
        )
        require(seen is None or got == seen, "The handler must get the path without the version.")
        there = {name.lower(): value for name, value in answer["headers"].items()}
        require(
            all(there.get(name.lower()) == value for name, value in own.items()),
            "A header that the handler wrote is lost.",
        )
        if seen is None:
            varied(answer)
        else:
            require(
                answer["headers"] == own, "For a path with version nothing is added to the handler's headers."
            )

    def refused(path: str, headers: Json, status: int, message: str) -> Json:
        answer = ask(path, headers)
        require(answer["status"] == status, message)
        require(
            answer["body"] == {"supported": sorted(numbers)},
            "A refusal must list the supported versions as numbers, rising: a client has to learn what it can do.",
        )
        return answer

    def offer(number: int) -> str:
        return f"application/vnd.shop.v{number}+json"

    for number in numbers:
        served(f"/v{number}{tail}", {}, number, "The path names a version, and another one answered.", tail)
        served(f"/v{number}", {}, number, "A path may be a version and nothing else.", "/")
        other = pick.choice([one for one in numbers if one != number])
        served(
            f"/v{number}{tail}",
            {"API-Version": str(other), "Accept": offer(other)},
            number,
            "The path names a version: headers don't count then.",
            tail,
        )
        served(
            f"/v{number}{tail}",
            {"API-Version": str(unknown)},
            number,
            "The path names a version: an unknown version in a header doesn't count then.",
            tail,
        )
        for name in ("API-Version", "api-version", "Api-vERSION"):
            served(
                tail,
                {name: str(number)},
                number,
                "The header API-Version was not followed. Names of headers come in any capitals.",
            )
        served(
            tail,
            {"API-Version": str(number), "Accept": offer(other)},
            number,
            "API-Version goes before Accept.",
        )
        for accept in (
            offer(number),
            f"text/html, {offer(number)};q=0.9",
            f"{offer(number).upper()} ; charset=utf-8",
            f"{offer(unknown)},{offer(number)},{offer(other)}",
            f"application/json, {offer(number)}",
        ):
            served(
                tail,
                {pick.choice(("Accept", "accept")): accept},
                number,
                "The first offer in Accept that names a version that there is counts; parameters, capitals and spaces "
                "don't matter.",
            )
    for headers in (
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "text/html"},
        {"Accept": f"{offer(unknown)}, application/json;q=0.5"},
        {"Accept": f"{offer(unknown)}, */*"},
        {"Accept": "application/vnd.other.v1+json"},
        {"Accept": f"{offer(high)}x"},
    ):
        status = ask(tail, headers)["status"]
        require(
            status == 200,
            f"A client was refused ({status}) that speaks of no version, or accepts any JSON besides versions "
            "that are not there.",
        )
        served(
            tail,
            headers,
            low,
            "Who names no version that there is got another one than the oldest. Compare versions as numbers, "
            "and don't rely on the order of `handlers`.",
        )
    for path in (f"/v{word(pick)}/x", f"/x/v{high}/y", f"/v{high}x", f"/V{high}"):
        served(path, {}, low, "A path that only looks like one with a version was taken for one.")
    answer = refused(f"/v{unknown}{tail}", {}, 404, "A path with an unknown version must be answered with 404.")
    require(
        not any(name.lower() == "vary" for name in answer["headers"]),
        "For a path with version nothing is added: `Vary` would only make the cache keep more.",
    )
    for value in (str(unknown), "", "newest", f"v{high}", f"{high}.0", f"-{low}"):
        varied(
            refused(
                tail,
                {"API-Version": value},
                400,
                "An API-Version that is no version must be answered with 400.",
            )
        )
    varied(
        refused(
            tail,
            {"API-Version": str(unknown), "Accept": offer(low)},
            400,
            "An unknown API-Version must be answered with 400, whatever Accept says.",
        )
    )
    for accept in (offer(unknown), f"{offer(unknown)}, {offer(unknown + 1)}", f"text/html, {offer(unknown)}"):
        varied(
            refused(
                tail,
                {"Accept": accept},
                406,
                "Accept names only versions that are not there, and no plain JSON: 406.",
            )
        )
    for name in ("Vary", "vary"):
        for headers in (EMPTY, {"API-Version": str(high)}, {"Accept": offer(middle)}):
            varied(ask(tail, headers, {name: "Accept-Encoding, X-Tenant"}), "accept-encoding", "x-tenant")


@check("contracts")
def tells_who_breaks_on_what(lab: LabUnderTest) -> None:
    """Replays each interaction once and names client, interaction and field, through lists, errors and lost connections."""
    pick = lab.random
    values: dict[str, list[Any]] = {
        "string": [word(pick), ""],
        "integer": [pick.randint(1, 99), 0, -3],
        "number": [1.5, pick.randint(2, 9)],
        "boolean": [True, False],
        "array": [[], [None]],
        "object": [{}, {"x": 1}],
    }

    def play(contracts: list[Json], answers: Json) -> list[Any]:
        found = lab.call("play_contracts", contracts, answers)
        require(
            isinstance(found, dict) and isinstance(found.get("broken"), list),
            "verify_contracts must return a list.",
        )
        assert isinstance(found, dict)
        seen = found.get("asked")
        asked = sorted(
            f"{one['request']['method']} {one['request']['path']}"
            for contract in contracts
            for one in contract["interactions"]
        )
        require(isinstance(seen, list), "play_contracts must return its dictionary.")
        assert isinstance(seen, list)
        require(
            len(seen) >= len(asked),
            f"Of {len(asked)} interactions only {len(seen)} were replayed. What follows when one fails?",
        )
        require(
            sorted(map(str, seen)) == asked,
            "Each request of each contract must be sent once, not more, and as it stands there.",
        )
        broken = found["broken"]
        assert isinstance(broken, list)
        return broken

    def one(needs: Json, body: Any, status: int = 200, agreed: int = 200) -> list[str]:
        client, name, path = words(pick, 3)
        request: Json = {"method": "GET", "path": f"/{path}", "headers": {}, "body": None}
        contract = {
            "client": client,
            "interactions": [{"name": name, "request": request, "status": agreed, "needs": needs}],
        }
        found = play([contract], {f"GET /{path}": {"status": status, "headers": {}, "body": body}})
        require(
            all(isinstance(row, list) and len(row) == 3 and row[:2] == [client, name] for row in found),
            "A break is a list of three: the client, the name of the interaction, and what is broken.",
        )
        return [row[2] for row in found]

    a, b, c = words(pick, 3)
    for kind, examples in values.items():
        for other, others in values.items():
            for value in others:
                fits = other == kind or (kind, other) == ("number", "integer")
                fits = fits or (kind == "integer" and isinstance(value, int) and not isinstance(value, bool))
                require(
                    one({a: kind}, {a: value, b: 1}) == ([] if fits else [a]),
                    "A value was judged wrongly by its type: `has_type` judges it.",
                )
        require(one({a: kind}, {a: None}) == [a], "Null is none of the types.")
        require(one({a: kind}, {b: examples[0]}) == [a], "A field that is missing must be named.")
    for body in (None, [EMPTY], "text", 3, EMPTY):
        require(one({a: "string"}, body) == [a], "A body that has no fields lacks the field that is needed.")
    require(one({}, None) == [], "A client that needs no field can't break on one.")
    deep = f"{a}.{b}.{c}"
    require(one({deep: "string"}, {a: {b: {c: "x"}}}) == [], "A field inside of fields was not found.")
    for inner in (None, [EMPTY], {b: None}, {b: [{c: "x"}]}, {c: "x"}, "x"):
        require(
            one({deep: "string"}, {a: inner}) == [deep],
            "Where a step of a path is missing, the whole path is broken, once.",
        )
    listed = f"{a}[].{b}"
    rows = [{b: word(pick)} for _ in range(4)]
    require(one({listed: "string"}, {a: rows}) == [], "Elements of a list were judged wrongly.")
    require(one({listed: "string"}, {a: []}) == [], "An empty list breaks nothing.")
    for place in range(4):
        require(
            one({listed: "string"}, {a: [*rows[:place], {c: 1}, *rows[place + 1 :]]}) == [listed],
            "Every element of a list must have the field, not only one of them.",
        )
    for body in ({a: {b: "x"}}, {a: None}, {}, {a: "xyz"}, {a: [None]}):
        require(
            one({listed: "string"}, body) == [listed], "`[]` needs a list at that place, of elements that fit."
        )
    require(
        one({f"[].{a}": "integer"}, [{a: 1}, {a: 2}]) == [], "`[]` may begin a path: the body is a list then."
    )
    require(
        one({f"[].{a}": "integer"}, {a: 1}) == [f"[].{a}"],
        "`[]` may begin a path: the body has to be a list then.",
    )
    require(
        one({f"{a}[]": "string"}, {a: ["x", "y"]}) == [],
        "`[]` may end a path: the elements have the type then.",
    )
    require(
        one({f"{a}[]": "string"}, {a: ["x", 1]}) == [f"{a}[]"],
        "`[]` may end a path: all elements have the type then.",
    )
    twice = f"{a}[].{b}[].{c}"
    require(one({twice: "boolean"}, {a: [{b: [{c: True}]}, {b: []}]}) == [], "`[]` may stand twice in a path.")
    require(
        one({twice: "boolean"}, {a: [{b: [{c: True}]}, {b: [{}]}]}) == [twice],
        "`[]` may stand twice in a path, and all elements count.",
    )
    for status, agreed in ((404, 200), (200, 201), (500, 404)):
        require(
            one({a: "string", b: "string"}, {}, status, agreed) == ["status"],
            "Another status than the agreed one is broken as `status`, and nothing else is said.",
        )
    require(
        one({a: "string"}, {a: "x"}, 404, 404) == [],
        "A client may agree on an error's status and need its fields.",
    )

    for raised in (None, f"{word(pick).title()}Error"):
        client, name, path = words(pick, 3)
        asking: Json = {"method": "GET", "path": f"/{path}", "headers": {}, "body": None}
        lone = {"name": name, "request": asking, "status": 200, "needs": {a: "string"}}
        try:
            found = play([{"client": client, "interactions": [lone]}], {f"GET /{path}": raised})
        except LearnerCodeError as error:
            require(
                False,
                f"The provider raised, and then verify_contracts raised {error.name}. A provider that raises "
                "is broken as `error`, whatever it raises.",
            )
            raise
        require(
            found == [[client, name, "error"]],
            "A provider that raises is broken as `error`, whatever it raises, and nothing else is said.",
        )

    names, clients = words(pick, 12), words(pick, 3)
    contracts: list[Json] = []
    answers: Json = {}
    expected: list[list[str]] = []
    for client in clients:
        interactions = []
        for place in range(4):
            name = names.pop()
            interactions.append(
                {
                    "name": name,
                    "request": {"method": "POST", "path": f"/{name}", "headers": {}, "body": {"x": 1}},
                    "status": 201,
                    "needs": {c: "string", a: "integer", f"{b}.{c}": "number"},
                }
            )
            key = f"POST /{name}"
            if place == 0:
                answers[key] = pick.choice((None, f"{word(pick).title()}Error"))
                expected.append([client, name, "error"])
            elif place == 1:
                answers[key] = {"status": 200, "headers": {}, "body": {}}
                expected.append([client, name, "status"])
            elif place == 2:
                answers[key] = {"status": 201, "headers": {}, "body": {a: "1", b: {c: "2"}, c: "x"}}
                expected += [[client, name, a], [client, name, f"{b}.{c}"]]
            else:
                answers[key] = {"status": 201, "headers": {}, "body": {a: 1, b: {c: 2}, c: "x"}}
        contracts.append({"client": client, "interactions": interactions})
    require(
        play(contracts, answers) == sorted(expected),
        "With several clients, statuses, fields and lost connections at once, a break is missing, is too much, or the list "
        "is not sorted. Is everything replayed after the first trouble?",
    )
    require(play([], {}) == [], "Without contracts there is nothing to break.")


@check("retire")
def an_old_version_ends_decently(lab: LabUnderTest) -> None:
    """Announces the end in each answer, rehearses it, keeps it, and knows who still calls."""
    pick = lab.random
    start = float(pick.randint(1_600_000_000, 1_900_000_000))
    day = 86_400.0
    first, second = start + pick.randint(50, 90) * day, start + pick.randint(100, 140) * day
    plan: Json = {
        "deprecated": start,
        "sunset": start + pick.randint(200, 400) * day,
        "successor": f"/v2/{word(pick)}",
        "brownouts": [[first, first + 300.0], [second, second + 3_600.0]],
    }

    def request(client: str | None = None, header: str = "X-Client") -> Json:
        headers = {} if client is None else {header: client}
        return {"method": "GET", "path": f"/{word(pick)}", "headers": headers, "body": None}

    def play(*steps: list[Any], own: Json = EMPTY) -> list[Any]:
        found = lab.call("play_retirement", plan, list(steps), own)
        require(isinstance(found, list) and len(found) == len(steps), "play_retirement must return its list.")
        assert isinstance(found, list)
        return [entry[0] if isinstance(entry, list) else None for entry in found]

    def announced(answer: Any, *links: str) -> None:
        require(
            isinstance(answer, dict) and isinstance(answer.get("headers"), dict),
            "serve must return a response with headers.",
        )
        headers = answer["headers"]
        there = {name.lower() for name in headers}
        lacking = [name for name in ("Deprecation", "Sunset", "Link") if name.lower() not in there]
        require(
            not lacking,
            f"An answer with status {answer.get('status')} lacks {', '.join(lacking)}. The headers of `announcement` belong to "
            "every answer: before the deprecation, and with a 410 as well.",
        )
        require(
            headers.get("Deprecation") != f"@{start}",
            "`Deprecation` has decimals. The plan may have floats; the header wants whole seconds (RFC 9745).",
        )
        require(
            headers.get("Deprecation") == f"@{int(start)}",
            "`Deprecation` must be the moment of the plan, as `@` and whole seconds since 1970 (RFC 9745).",
        )
        stated = str(headers.get("Sunset", ""))
        try:
            moment = parsedate_to_datetime(stated).timestamp()
        except ValueError:
            moment = 0.0
        require(
            moment == plan["sunset"] and stated.endswith("GMT"),
            "`Sunset` must be the moment of the plan, as an HTTP date, which ends with GMT (RFC 8594).",
        )
        fields = [str(value) for name, value in headers.items() if name.lower() == "link"]
        require(len(fields) > 0, "An answer has no `Link`.")
        require(len(fields) == 1, "An answer has `Link` twice, in different capitals. Make one header of them.")
        linked = [link.strip() for link in fields[0].split(",")]
        require(f'<{plan["successor"]}>; rel="successor-version"' in linked, "`Link` must name the successor.")
        require(
            set(links) <= set(linked),
            "The handler's own `Link` is lost. A client that follows it from page to page stops at the first.",
        )
        require(len(linked) == 1 + len(links), "`Link` says something that nobody wrote, or says it twice.")

    def alive(moment: float, message: str) -> None:
        asked = request()
        tag = {word(pick).title(): f'"{word(pick)}"'}
        (answer,) = play([moment, "serve", asked], own=tag)
        announced(answer)
        require(answer.get("status") != 410, message)
        require(
            answer.get("status") == 203
            and answer.get("body") == {"path": asked["path"]}
            and answer["headers"].items() >= tag.items(),
            "What the handler answered, status, headers and body, must stay.",
        )
        pages = [f'</{word(pick)}?page={page}>; rel="{rel}"' for page, rel in ((1, "prev"), (3, "next"))]
        for name in ("Link", "link"):
            (answer,) = play([moment, "serve", asked], own={name: ", ".join(pages)})
            announced(answer, *pages)

    def gone(moment: float, message: str) -> None:
        found = lab.call("play_retirement", plan, [[moment, "serve", request()]], EMPTY)
        require(
            isinstance(found, list) and len(found) == 1 and isinstance(found[0], list) and len(found[0]) == 2,
            "play_retirement must return its list.",
        )
        assert isinstance(found, list)
        assert isinstance(found[0], list)
        answer, handled = found[0]
        announced(answer)
        assert isinstance(answer, dict)
        require(answer.get("status") == 410, message)
        require(
            answer.get("body") == {"successor": plan["successor"]}, "The body of a 410 must name the successor."
        )
        require(handled == 0, "A request that is answered with 410 must not reach the handler.")

    alive(start - day, "Before the deprecation the version must be served.")
    alive(start + day, "A deprecated version must be served until its sunset.")
    alive(plan["sunset"] - 1, "The version was gone before its sunset.")
    gone(plan["sunset"], "From the sunset on the answer must be 410.")
    gone(plan["sunset"] + 500 * day, "After the sunset the answer must be 410, for ever.")
    for begin, end in plan["brownouts"]:
        alive(begin - 1, "The version was gone before a brownout began.")
        gone(begin, "In a brownout the answer must be 410, from its begin on.")
        gone(end - 1, "In a brownout the answer must be 410 until its end. Is each brownout looked at?")
        alive(end, "After a brownout the version must be served again.")

    clients = sorted(words(pick, 4))
    counts = pick.sample(range(3, 9), 2)
    calls = {clients[0]: counts[0], clients[1]: counts[0], clients[2]: counts[1], clients[3]: 1}
    steps: list[list[Any]] = []
    last: dict[str, float] = {}
    now = plan["sunset"] - 30.0
    flat = [client for client, count in calls.items() for _ in range(count)]
    pick.shuffle(flat)
    for client in flat:
        now += pick.randint(1, 9)
        last[client] = now
        steps.append([now, "serve", request(client, pick.choice(("X-Client", "x-client", "X-CLIENT")))])
    for nameless in (request(), request("")):
        now += 1
        steps.append([now, "serve", nameless])
        last["unknown"] = now
    calls["unknown"] = 2
    expected = sorted(([name, calls[name], last[name]] for name in calls), key=lambda row: (-row[1], row[0]))

    def listed(since: float) -> Any:
        return play(*steps, [now + 5, "callers", since])[-1]

    require(
        listed(0.0) == expected,
        "`callers` did not tell what happened. In `serve` count each request in `calls` and note its moment in `last`, by the "
        "client's name, which stands in `X-Client` in any capitals. Refused requests count, and so do those without a name.",
    )
    since = sorted(last.values())[2]
    require(
        listed(since) == [row for row in expected if row[2] >= since],
        "`callers(since)` named others than those whose last call was then or later: `last` holds the moment of each client's "
        "latest request.",
    )
    require(listed(now + 1) == [], "Nobody has called since.")

    many = words(pick, 130)
    flood: list[list[Any]] = [[start + place, "serve", request(name)] for place, name in enumerate(many)]
    flood += [[start + 500, "serve", request(many[0])], [start + 501, "serve", request(many[120])]]
    found = play(*flood, [start + 600, "callers", 0.0])[-1]
    require(
        isinstance(found, list)
        and all(isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) for row in found),
        "callers must return a list of [client, calls, last].",
    )
    named = {row[0]: row[1:] for row in found}
    require(
        len(named) == 101 and set(many[:100]) | {"other"} == set(named),
        "After MOST names every new one must be counted as `other`: names come from strangers, and memory has an end.",
    )
    require(
        named["other"] == [31, start + 501] and named[many[0]] == [2, start + 500],
        "After MOST names those that are known must go on being counted, and all others together.",
    )
