"""The pool: hands out what waits, each once, and fills up without getting in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandboxes.interface import (
    Limits,
    Phase,
    Progress,
    ProgressListener,
    Sandbox,
    SandboxError,
    SandboxGone,
    SandboxSpec,
    StartFailed,
)
from sandboxes.pool import MAX_AGE_SECONDS, PATIENCE_SECONDS, SETTLE_SECONDS, Pool
from sandboxes.retiring import Retirement
from sandboxes.warm import LONGEST_PAUSE_SECONDS, TAKEN_SECONDS, Flavour
from tests.unit.labs.fake_driver import FakeDriver, FakeSandbox


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class BlankDriver(FakeDriver):
    """A fake whose blanks can refuse adoption, and whose starts and stops can be held."""

    def __init__(self, scratch: Path) -> None:
        super().__init__()
        self.scratch = scratch
        self.refusal: BaseException | None = None
        self.version = "1"
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def revision(self, image: str) -> str:
        return f"{image}:{self.version}"

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        self.entered.set()
        assert self.gate.wait(60)
        if self.start_error is not None:
            raise self.start_error
        sandbox = BlankSandbox(spec, self)
        self.sandboxes.append(sandbox)
        return sandbox


class BlankSandbox(FakeSandbox):
    driver: BlankDriver

    def adopt(self, workspace: Path, labels: Mapping[str, str]) -> None:
        if self.driver.refusal is not None:
            refusal, self.driver.refusal = self.driver.refusal, None
            raise refusal
        super().adopt(workspace, labels)

    def die(self) -> None:
        self.stops += 1


def quiet(_: Progress) -> None:
    """Nobody watches."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver(tmp_path: Path) -> BlankDriver:
    return BlankDriver(tmp_path / "scratch")


@pytest.fixture
def make_pool(driver: BlankDriver, clock: Clock, tmp_path: Path) -> Iterator[Callable[..., Pool]]:
    pools: list[Pool] = []

    def make(**more: Any) -> Pool:
        options = {"kept": tmp_path / "kept", "labels": {"instance": "i"}, "clock": clock, **more}
        pools.append(Pool(driver, **options))
        return pools[-1]

    yield make
    driver.gate.set()
    for pool in pools:
        pool.close()


@pytest.fixture
def pool(make_pool: Callable[..., Pool]) -> Pool:
    return make_pool()


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    return SandboxSpec(workspace=tmp_path / "lab", environment={"LAB_SLUG": "a"}, labels={"session": "1"})


def fill(pool: Pool, clock: Clock) -> None:
    """Rounds of the background until there is nothing to start."""
    for _ in range(50):
        pause = pool.tend()
        if pause >= 10:
            return
        clock.now += pause
    raise AssertionError("it never got full")


def warm(driver: BlankDriver) -> list[str]:
    return [key for key, labels in driver.running() if labels.get("purpose") == "pool"]


class TestFlavours:
    def test_what_adoption_gives_is_no_part_of_it(self, spec: SandboxSpec, tmp_path: Path) -> None:
        other = replace(
            spec, workspace=tmp_path, labels={}, sandbox_id="x", access_token="y", blank=True, start_seconds=1
        )
        assert Flavour.of(other) == Flavour.of(spec)

    @pytest.mark.parametrize(
        "difference",
        [
            {"image": "cloud"},
            {"services": {"postgres": {}}},
            {"services": {"redis": {}, "postgres": {}}},
            {"services": {"postgres": {"database": "shop"}, "redis": {}}},
            {"limits": Limits(memory_mb=1)},
            {"environment": {"LAB_SLUG": "b"}},
            {"jupyter": False},
            {"preload": ("json",)},
        ],
    )
    def test_what_is_settled_at_the_start_is(self, spec: SandboxSpec, difference: dict[str, Any]) -> None:
        base = replace(spec, services={"postgres": {}, "redis": {}})
        assert Flavour.of(replace(base, **difference)) != Flavour.of(base)


