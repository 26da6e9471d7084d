"""A driver that keeps started sandboxes ready: whoever asks for one gets it in the time that adoption takes.

`want` says of which flavours how many are to wait. `start` hands one of them out, adopted, or starts anew where none waits; none
is handed out twice. Whoever gets one uses *its* id and token, not those of the spec. One background thread fills up: one start at
a time, and not while a launch or a grading is under way, because it would compete with them for the processors.

How many may wait at most is the least of `total`, of `memory_mb // place_mb` (a fixed share each: a plain process can't tell what
it uses, and an engine takes a second to) and of what `room` says, for learners come first.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.drivers.adoption import BLANK, remove_left_blanks, settle_marked
from sandboxes.interface import (
    Driver,
    Phase,
    Progress,
    ProgressListener,
    Sandbox,
    SandboxError,
    SandboxGone,
    SandboxSpec,
    SandboxState,
)
from sandboxes.retiring import Retirement
from sandboxes.warm import Flavour, Shelf, Shelves

MAX_AGE_SECONDS = 1_800.0
LOOK_SECONDS = 10.0
"""How often those that wait are looked after."""
SETTLE_SECONDS = 0.5
"""For so long after a launch its learner still needs the processors: a page and a kernel start."""
PATIENCE_SECONDS = 5.0
"""Under a steady load, filling up is put off for no longer than this."""
GRADING_SECONDS = 7_200.0
"""No grading takes longer: what was handed out for one and never came back does not count any more."""
CLOSE_SECONDS = 10.0

log = logging.getLogger("sandboxes.pool")


class Pool(Driver):
    """Another driver, with sandboxes that wait. Threads may call everything at once."""

    name: ClassVar[str] = "pool"
    isolated: ClassVar[bool] = False

    def __init__(
        self,
        driver: Driver,
        *,
        kept: Path | None = None,
        labels: Mapping[str, str] | None = None,
        total: int = 4,
        memory_mb: int = 0,
        place_mb: int = 256,
        room: Callable[[], int] | None = None,
        max_age_seconds: float = MAX_AGE_SECONDS,
        tell: Callable[[dict[str, Any]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kept` is where learners' sandboxes wait, on the file system of their workspaces (graders wait in `driver.scratch`).

        `labels` are those of the ones that wait. With `memory_mb` 0 memory is no bound; `room` says how many may wait now.
        `tell` gets the status whenever it changes.
        """
        # To those who ask, it is the driver inside.
        vars(self).update(name=driver.name, isolated=driver.isolated, scratch=driver.scratch)
        self.driver = driver
        self.total = min(total, memory_mb // place_mb) if memory_mb else total
        self._scratch = driver.scratch or Path(tempfile.gettempdir())
        self._kept = kept or self._scratch
        self._labels = {**(labels or {}), "purpose": "pool"}
        self._room = room or (lambda: self.total)
        self._max_age = max_age_seconds
        self._tell = tell
        self._clock = clock
        self._shelves = Shelves(clock)
        self._retirement = Retirement()
        self._news = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._looked_at = clock()
        self._put_off_at: float | None = None
        self._lock = threading.Lock()
        """Guards what follows."""
        self._launches = 0
        self._settled_at = -SETTLE_SECONDS + clock()
        self._graders: dict[str, float] = {}
        """Those that grade now, and since when."""

    # --- what is wanted ---------------------------------------------------------------------------------------------

    def want(self, template: SandboxSpec, count: int) -> None:
        """Keep `count` of a spec's flavour ready; its workspace, labels, id and token don't matter."""
        self._shelves.want(template, count)
        self._retire(self._shelves.take_surplus(self.total))
        self._tell_news()

    def forget(self, template: SandboxSpec) -> None:
        """Keep none of a spec's flavour any more."""
        if self._shelves.knows(Flavour.of(template)):
            self.want(template, 0)

    def make_room(self, most: int) -> None:
        self._retire(self._shelves.take_surplus(most))
        self._tell_news()

    def status(self) -> dict[str, Any]:
        """What waits and how that went, as JSON without secrets: `total`, `warm`, `starting`, `hits`, `misses`, `flavours`."""
        return {"total": self.total, **self._shelves.document()}

    # --- a driver's part --------------------------------------------------------------------------------------------

    def check(self) -> None:
        self.driver.check()

    def prepare(self, image: str, progress: ProgressListener) -> None:
        if not self._shelves.holds(image):  # one that waits was started from it
            self.driver.prepare(image, progress)

    def revision(self, image: str) -> str:
        return self.driver.revision(image)

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        if spec.blank:
            return self.driver.start(spec, progress)
        began = self._clock()
        with self._launch():
            sandbox = self._from_shelf(spec)
            if sandbox is None:
                sandbox = self.driver.start(spec, progress)
            else:
                progress(Progress(Phase.READY, "it had been started before", self._clock() - began))
            if not spec.jupyter:
                with self._lock:
                    self._graders[sandbox.id] = self._clock()
            return sandbox

    def find(self, sandbox_id: str) -> Sandbox | None:
        return self.driver.find(sandbox_id)

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        return self.driver.running()

    def settle(self, below: Path) -> None:
        self.driver.settle(below)
        settle_marked(self._kept, below)

    def retire(self, sandbox: Sandbox, discard: Path | None = None) -> None:
        self._retirement.add(sandbox, discard)
        with self._lock:
            self._graders.pop(sandbox.id, None)
            self._settled_at = self._clock()
        self._news.set()

    def remains(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        return self.driver.remains({*keep, *self._mine()}, grace_seconds)

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        return self.driver.reap({*keep, *self._mine()}, grace_seconds)

    def close(self) -> None:
        """End all that wait and all that is to be ended, then the driver."""
        self.stop_filling()
        self._retire(self._shelves.take_surplus(0))
        self._retirement.close()
        self.driver.close()

    # --- filling up -------------------------------------------------------------------------------------------------

    def start_filling(self) -> None:
        """Begin to fill up in the background. What waited in an earlier process must have been ended."""
        self._thread = threading.Thread(target=self._fill, name="pool", daemon=True)
        self._thread.start()

    def stop_filling(self) -> None:
        """End the background thread for good; what it is starting now ends as soon as it is there."""
        self._closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def tend(self) -> float:
        """One round: look after those that wait, start at most one. Returns in how many seconds the next is due."""
        room = max(0, min(self.total, self._room()))
        if self._clock() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = self._clock()
            self._retire_unfit()
        self._retire(self._shelves.take_surplus(room))
        shelf, pause = self._shelves.next_to_fill(room)
        if shelf is None:
            self._put_off_at = None
            return LOOK_SECONDS if pause is None else min(LOOK_SECONDS, pause)
        if (busy := self._busy_for()) > 0:
            return busy
        self._start_one(shelf)
        self._tell_news()
        return 0.0

    def _fill(self) -> None:
        pause = 0.0
        if self._kept != self._scratch:  # that one is others' too, and tidied by the reaper
            remove_left_blanks(self._kept, self._mine())
        while not self._closing:
            self._news.wait(pause)
            self._news.clear()
            if self._closing:
                return
            try:
                pause = self.tend()
            except Exception:  # a database or an engine that fails must not end the thread
                log.exception("the pool will try again")
                pause = LOOK_SECONDS

    def _busy_for(self) -> float:
        """How long to put a start off for the sake of those who launch and grade now; 0 when it was put off for long enough."""
        now = self._clock()
        with self._lock:
            grading = any(now - since < GRADING_SECONDS for since in self._graders.values())
            busy = SETTLE_SECONDS if self._launches or grading else self._settled_at + SETTLE_SECONDS - now
        if busy > 0:
            self._put_off_at = now if self._put_off_at is None else self._put_off_at
            if now - self._put_off_at < PATIENCE_SECONDS:
                return busy
        self._put_off_at = None
        return 0.0

    def _start_one(self, shelf: Shelf) -> None:
        folder = self._kept if shelf.template.jupyter else self._scratch
        new = SandboxSpec(workspace=folder)
        spec = replace(
            shelf.template,
            workspace=folder / f"{BLANK}{new.sandbox_id}",
            labels=self._labels,
            sandbox_id=new.sandbox_id,
            access_token=new.access_token,
            blank=True,
        )
        self._shelves.begin(shelf, spec.sandbox_id)
        try:
            revision = self.driver.revision(spec.image)
            sandbox = self.driver.start(spec, lambda _: None)
        except Exception as error:
            why = error.learner if isinstance(error, SandboxError) else f"{type(error).__name__}: {error}"
            log.warning("a sandbox that was to wait did not start: %s", why)
            self._shelves.fail(shelf, spec.sandbox_id, why[:500])
            return
        if not self._shelves.put(shelf, sandbox, revision) or self._closing:
            self._retire(self._shelves.take_surplus(0) if self._closing else [sandbox])

    # --- handing out ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _launch(self) -> Iterator[None]:
        with self._lock:
            self._launches += 1
        try:
            yield
        finally:
            with self._lock:
                self._launches -= 1
                self._settled_at = self._clock()
            self._tell_news()

    def _from_shelf(self, spec: SandboxSpec) -> Sandbox | None:
        """One of those that wait, adopted; None when there is none that can be, or the workspace can't be given to any.

        Raises SandboxError when files were left half moved: then nothing else may touch them.
        """
        flavour = Flavour.of(spec)
        while (sandbox := self._shelves.take(flavour)) is not None:
            try:
                if sandbox.status().state is not SandboxState.READY:
                    raise SandboxGone("It ended while it waited.")
                sandbox.adopt(spec.workspace, spec.labels)
            except SandboxGone as error:
                log.warning("the sandbox %s could not be adopted: %s", sandbox.id, error)
                self._retirement.add(sandbox)
            except OSError as error:
                # It lies with the workspace (it is on another file system): the others must wait on, for other learners.
                log.warning("the sandbox %s could not be given %s: %s", sandbox.id, spec.workspace, error)
                self._retirement.add(sandbox)
                return None
            except BaseException:
                self._retirement.add(sandbox)
                raise
            else:
                self._shelves.count_hit(flavour)
                return sandbox
        return None

    # --- ending -----------------------------------------------------------------------------------------------------

    def _retire(self, sandboxes: Collection[Sandbox]) -> None:
        for sandbox in sandboxes:
            self._retirement.add(sandbox)

    def _retire_unfit(self) -> None:
        """End those that are too old, dead, or made from what has changed since."""
        waiting = self._shelves.waiting()
        images = {shelf.template.image for shelf, _ in waiting}
        revisions = {image: self.driver.revision(image) for image in images}
        for shelf, warm in waiting:
            fit = (
                self._clock() - warm.since < self._max_age
                and warm.revision == revisions[shelf.template.image]
                and warm.sandbox.status().state is SandboxState.READY
            )
            if not fit and self._shelves.remove(shelf, warm):
                self._retirement.add(warm.sandbox)

    def _mine(self) -> set[str]:
        """What no reaper may take."""
        now = self._clock()
        with self._lock:
            grading = {key for key, since in self._graders.items() if now - since < GRADING_SECONDS}
        return self._shelves.ids() | self._retirement.ids() | grading

    def _tell_news(self) -> None:
        self._news.set()
        try:
            self._tell(self.status())
        except OSError as error:
            log.warning("the pool's status could not be written: %s", error)
