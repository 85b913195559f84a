"""Tasks from the rows of any table: the environments `file` and `hub`, and what every named data set builds on."""

from .kinds import File, Hub
from .table_env import Table

__all__ = ["File", "Hub", "Table"]
