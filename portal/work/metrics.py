"""The worker's Prometheus metrics: their definitions, and one small function for each event.

Every label has few values: labs are those of the catalogue, reasons are the words of error classes. Nothing here names a learner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from portal.reports import PoolReport
from sandboxes.interface import Driver, Phase, Progress, ProgressListener, Sandbox, SandboxSpec

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("worker")
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PURPOSES = ("session", "grading", "program", "waiting", "other")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)

LAUNCHES = Counter(
    "proving_ground_launches_total",
    "Launches of labs that ended, by lab, result (ready, failed) and start (warm, cold).",
    ["lab", "result", "start"],
    registry=REGISTRY,
)
LAUNCH_SECONDS = Histogram(
    "proving_ground_launch_duration_seconds",
    "From the worker's first step to READY, by start (warm, cold).",
    ["start"],
    buckets=SECONDS,
    registry=REGISTRY,
)
PHASE_SECONDS = Histogram(
    "proving_ground_launch_phase_duration_seconds",
    "How long the phases of successful launches took.",
    ["phase"],
    buckets=SECONDS,
    registry=REGISTRY,
)
FAILURES = Counter(
    "proving_ground_failures_total",
    "What failed on our side, by work (launch, session, grading, program) and reason.",
    ["work", "reason"],
    registry=REGISTRY,
)
GRADINGS = Counter(
    "proving_ground_gradings_total",
    "Runs of the grader, by result (graded, failed).",
    ["result"],
    registry=REGISTRY,
)
GRADING_SECONDS = Histogram(
    "proving_ground_grading_duration_seconds",
    "How long the grader took for one notebook.",
    buckets=SECONDS,
    registry=REGISTRY,
)
PROGRAMS = Counter(
    "proving_ground_programs_total",
    "Programs of code questions that were run, by language and result (run, failed).",
    ["language", "result"],
    registry=REGISTRY,
)
PROGRAM_SECONDS = Histogram(
    "proving_ground_program_duration_seconds",
    "From a program's turn to the result of its last case, by language.",
    ["language"],
    buckets=SECONDS,
    registry=REGISTRY,
)
RUNNING = Gauge(
    "proving_ground_sandboxes_running",
    "Sandboxes that run now, by purpose (session, grading, program, waiting, other).",
    ["purpose"],
    registry=REGISTRY,
)
MEMORY = Gauge(
    "proving_ground_sandboxes_memory_bytes", "Memory that all sandboxes hold together.", registry=REGISTRY
)
QUEUE = Gauge(
    "proving_ground_queue_length",
    "What waits for the worker or for room, by work (launch, grading, program).",
    ["work"],
    registry=REGISTRY,
)
REAPED = Counter(
    "proving_ground_reaped_total", "Sandboxes that the worker removed because nobody was left for them.",
    registry=REGISTRY,
)  # fmt: skip


def serve(host: str, port: int) -> Callable[[], None]:
    """Serve the metrics over HTTP, when there is a port; what ends it. A taken port is told, and labs run all the same."""
    if not port:
        return lambda: None
    try:
        server, thread = start_http_server(port, addr=host, registry=REGISTRY)
    except OSError as error:
        log.error(
            "metrics are not served: stop what uses the port, or set METRICS_PORT to another one",
            host=host, port=port, error=str(error),
        )  # fmt: skip
        return lambda: None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return end


def started(driver: Driver, spec: SandboxSpec, progress: ProgressListener, lab_id: str) -> Sandbox:
    """`driver.start`, measured. Raises what it raises."""
    began = time.monotonic()
    phases: list[tuple[Phase, float]] = []

    def note(step: Progress) -> None:
        if not phases or phases[-1][0] != step.phase:
            phases.append((step.phase, time.monotonic()))
        progress(step)

    try:
        sandbox = driver.start(spec, note)
    except BaseException:
        LAUNCHES.labels(lab_id, "failed", "cold").inc()
        raise
    ended = time.monotonic()
    # One that waited in a pool has an identity of its own.
    start = "cold" if sandbox.id == spec.sandbox_id else "warm"
    LAUNCHES.labels(lab_id, "ready", start).inc()
    LAUNCH_SECONDS.labels(start).observe(ended - began)
    ends = [*(at for _phase, at in phases[1:]), ended]
    for (phase, at), until in zip(phases, ends, strict=False):  # a driver may have told nothing
        if phase is not Phase.READY:
            PHASE_SECONDS.labels(phase.name.lower()).observe(until - at)
    return sandbox


def graded(grade: Callable[P, T]) -> Callable[P, T]:
    """A grader that is measured."""

    def measured(*arguments: P.args, **options: P.kwargs) -> T:
        began = time.monotonic()
        try:
            report = grade(*arguments, **options)
        except BaseException:
            GRADINGS.labels("failed").inc()
            raise
        GRADINGS.labels("graded").inc()
        GRADING_SECONDS.observe(time.monotonic() - began)
        return report

    return measured


@contextmanager
def program(language: str) -> Iterator[None]:
    """Around the run of a program."""
    began = time.monotonic()
    try:
        yield
    except BaseException:
        PROGRAMS.labels(language, "failed").inc()
        raise
    PROGRAMS.labels(language, "run").inc()
    PROGRAM_SECONDS.labels(language).observe(time.monotonic() - began)


def failed(work: str, reason: str) -> None:
    """Something failed on our side."""
    FAILURES.labels(work, reason).inc()


def running(purposes: Iterable[str], memory_bytes: int) -> None:
    """What runs now: the purpose of each sandbox, and the memory of all."""
    counts = dict.fromkeys(PURPOSES, 0)
    for purpose in purposes:
        counts[purpose if purpose in counts else "other"] += 1
    for purpose, count in counts.items():
        RUNNING.labels(purpose).set(count)
    MEMORY.set(memory_bytes)


def waiting(lengths: Mapping[str, int]) -> None:
    """What waits now: work → how many."""
    for work, length in lengths.items():
        QUEUE.labels(work).set(length)


def reaped(count: int) -> None:
    """Sandboxes that nobody was left for were removed."""
    REAPED.inc(count)


class PoolMetrics(Collector):
    """The pool's own counts, read at each scrape."""

    def __init__(self, report: Callable[[], PoolReport | None]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """The families, with one value for each lab and purpose."""
        report = self._report()
        sums: dict[tuple[str, str], dict[str, int]] = {}
        for line in report.lines if report is not None else ():
            counts = sums.setdefault((line.lab, line.purpose), dict.fromkeys(_POOL_FAMILIES, 0))
            for name in counts:
                counts[name] += getattr(line, name)
        for name, (kind, words) in _POOL_FAMILIES.items():
            family = kind(f"proving_ground_pool_{name}", words, labels=["lab", "purpose"])
            for labels, counts in sums.items():
                family.add_metric(list(labels), counts[name])
            yield family


_POOL_FAMILIES: Mapping[str, tuple[Any, str]] = {
    "hits": (CounterMetricFamily, "Sandboxes that were taken warm."),
    "misses": (CounterMetricFamily, "Sandboxes that had to be started because none waited."),
    "warm": (GaugeMetricFamily, "Sandboxes that wait now."),
    "wanted": (GaugeMetricFamily, "Sandboxes that should wait."),
}


def watch_pool(report: Callable[[], PoolReport | None]) -> Callable[[], None]:
    """Let the pool's counts be scraped; what ends that."""
    collector = PoolMetrics(report)
    REGISTRY.register(collector)
    return lambda: REGISTRY.unregister(collector)
