"""What a run says to those who look at it: a page (`write_report`), and rollouts that can be searched (`index`, `query`)."""

from .index import RolloutIndex, RolloutRow
from .page import PAGE, leave_report, write_report
from .query import FILTERS, Query, parse
from .samples import asked, between_turns, said, said_parts

__all__ = [
    "FILTERS",
    "PAGE",
    "Query",
    "RolloutIndex",
    "RolloutRow",
    "asked",
    "between_turns",
    "leave_report",
    "parse",
    "said",
    "said_parts",
    "write_report",
]
