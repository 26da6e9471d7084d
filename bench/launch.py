"""From the click on Launch to a Jupyter that answers through the gateway."""

from __future__ import annotations

import threading
import time
from typing import Any

import docker
from docker.utils import kwargs_from_env

from bench.plain import plain_jupyter
from bench.product import Learner, Product, wait_for
from bench.result import compare, emit, note, percentile
from portal.models import LabSession, SessionState
from sandboxes.drivers.image_context import ImageContext
from sandboxes.drivers.images import built_image

CROWD = 8
WARM_BUDGET = 0.25
CROWD_BUDGET = 0.5
SPARE_MB = 8192


def run(rounds: int) -> None:
    """Measure and print."""
    with (
        Product(pool_total=CROWD, pool_learners=CROWD, pool_graders=0) as warm,
        Product(pool_total=0) as cold,
    ):
        ours, bare = warm.learner("warm"), cold.learner("cold")
        note("waiting for the image and for the pool …")
        warm.until_warm(CROWD)
        _launched(cold, bare)  # not counted: the first one reads everything from the disk
        image = built_image("base").tag
        assert image == ImageContext("base").tag
        _idle_memory(warm, image)
        times: dict[str, list[float]] = {"floor": [], "warm": [], "cold": [], "ready": []}
        for number in range(rounds):
            note(f"round {number + 1} of {rounds}")
            with plain_jupyter(image) as (_, seconds):
                times["floor"].append(seconds)
            warm.until_warm(CROWD)
            _quiet()
            ready, answering = _launched(warm, ours)
            times["warm"].append(answering)
            times["ready"].append(ready)
            warm.until_warm(CROWD)
            _quiet()
            times["cold"].append(_launched(cold, bare)[1])
        hits, misses = warm.pool()["hits"], warm.pool()["misses"]
        compare(
            "launch", "warm", times["warm"], times["floor"], budget=WARM_BUDGET,
            row_ready_p50=round(percentile(times["ready"], 0.5), 4), hits=hits, misses=misses,
        )  # fmt: skip
        compare("launch", "cold", times["cold"], times["floor"], budget=None)
        _crowds(warm, cold, percentile(times["floor"], 0.5), max(1, rounds // 5))


def _launched(product: Product, learner: Learner) -> tuple[float, float]:
    """Seconds until the row is READY and until Jupyter answers. The sandbox is stopped afterwards."""
    clicked = time.perf_counter()
    learner.click("launch")
    row: LabSession = wait_for(lambda: product.session(learner, SessionState.READY), "a launch", 300)
    ready = time.perf_counter() - clicked
    path = f"/s/{row.sandbox_id}/{row.access_token}/api"
    wait_for(lambda: product.gateway.get(path).status_code == 200, "an answer through the gateway")
    answering = time.perf_counter() - clicked
    learner.click("stop")
    _stopped(product, learner)
    return ready, answering


def _stopped(product: Product, learner: Learner) -> None:
    wait_for(lambda: product.session(learner, SessionState.STOPPED), "the end of a session")


def _crowds(warm: Product, cold: Product, floor: float, rounds: int) -> None:
    for case, product, budget in (
        ("eight at once, warm", warm, CROWD_BUDGET),
        ("eight at once, cold", cold, None),
    ):
        learners = [product.learner(f"crowd{number}") for number in range(CROWD)]
        lasts, firsts = [], []
        for number in range(rounds):
            note(f"{case}: round {number + 1} of {rounds}")
            if product is warm:
                product.until_warm(CROWD)
            _quiet()
            seconds = _crowd(product, learners)
            lasts.append(max(seconds))
            firsts.append(min(seconds))
        last = percentile(lasts, 0.5)
        emit(
            bench="launch", case=case, unit="s", ours=round(last, 4), floor=round(floor, 4), ratio=round(last / floor, 3),
            budget=budget, first=round(percentile(firsts, 0.5), 4), slowest_last=round(max(lasts), 4), rounds=rounds,
        )  # fmt: skip


def _crowd(product: Product, learners: list[Learner]) -> list[float]:
    """Seconds for each of several learners who click at the same moment."""
    gate = threading.Barrier(len(learners))
    seconds: list[float] = []
    failures: list[BaseException] = []

    def one(learner: Learner) -> None:
        try:
            gate.wait(30)
            started = time.perf_counter()
            learner.click("launch")
            row = wait_for(lambda: product.session(learner, SessionState.READY), "a launch", 300)
            path = f"/s/{row.sandbox_id}/{row.access_token}/api"
            wait_for(lambda: product.gateway.get(path).status_code == 200, "an answer through the gateway")
            seconds.append(time.perf_counter() - started)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(learner,)) for learner in learners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for learner in learners:
        learner.click("stop")
    for learner in learners:
        _stopped(product, learner)
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(learners)} launches failed: {failures[0]}")
    return seconds


def _quiet() -> None:
    """Let what ended just now be swept up before the next click: neither side pays for the other's leftovers."""
    time.sleep(1.0)


def _idle_memory(warm: Product, image: str) -> None:
    """What a sandbox that waits holds, beside a plain Jupyter in a container."""
    engine = docker.APIClient(**kwargs_from_env())
    try:
        mine = {"label": [f"proving-ground.run-dir={warm.settings.run_dir}"]}
        names = [container["Id"] for container in engine.containers(filters=mine)]
        ours = percentile([_memory_mb(engine.stats(name, stream=False, one_shot=True)) for name in names], 0.5)
        with plain_jupyter(image) as (name, _):
            floor = _memory_mb(engine.stats(name, stream=False, one_shot=True))
    finally:
        engine.close()
    emit(
        bench="launch", case="memory of one that waits", unit="MiB", ours=round(ours, 1), floor=round(floor, 1),
        ratio=round(ours / floor, 3), fit_in_8_gib=int(SPARE_MB // ours), sandboxes=len(names),
    )  # fmt: skip


def _memory_mb(stats: dict[str, Any]) -> float:
    """Without the files that the kernel keeps in memory for them."""
    usage = stats["memory_stats"]
    details = usage.get("stats", {})
    cached = details.get("total_inactive_file", details.get("inactive_file", 0))
    return float(usage["usage"] - cached) / 1_048_576
