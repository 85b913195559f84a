"""Print the outcome of a run: the held-out figures before and after, and the next commands."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lines import echo, tell, tell_next

if TYPE_CHECKING:
    from r1sdk.api import TrainedRun


def summarize(run: "TrainedRun") -> None:
    """Print the held-out figures before and after to stdout, and what to do next to stderr."""
    if run.stages:
        _summarize_stages(run)
        return
    if run.seeds:
        _summarize_seeds(run)
        return
    before, after = (None if found is None else found.to_json() for found in (run.before, run.after))
    if after:
        rows = {"accuracy": ("accuracy",), **{f"reward {name}": ("rewards", name) for name in after["rewards"]}}
        generated = after["accuracy"]["n"]
        shown = (rows if generated else {}) | ({"loss": ("loss",)} if "loss" in after else {})
        width = max([14, *map(len, shown)])
        echo(f"{'held out':{width}}{'before':>18}{'after':>18}")
        for label, path in shown.items():
            echo(f"{label:{width}}{_estimate(before, path):>18}{_estimate(after, path):>18}")
        if generated:
            echo(f"{'tokens':{width}}{_figure(before, 'tokens'):>18}{_figure(after, 'tokens'):>18}")
            tell(
                f"n = {generated} tasks that were never trained on, "
                f"sampled at temperature {after['settings']['temperature']:g}; ± one standard error"
            )
        if "loss" in after:
            tell(f"loss per token of {after['loss']['n']} replies that were never trained on; ± one standard error")
    if run.collected is not None:
        made = run.collected
        echo(f"kept {made['kept']} of {made['answers']} answers ({made['rule']})")
        echo(f"data      {run.data_path}", err=True)
        return
    files = {
        "model": run.model_path,
        "rollouts": run.folder / "rollouts.jsonl",
        "metrics": run.folder / "metrics.jsonl",
    }
    for name, file in files.items():
        echo(f"{name:8}  {file}", err=True)
    tell_report(run.folder)
    then = f"r1 eval {run.folder} --samples 8" if run.env else f"r1 chat {run.folder}"
    tell_next(f"r1 view {run.folder}", then)


def _summarize_stages(run: "TrainedRun") -> None:
    table = run.folder / "stages.txt"
    echo(table.read_text(encoding="utf-8"), nl=False)
    echo(f"written to {table}", err=True)
    models = [stage.folder for stage in run.stages if stage.model_path is not None]
    tell_next(f"r1 eval {models[-1] if models else run.folder} --samples 8")


def _summarize_seeds(run: "TrainedRun") -> None:
    spreads = run.over_seeds
    if "after" in spreads:
        echo(f"{'accuracy':10}{'before':>16}{'after':>16}")
        for seed in run.seeds:
            each = [spreads[moment].seeds.get(seed) if moment in spreads else None for moment in ("before", "after")]
            echo(f"{f'seed {seed}':10}{_plus_minus(each[0]):>16}{_plus_minus(each[1]):>16}")
        echo(f"{'mean':10}{_plus_minus(spreads.get('before')):>16}{_plus_minus(spreads['after']):>16}")
        tell(
            f"± of a seed: one standard error over its {spreads['after'].tasks} held-out tasks; of the mean: over seeds"
        )
        if said := spreads["after"].comment:
            tell(said)
    for seed, each_run in run.seeds.items():
        echo(f"{f'seed {seed}':8}  {each_run.folder}", err=True)
    tell_next(f"r1 report {run.folder}", f"r1 eval {run.folder} --samples 8")


def _plus_minus(found: Any) -> str:
    if found is None or found.mean is None:
        return "-"
    return f"{found.mean:.3f}" + ("" if found.stderr is None else f" ± {found.stderr:.3f}")


def tell_report(folder: Path) -> None:
    """Print where the page of the run is, or how to make one."""
    from r1sdk.report import PAGE

    page = folder / PAGE
    install = "" if find_spec("jinja2") else "pip install 'r1sdk[report]' && "
    told = str(page) if page.is_file() else f"none: {install}r1 report {folder}"
    echo(f"report    {told}", err=True)


def _estimate(evaluation: Mapping[str, Any] | None, path: tuple[str, ...]) -> str:
    value: Any = evaluation
    for key in path:
        value = (value or {}).get(key)
    if not value or value["mean"] is None:
        return "-"
    return f"{value['mean']:.3f}" + (f" ± {value['stderr']:.3f}" if value["stderr"] is not None else "")


def _figure(evaluation: Mapping[str, Any] | None, key: str) -> str:
    return f"{evaluation[key]:.1f}" if evaluation else "-"
