"""Checks of training data: faulty rows, overlap with benchmarks, and difficulty."""

from .difficulty import RatedRow, rate
from .items import Item, items, write_rows
from .overlap import Match, Overlap
from .rates import PassRate, read_rates
from .row_faults import DataReport, SplitReport, check_data, splits_of

__all__ = [
    "DataReport",
    "Item",
    "Match",
    "Overlap",
    "PassRate",
    "RatedRow",
    "SplitReport",
    "check_data",
    "items",
    "rate",
    "read_rates",
    "splits_of",
    "write_rows",
]
