"""`check_demonstrations`: are the rows of a file right for SFT or DPO, and what would a model learn from them?"""

from dataclasses import replace
from typing import Literal

from ..data.demonstrations import FileReport, FromFile, check_file
from ..errors import R1Error
from ..planning.build import build_demonstrations
from ..planning.model_source import resolve_model
from ..planning.named_recipe import resolve_recipe
from ..plugins.loading import load_plugins
from .naming import Sets, as_sets


def check_demonstrations(
    data: str, settings: Sets = (), model: str | None = None, method: Literal["sft", "dpo"] = "sft"
) -> FileReport:
    """Check every row of a file for SFT or DPO; with `model`, also how its chat template writes them. Raises: R1Error."""
    start = {"model": model or "none", "method": method}
    recipe, _ = resolve_recipe(load_plugins(), start, as_sets(settings), {"data": data})
    source = build_demonstrations(load_plugins(), recipe, check=False)
    if not isinstance(source, FromFile):
        raise R1Error(f"--data {data}: name a file or a folder on this machine")
    report = check_file(source)
    if model is None:
        return report
    from ..training.sft.sft_run import template_report

    tally = template_report(resolve_model(load_plugins(), model, loads=False), recipe, source)
    return replace(report, differs=tuple(tally.lines()))
