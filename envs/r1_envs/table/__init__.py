"""Tasks from the rows of any table: the environments `file` and `hub`, and what every named data set builds on."""

from .environment import Table
from .kinds import File, Hub

__all__ = ["File", "Hub", "Table"]
