"""Reports of a run: the HTML page (`write_report`), and the searchable list of rollouts behind `r1 view` (`index`, `query`)."""

from .page import PAGE, leave_report, write_report

__all__ = ["PAGE", "leave_report", "write_report"]
