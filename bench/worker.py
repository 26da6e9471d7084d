"""`python -m bench.worker`: the portal's worker, with the benchmarks' labs added to its content. Settings as the portal's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labs import catalogue
from portal.content import Content, load_content
from portal.settings import Settings
from portal.worker import run_worker

LABS = Path(__file__).parent / "labs"


def bench_content() -> Content:
    """The product's content and the benchmarks' labs."""
    content = load_content()
    ours = catalogue.load(LABS)
    return replace(content, labs=catalogue.Catalogue({**content.labs.labs, **ours.labs}, ours.faults))


if __name__ == "__main__":
    run_worker(Settings.from_environment(), bench_content())
