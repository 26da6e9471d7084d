"""The worker process: the only one that touches sandboxes."""

from __future__ import annotations

import logging
import signal
from dataclasses import replace

import structlog

from portal.content import Content, ContentSource
from portal.database import Database
from portal.jobs import QueuedJobs, make_huey
from portal.settings import TRUST_PHRASE, Settings
from portal.tasks import register
from portal.work import metrics
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.grading import grade
from portal.work.launching import launch, stop
from portal.work.memory import usable_memory_mb
from portal.work.places import free_places
from portal.work.programs.desk import ProgramDesk
from portal.work.reaping import clean_up_after_crash, clear_other_drivers, stop_everything
from portal.work.reporter import Reporter
from portal.work.warming import Warming
from portal.work.workspaces import Workspaces
from question_bank.runner import Language
from sandboxes.drivers import choose_driver, open_driver
from sandboxes.interface import Driver, DriverUnavailable, SandboxError
from sandboxes.pool import Pool
from sandboxes.pool_status import StatusFile

log = structlog.get_logger("worker")


class Work:
    """The handler behind the tasks."""

    def __init__(self, context: WorkContext, reporter: Reporter) -> None:
        self.context = context
        self.reporter = reporter

    def launch(self, session_id: int) -> None:
        """Start a session's sandbox."""
        launch(self.context, session_id)

    def stop(self, session_id: int) -> None:
        """Stop a session's sandbox."""
        stop(self.context, session_id)

    def grade(self, submission_id: int) -> None:
        """Grade a submission."""
        grade(self.context, submission_id)

    def warm(self, lab_id: str) -> None:
        """Take note of who may launch next."""
        if self.context.warming is not None:
            self.context.warming.looked_at(lab_id)

    def warm_programs(self, language: Language) -> None:
        """Take note of what a program may be written in next."""
        if self.context.warming is not None:
            self.context.warming.programs_in(language)

    def reap(self) -> None:
        """Remove what a crash left behind."""
        try:
            self.reporter.reap()
        except (SandboxError, OSError) as error:
            log.warning("nothing was reaped", error=str(error))

    def examine(self) -> None:
        """Run the checks of this machine again."""
        self.reporter.examine()


def run_worker(settings: Settings, content: Content | None = None) -> None:
    """Run until SIGTERM or SIGINT; then stop this instance's sandboxes. Benchmarks give content of their own."""
    logging.getLogger("huey").setLevel(logging.WARNING)
    huey = make_huey(settings.instance_dir)
    driver, reason = pick_driver(settings)
    context = with_pool(
        WorkContext(
            settings=settings,
            database=Database(settings.database_url_effective),
            source=ContentSource.of(settings, content),
            driver=driver,
            driver_reason=reason,
            workspaces=Workspaces(settings.workspaces_dir, settings.portal_origin_effective),
        )
    )
    reporter = Reporter(context)
    desk = ProgramDesk(context)
    tasks = register(huey, Work(context, reporter))
    caretaker = Caretaker(context, QueuedJobs(lambda: tasks))
    endings = [metrics.serve(settings.metrics_host, settings.metrics_port), metrics.watch_pool(reporter.pool)]
    reporter.begin()
    clear_other_drivers(settings.run_dir, driver.name if driver else None, context.labels["instance"])
    clean_up_after_crash(context)
    caretaker.tell()
    consumer = huey.create_consumer(
        workers=settings.worker_threads,
        worker_type="thread",
        periodic=False,
    )
    log.info("worker started", driver=driver.name if driver else None, reason=reason)
    caretaker.start()
    if context.warming is not None:
        context.warming.refresh()
        context.warming.pool.start_filling()
    reporter.start()
    desk.start()
    # Huey ends at once on SIGTERM and waits for its tasks on SIGINT. A task that is cut off here runs again from its row.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        consumer.run()
    finally:
        desk.stop()
        caretaker.stop()
        reporter.stop()
        if context.warming is not None:
            context.warming.pool.stop_filling()
        stop_everything(context)
        for end in endings:
            end()
        if context.driver is not None:
            context.driver.close()
        context.database.close()


def with_pool(context: WorkContext) -> WorkContext:
    """The context with a pool around its driver, when it has one; nothing is filled up yet."""
    if context.driver is None:
        return context
    settings = context.settings
    pool = Pool(
        context.driver,
        kept=settings.workspaces_dir / ".blank",  # no learner's folder: those are numbers
        labels=context.labels,
        total=settings.pool_total,
        memory_mb=usable_memory_mb() // 4,
        room=lambda: free_places(context),
        tell=StatusFile(settings.run_dir).write,
    )
    warming = Warming(pool, context.database, context.content, settings)
    return replace(context, driver=pool, warming=warming)


def pick_driver(settings: Settings) -> tuple[Driver | None, str]:
    """The driver to use and why, or None and what to do about it."""
    try:
        choice = choose_driver(settings.sandbox_driver, settings.run_dir)
        driver = open_driver(
            choice.name, settings.run_dir, settings.sandbox_transport, {"KAFKA_IMAGE": settings.kafka_image}
        )
    except DriverUnavailable as error:
        return None, error.learner
    if not driver.isolated and not settings.local_sandboxes_allowed:
        driver.close()
        return None, (
            f"Labs are off: the portal listens on {settings.host} and there is no Docker engine, so learners' code would "
            "run as plain processes that other machines can reach. Start a Docker engine, listen on 127.0.0.1, or set "
            f'ALLOW_LOCAL_SANDBOXES_ON_NETWORK="{TRUST_PHRASE}".'
        )
    return driver, choice.reason
