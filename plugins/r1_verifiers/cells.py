"""Cells of a table as texts."""

from __future__ import annotations

from typing import Any


def cell_text(value: Any) -> str:
    """Return a cell as the text of an answer: a text as it is, nothing for None, anything else as JSON."""
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
