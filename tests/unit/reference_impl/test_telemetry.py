"""The table of what is to be seen of Meridian is what the code emits: no row too few, none too many."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import reference_impl
from reference_impl import services, shared
from reference_impl.shared.scrape import ServicesCollector
from reference_impl.shared.tracing import SpanName

from .conftest import Shop

FOLDER = Path(reference_impl.__file__).parent
DOCUMENT = FOLDER / "docs" / "telemetry.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
Row = tuple[str, ...]


def owner(module: str) -> str:
    """Who emits what a module declares: its service, or every process."""
    parts = module.split(".")
    return parts[2] if parts[1] == "services" else "every"


def table(heading: str, cells: int) -> set[Row]:
    """The first cells of each row below a heading."""
    section = DOCUMENT.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    found = [tuple(cell.strip() for cell in line.strip("|").split("|"))[:cells] for line in rows]
    assert len(set(found)) == len(found), "a row stands there twice"
    return set(found)


def emitted_metrics() -> Iterator[Row]:
    for package in (shared, services):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith((".sns_sqs", ".kafka", ".kafka_group", ".redis")):
                continue  # their clients need not be installed, and they declare no metric
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if isinstance(value, MetricWrapperBase) and not value._labelvalues:
                    (family,) = value.describe()
                    if value._is_parent() or not value._labelnames:
                        name = family.name + ("_total" if family.type == "counter" else "")
                        labels = ", ".join(f"`{label}`" for label in value._labelnames)
                        yield f"`{name}`", family.type, labels, owner(found.name)
    for gauge in ServicesCollector([], None).describe():  # type: ignore[arg-type]
        labels = ", ".join(f"`{label}`" for label in gauge._labelnames)
        yield f"`{gauge.name}`", gauge.type, labels, "every"


def emitted_lines() -> Iterator[Row]:
    for file in sorted([*FOLDER.glob("shared/**/*.py"), *FOLDER.glob("services/**/*.py")]):
        who = owner(".".join(("reference_impl", *file.relative_to(FOLDER).with_suffix("").parts)))
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"), attr=method), args=arguments):
                    text = arguments[0 if method in LEVELS else 1]
                    where = f"{file.name}:{node.lineno}"
                    assert isinstance(text, ast.Constant), f"{where}: the event of a line is a constant"
                    level = {"exception": "error", "log": "varies"}.get(method, method)
                    yield f"`{text.value}`", level, who


def test_every_metric_has_a_row_and_every_row_a_metric() -> None:
    compare(table("Metrics", 4), set(emitted_metrics()))


def test_every_log_event_has_a_row_and_every_row_an_event() -> None:
    compare(table("Log lines", 3), set(emitted_lines()))


def test_every_span_has_a_row_and_every_row_a_span() -> None:
    compare(table("Spans", 1), {(f"`{name}`",) for name in SpanName})


def compare(written: set[Row], emitted: set[Row]) -> None:
    missing = [f"+ | {' | '.join(row)} |" for row in sorted(emitted - written)]
    stale = [f"- | {' | '.join(row)} |" for row in sorted(written - emitted)]
    assert not missing + stale, f"{DOCUMENT.name} is not what the code says:\n" + "\n".join(missing + stale)


def test_no_metric_hides_from_the_table(shop: Shop) -> None:
    rows = {row[0].strip("`") for row in table("Metrics", 1)}
    seen = set(re.findall(r"^# TYPE (meridian_\w+)", shop.http.get("/metrics").text, re.MULTILINE))
    assert seen
    assert seen <= rows


def test_a_label_of_a_metric_never_names_one_thing_among_many() -> None:
    unbounded = re.compile(r"(^|_)(id|path|url|user|customer|order|sku|email|key|address)$")
    for row in emitted_metrics():
        labels = re.findall(r"`(\w+)`", row[2])
        assert not [label for label in labels if unbounded.search(label)], row


def test_names_follow_the_pattern() -> None:
    for name, kind, _labels, who in emitted_metrics():
        assert re.fullmatch(r"`meridian_[a-z0-9_]+`", name), name
        assert who == "every" or name.startswith(f"`meridian_{who}_"), (name, who)
        assert kind != "histogram" or name.rstrip("`").endswith(("_seconds", "_bytes", "_units")), name
    assert REGISTRY.get_sample_value("process_resident_memory_bytes") is not None
