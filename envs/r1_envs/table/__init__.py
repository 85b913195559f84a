"""Tasks from the rows of any table: the environments `file` and `hub`, and the base of every named data set."""

from .kinds import File, Hub
from .table_env import Table

__all__ = ["File", "Hub", "Table"]
