"""Write the tables of losses and of advantage estimators into docs/algorithms.md, from the code that makes them.

    python docs/_generate_algorithms.py

tests/docs/test_algorithms.py compares, so the page and the code cannot differ.
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from r1sdk.contracts import FROM_RECIPE, is_over_batch, is_per_token
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.losses import LOSSES

PAGE = Path(__file__).parent / "algorithms.md"
MARKS = {
    name: (f"<!-- {name}: written by docs/_generate_algorithms.py -->", f"<!-- end of {name} -->")
    for name in ("losses", "advantages")
}


def arxiv(text: str) -> str:
    """Link the numbers of papers."""
    return re.sub(r"\b(\d{4}\.\d{5})\b", r"[\1](https://arxiv.org/abs/\1)", text)


def value(setting: Any) -> str:
    """Write a setting as a recipe has it."""
    return str(setting).lower() if isinstance(setting, bool) else str(setting)


def losses() -> Iterator[str]:
    yield "| `--loss` | paper | difference | keys of `trainer` that it sets |"
    yield "|---|---|---|---|"
    for name, loss in LOSSES.items():
        fixed = ", ".join(f"**{key}: {value(one)}**" for key, one in loss.selects.items())
        tuned = "".join(f", {key}: {value(one)}" for key, one in loss.tuned.items())
        yield f"| `{name}` | {arxiv(loss.paper)} | {arxiv(loss.changes)} | {fixed}{tuned} |"


def advantages() -> Iterator[str]:
    yield "| `--advantage` | returns | paper | options | of |"
    yield "|---|---|---|---|---|"
    registry = load_plugins()
    for name in registry.names("advantage"):
        target = registry.get("advantage", name).target
        text = inspect.cleandoc(target.__doc__ or "")
        found = dict.fromkeys(re.findall(r"\b\d{4}\.\d{5}\b", text))
        options = ", ".join(f"`{field.name}` {default(field)}" for field in dataclasses.fields(target))
        whole = "a batch" if is_over_batch(target) else "a group"
        each = "each turn" if is_per_token(target) else "each rollout"
        summary = " ".join(text.partition("\n\n")[0].split()).rstrip(".")
        yield f"| `{name}` | {summary} | {arxiv(', '.join(found))} | {options} | {each}, over {whole} |"


def default(field: "dataclasses.Field[Any]") -> str:
    return "the run's" if FROM_RECIPE in field.metadata else value(field.default)


def page() -> str:
    """Return the whole page with its tables of today."""
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in (("losses", losses()), ("advantages", advantages())):
        begin, end = MARKS[name]
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n" + "\n".join(rows) + f"\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
