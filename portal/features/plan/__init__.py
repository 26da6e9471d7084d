"""Plans: a track, or a ready-made plan, over the weeks of one learner."""

from portal.features.plan.contents import Item, ItemKind
from portal.features.plan.outlook import Outlook
from portal.features.plan.routes import blueprint
from portal.features.plan.service import PlanService, Wishes
from portal.features.plan.views import Link, item_link, verdict

__all__ = ["Item", "ItemKind", "Link", "Outlook", "PlanService", "Wishes", "blueprint", "item_link", "verdict"]
