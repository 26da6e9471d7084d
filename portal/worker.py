"""The worker process: the only one that touches sandboxes."""

from __future__ import annotations

import logging
import signal

import structlog

from portal.content import load_content
from portal.database import Database
from portal.jobs import QueuedJobs, make_huey
from portal.settings import TRUST_PHRASE, Settings
from portal.tasks import register
from portal.work import metrics
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.grading import grade
from portal.work.launching import launch, stop
from portal.work.reporter import Reporter
from portal.work.workspaces import Workspaces
from sandboxes.drivers import choose_driver, open_driver
from sandboxes.interface import Driver, DriverUnavailable, SandboxError

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

    def reap(self) -> None:
        """Remove what a crash left behind."""
        try:
            self.reporter.reap()
        except (SandboxError, OSError) as error:
            log.warning("nothing was reaped", error=str(error))

    def examine(self) -> None:
        """Run the checks of this machine again."""
        self.reporter.examine()


def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then stop this instance's sandboxes."""
    logging.getLogger("huey").setLevel(logging.WARNING)
    huey = make_huey(settings.instance_dir)
    driver, reason = pick_driver(settings)
    context = WorkContext(
        settings=settings,
        database=Database(settings.database_url_effective),
        content=load_content(),
        driver=driver,
        driver_reason=reason,
        workspaces=Workspaces(settings.workspaces_dir, settings.portal_origin_effective),
    )
    reporter = Reporter(context)
    caretaker = Caretaker(context, QueuedJobs(register(huey, Work(context, reporter))))
    endings = [metrics.serve(settings.metrics_host, settings.metrics_port), metrics.watch_pool(reporter.pool)]
    reporter.begin()
    caretaker.clean_up_after_crash()
    caretaker.tell()
    consumer = huey.create_consumer(
        workers=settings.worker_threads,
        worker_type="thread",
        periodic=False,
        initial_delay=0.05,
        max_delay=0.25,
    )
    log.info("worker started", driver=driver.name if driver else None, reason=reason)
    caretaker.start()
    reporter.start()
    # Huey ends at once on SIGTERM and waits for its tasks on SIGINT. A task that is cut off here runs again from its row.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        consumer.run()
    finally:
        caretaker.stop()
        reporter.stop()
        caretaker.join(timeout=10)
        caretaker.stop_everything()
        for end in endings:
            end()
        if driver is not None:
            driver.close()
        context.database.close()


def pick_driver(settings: Settings) -> tuple[Driver | None, str]:
    """The driver to use and why, or None and what to do about it."""
    try:
        choice = choose_driver(settings.sandbox_driver, settings.run_dir)
        driver = open_driver(choice.name, settings.run_dir)
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
