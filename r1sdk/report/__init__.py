"""What a run says to those who look at it: a page (`write_report`), and rollouts that can be searched (`index`, `query`)."""

from .page import PAGE, leave_report, write_report

__all__ = ["PAGE", "leave_report", "write_report"]
