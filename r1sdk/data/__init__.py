"""The care of data: what is wrong with it, what of a benchmark is in it, and how hard it is."""

from .difficulty import Rated, rate
from .items import Item, items, write_rows
from .overlap import Match, Overlap
from .rates import Measured, read_rates
from .row_faults import DataReport, SplitReport, check_data, splits_of

__all__ = [
    "DataReport",
    "Item",
    "Match",
    "Measured",
    "Overlap",
    "Rated",
    "SplitReport",
    "check_data",
    "items",
    "rate",
    "read_rates",
    "splits_of",
    "write_rows",
]
