"""What works on this machine, and what to do about what does not: small checks, each with a time limit, none stops the others."""

from sandboxes.doctor.examination import Surroundings, examine, usable_drivers
from sandboxes.doctor.finding import Finding, State

__all__ = ["Finding", "State", "Surroundings", "examine", "usable_drivers"]
