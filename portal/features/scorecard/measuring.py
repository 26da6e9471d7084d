"""What the evidence says of a dimension: shares of topics, activities and commitments, and nothing of opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from portal.features.roadmap import Progress, TopicState
from portal.features.scorecard.weeks import Week, kept_in_month
from portal.models import WorkState
from roadmap import Catalogue, Dimension

PRACTISED_WORTH = 0.5
"""What a practised topic counts, where a proven one counts 1."""
LEVELS = 5


@dataclass(frozen=True)
class Measured:
    """The evidence for one dimension in one month."""

    topics: int = 0
    proven: int = 0
    practised: int = 0
    activities: int = 0
    approved: int = 0
    due: int = 0
    kept: int = 0

    @property
    def share(self) -> float | None:
        """0 to 1: the mean of the parts that there are, each part weighing the same; None without any."""
        parts = []
        if self.topics:
            parts.append((self.proven + PRACTISED_WORTH * self.practised) / self.topics)
        if self.activities:
            parts.append(self.approved / self.activities)
        if self.due:
            parts.append(self.kept / self.due)
        return sum(parts) / len(parts) if parts else None

    @property
    def words(self) -> str:
        """The parts in words."""
        parts = []
        if self.topics:
            parts.append(f"{self.proven} of {self.topics} topics proven, {self.practised} practised")
        if self.activities:
            parts.append(f"{self.approved} of {self.activities} activities approved")
        if self.due:
            parts.append(f"commitments kept {self.kept} of {self.due} times")
        return "; ".join(parts)

    def stored(self) -> dict[str, int]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def read(cls, stored: Any) -> Self:
        """From what was kept; what is not understood counts as nothing."""
        known = stored if isinstance(stored, Mapping) else {}
        return cls(**{name: int(known.get(name, 0)) for name in cls.__dataclass_fields__})


def measure(catalogue: Catalogue, progress: Progress, weeks: Sequence[Week], month: str) -> dict[str, Measured]:
    """Each dimension by its id, as it is now."""
    return {
        dimension.id: _one(dimension, catalogue, progress, weeks, month)
        for dimension in catalogue.scorecard.dimensions
    }


def _one(
    dimension: Dimension, catalogue: Catalogue, progress: Progress, weeks: Sequence[Week], month: str
) -> Measured:
    topics = [
        progress.topics[topic.id]
        for module_id in dimension.modules
        for topic in catalogue.modules[module_id].topics
    ]
    standings = [progress.activities.get(activity_id) for activity_id in dimension.activities]
    commitments = [each for each in catalogue.scorecard.commitments if each.id in dimension.commitments]
    kept, due = kept_in_month(commitments, weeks, month)
    return Measured(
        topics=len(topics),
        proven=sum(topic.state == TopicState.PROVEN for topic in topics),
        practised=sum(topic.state == TopicState.PRACTISED for topic in topics),
        activities=len(standings),
        approved=sum(one is not None and one.state == WorkState.APPROVED for one in standings),
        due=due,
        kept=kept,
    )