class TestHandingOut:
    def test_one_that_waits_is_adopted_with_its_own_id(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock, tmp_path: Path
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        (blank,) = driver.sandboxes
        assert blank.spec.blank
        assert blank.spec.labels == {"instance": "i", "purpose": "pool"}
        assert blank.spec.workspace == tmp_path / "kept" / f"blank-{blank.id}"
        told: list[Progress] = []
        sandbox = pool.start(spec, told.append)
        assert sandbox is blank
        assert sandbox.id != spec.sandbox_id
        assert blank.spec.workspace == spec.workspace
        assert blank.spec.labels == spec.labels
        assert told[-1].phase is Phase.READY
        assert (pool.status()["hits"], pool.status()["misses"]) == (1, 0)

    def test_a_grader_waits_where_nobody_keeps_anything(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(replace(spec, jupyter=False), 1)
        fill(pool, clock)
        assert driver.sandboxes[0].spec.workspace.parent == driver.scratch

    def test_none_is_handed_out_twice(
        self, make_pool: Callable[..., Pool], driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool = make_pool(total=8)
        pool.want(spec, 8)
        fill(pool, clock)
        got: list[str] = []

        def launch(number: int) -> None:
            got.append(pool.start(replace(spec, sandbox_id=f"cold{number}"), quiet).id)

        threads = [threading.Thread(target=launch, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(set(got)) == 12
        assert sum(one.startswith("cold") for one in got) == 4
        assert (pool.status()["hits"], pool.status()["misses"]) == (8, 4)

    def test_another_flavour_starts_cold_with_the_id_that_was_asked_for(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        other = replace(spec, environment={"LAB_SLUG": "b"})
        assert pool.start(other, quiet).id == other.sandbox_id
        assert len(warm(driver)) == 1

    def test_a_dead_one_is_passed_over(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 2)
        fill(pool, clock)
        first, second = driver.sandboxes
        assert isinstance(first, BlankSandbox)
        first.die()
        assert pool.start(spec, quiet) is second

    def test_one_that_can_not_be_adopted_is_ended_and_the_next_one_serves(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 2)
        fill(pool, clock)
        driver.refusal = SandboxGone("gone")
        first, second = driver.sandboxes
        assert pool.start(spec, quiet) is second
        pool._retirement.close()
        assert (first.stops, second.stops) == (1, 0)

    def test_a_workspace_that_none_can_be_given_costs_the_others_none_but_one(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 2)
        fill(pool, clock)
        driver.refusal = OSError("another file system")
        first, second = driver.sandboxes
        assert pool.start(spec, quiet).id == spec.sandbox_id
        assert pool.start(spec, quiet) is second
        pool._retirement.close()
        assert (first.stops, second.stops) == (1, 0)

    def test_without_another_one_a_refused_adoption_becomes_a_cold_start(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        driver.refusal = SandboxGone("gone")
        assert pool.start(spec, quiet).id == spec.sandbox_id

    def test_files_left_half_moved_are_told_and_not_touched_again(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 2)
        fill(pool, clock)
        driver.refusal = SandboxError("They are kept.")
        with pytest.raises(SandboxError, match="kept"):
            pool.start(spec, quiet)
        assert len(driver.sandboxes) == 2
        assert len(warm(driver)) >= 1

    def test_an_image_from_which_one_waits_is_not_prepared_again(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.prepare("base", quiet)
        pool.want(spec, 1)
        fill(pool, clock)
        pool.prepare("base", quiet)
        pool.prepare("cloud", quiet)
        assert driver.prepared == ["base", "cloud"]

    def test_a_blank_one_is_never_taken_from_the_pool(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        assert pool.start(replace(spec, blank=True), quiet).id == spec.sandbox_id


class TestFilling:
    def test_one_start_a_round_up_to_what_is_wanted(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec
    ) -> None:
        pool.want(spec, 2)
        assert [pool.tend() == 0.0 for _ in range(3)] == [True, True, False]
        assert len(driver.sandboxes) == 2

    def test_a_taken_one_is_replaced_once_its_launch_has_settled(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        pool.start(spec, quiet)
        assert 0 < pool.tend() <= SETTLE_SECONDS
        assert len(driver.sandboxes) == 1
        clock.now += SETTLE_SECONDS
        assert pool.tend() == 0.0
        assert len(warm(driver)) == 1

    def test_it_waits_while_a_launch_is_under_way_but_not_for_ever(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        driver.gate.clear()
        launch = threading.Thread(target=pool.start, args=(spec, quiet))
        launch.start()
        assert driver.entered.wait(60)
        pool.want(replace(spec, jupyter=False), 1)
        assert pool.tend() > 0
        clock.now += PATIENCE_SECONDS - 0.1
        assert pool.tend() > 0
        clock.now += 0.2
        driver.gate.set()
        assert pool.tend() == 0.0
        launch.join(60)
        assert len(warm(driver)) == 1

    def test_it_waits_while_something_is_graded(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        grader = replace(spec, jupyter=False)
        pool.want(grader, 1)
        fill(pool, clock)
        sandbox = pool.start(grader, quiet)
        clock.now += 2 * SETTLE_SECONDS
        assert pool.tend() > 0
        pool.retire(sandbox)
        clock.now += 2 * SETTLE_SECONDS
        assert pool.tend() == 0.0

    def test_failures_are_told_and_tried_again_less_and_less_often(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        driver.start_error = StartFailed("Postgres did not start.", phase=Phase.STARTING_SERVICES)
        pool.want(spec, 1)
        pauses = []
        for _ in range(8):
            assert pool.tend() == 0.0
            (flavour,) = pool.status()["flavours"]
            assert flavour["failure"] == "Postgres did not start."
            pauses.append(flavour["retry_seconds"])
            assert pool.tend() > 0
            clock.now += pauses[-1]
        assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
        assert pauses[-1] == LONGEST_PAUSE_SECONDS
        driver.start_error = None
        assert pool.tend() == 0.0
        (flavour,) = pool.status()["flavours"]
        assert (flavour["failure"], flavour["warm"], flavour["starting"]) == ("", 1, 0)

    def test_a_flavour_that_fails_does_not_hold_up_another(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec
    ) -> None:
        driver.start_error = RuntimeError("no engine")
        pool.want(spec, 1)
        pool.tend()
        driver.start_error = None
        pool.want(replace(spec, jupyter=False), 1)
        assert pool.tend() == 0.0
        assert [not one.spec.jupyter for one in driver.sandboxes] == [True]

    def test_the_thread_fills_up_when_something_is_wanted_and_goes_on_after_a_hit(
        self, make_pool: Callable[..., Pool], driver: BlankDriver, spec: SandboxSpec
    ) -> None:
        full = threading.Event()
        counts: list[int] = []

        def told(status: dict[str, Any]) -> None:
            counts.append(status["warm"])
            full.set() if status["warm"] == 2 else full.clear()

        pool = make_pool(tell=told, clock=lambda: 0.0)
        pool._settled_at = -1.0
        pool.start_filling()
        pool.want(spec, 2)
        assert full.wait(60)
        pool.close()
        assert driver.running() == []

    def test_what_is_being_started_when_the_pool_closes_is_ended(
        self,
        make_pool: Callable[..., Pool],
        driver: BlankDriver,
        spec: SandboxSpec,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("sandboxes.pool.CLOSE_SECONDS", 0.01)
        pool = make_pool()
        driver.gate.clear()
        pool.start_filling()
        pool.want(spec, 1)
        assert driver.entered.wait(60)
        pool.close()
        driver.gate.set()
        assert pool._thread is not None
        pool._thread.join(60)
        assert len(driver.sandboxes) == 1
        assert driver.running() == []


class TestBounds:
    def test_no_more_wait_than_in_all(
        self, make_pool: Callable[..., Pool], driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool = make_pool(total=3)
        pool.want(spec, 2)
        pool.want(replace(spec, jupyter=False), 2)
        fill(pool, clock)
        assert len(warm(driver)) == 3

    def test_memory_bounds_them_by_a_share_for_each(self, make_pool: Callable[..., Pool]) -> None:
        assert make_pool(total=9, memory_mb=1000, place_mb=300).total == 3

    def test_they_go_when_the_site_has_no_room_left(
        self, make_pool: Callable[..., Pool], driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        rooms = [2]
        pool = make_pool(room=lambda: rooms[0])
        pool.want(spec, 4)
        fill(pool, clock)
        assert len(warm(driver)) == 2
        rooms[0] = 1
        pool.tend()
        pool._retirement.close()
        assert sum(one.stops for one in driver.sandboxes) == 1
        assert pool.status()["warm"] == 1

    def test_learners_come_first(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        old, new = spec, replace(spec, environment={"LAB_SLUG": "new"})
        pool.want(old, 1)
        clock.now += 1
        pool.want(new, 1)
        fill(pool, clock)
        pool.make_room(1)
        assert [flavour["lab"] for flavour in pool.status()["flavours"] if flavour["warm"]] == ["new"]
        pool.make_room(0)
        assert pool.status()["warm"] == 0

    def test_what_is_forgotten_is_ended(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        pool.forget(spec)
        pool.forget(replace(spec, jupyter=False))
        assert pool.status()["flavours"] == []
        pool._retirement.close()
        assert driver.sandboxes[0].stops == 1


class TestUpkeep:
    @pytest.mark.parametrize("reason", ["age", "death", "code"])
    def test_the_old_the_dead_and_the_outdated_are_replaced(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock, reason: str
    ) -> None:
        pool.want(spec, 1)
        fill(pool, clock)
        (first,) = driver.sandboxes
        clock.now += 60
        fill(pool, clock)
        assert len(driver.sandboxes) == 1
        if reason == "age":
            clock.now += MAX_AGE_SECONDS
        elif reason == "death":
            first.stops += 1
        else:
            driver.version = "2"
        clock.now += 60
        fill(pool, clock)
        assert len(driver.sandboxes) == 2
        assert pool.start(spec, quiet) is driver.sandboxes[1]

    def test_the_reaper_leaves_the_pools_own_alone(
        self, pool: Pool, driver: BlankDriver, spec: SandboxSpec, clock: Clock
    ) -> None:
        grader = replace(spec, jupyter=False, sandbox_id="grader")
        pool.want(spec, 2)
        fill(pool, clock)
        taken = pool.start(spec, quiet)
        pool.start(grader, quiet)
        orphan = driver.start(replace(spec, sandbox_id="orphan"), quiet)
        assert pool.reap(keep=[]) == [orphan.id]
        clock.now += TAKEN_SECONDS
        assert pool.reap(keep=[taken.id]) == []
        assert pool.reap(keep=[]) == [taken.id]


class TestRetirement:
    def test_ending_happens_in_the_background_and_then_the_folder_goes(
        self, driver: BlankDriver, spec: SandboxSpec, tmp_path: Path
    ) -> None:
        gate, ended = threading.Event(), threading.Event()

        class Slow(FakeSandbox):
            def stop(self) -> None:
                assert gate.wait(60)
                assert folder.exists()
                super().stop()
                ended.set()

        folder = tmp_path / "work"
        folder.mkdir()
        retirement = Retirement()
        sandbox = Slow(spec, driver)
        retirement.add(sandbox, folder)
        retirement.add(sandbox, folder)
        assert retirement.ids() == {sandbox.id}
        gate.set()
        assert ended.wait(60)
        retirement.close()
        assert retirement.ids() == set()
        assert sandbox.stops == 1
        assert not folder.exists()

    def test_a_full_queue_makes_the_caller_do_it(self, driver: BlankDriver, spec: SandboxSpec) -> None:
        gate, busy = threading.Event(), threading.Event()

        class Slow(FakeSandbox):
            def stop(self) -> None:
                busy.set()
                assert gate.wait(60)

        retirement = Retirement(most=1)
        first, second, third = (replace(spec, sandbox_id=name) for name in ("one", "two", "three"))
        retirement.add(Slow(first, driver))
        assert busy.wait(60)
        retirement.add(Slow(second, driver))
        direct = FakeSandbox(third, driver)
        retirement.add(direct)
        assert direct.stops == 1
        gate.set()
        retirement.close()

    def test_one_that_will_not_end_does_not_stop_the_others(
        self, driver: BlankDriver, spec: SandboxSpec
    ) -> None:
        class Stubborn(FakeSandbox):
            def stop(self) -> None:
                raise SandboxError("no engine")

        retirement = Retirement()
        retirement.add(Stubborn(replace(spec, sandbox_id="one"), driver))
        other = FakeSandbox(replace(spec, sandbox_id="two"), driver)
        retirement.add(other)
        retirement.close()
        assert other.stops == 1
