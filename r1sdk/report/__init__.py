"""Reports of a run: the HTML page (`write_report`), and the searchable list of rollouts behind `r1 view` (`index`, `query`)."""

from ..visible_text import visible
from .index import RolloutIndex, RolloutRow
from .page import PAGE, leave_report, write_report
from .query import FILTERS, Query, parse, select, text_matches
from .samples import last_prompt, reply_parts, reply_text, session_summary
from .seeds import run_folders

__all__ = [
    "FILTERS",
    "PAGE",
    "Query",
    "RolloutIndex",
    "RolloutRow",
    "last_prompt",
    "leave_report",
    "parse",
    "reply_parts",
    "reply_text",
    "run_folders",
    "select",
    "session_summary",
    "text_matches",
    "visible",
    "write_report",
]
