"""The evaluations of a pipeline by stage, as text."""

import json
from typing import Any

from ..storage.run_folder import RunFolder

COLUMNS = ("stage", "method", "steps", "accuracy", "loss", "tokens", "held-out tasks")


def stage_table(stages: list[tuple[str, RunFolder]]) -> str:
    """Return one row for the first model and one for the model of each stage. ± one standard error."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name, folder in stages:
        method = folder.recipe().method
        before, after, made = (folder.evaluation(key) for key in ("before", "after", "collected"))
        if len(rows) == 1 and before is not None:
            rows.append((folder.recipe().model, "", "", *_figures(before)))
        if made is not None:
            rows.append((name, method, "", f"kept {made['kept']} of {made['answers']}", "", "", ""))
        else:
            rows.append((name, method, str(folder.status().get("done", "")), *_figures(after)))
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    shown = [at for at in range(len(COLUMNS)) if any(row[at] for row in rows[1:])]
    return "\n".join("  ".join(f"{row[at]:{widths[at]}}" for at in shown).rstrip() for row in rows)


def other_tasks(stages: list[tuple[str, RunFolder]]) -> list[str]:
    """The stages whose held-out tasks are not those of the first that has any: their rows cannot be compared with it."""
    drawn = [(name, tasks) for name, folder in stages if (tasks := _held_out(folder))]
    return [name for name, tasks in drawn if tasks != drawn[0][1]]


def _held_out(folder: RunFolder) -> set[str]:
    tasks = [kept["task"] for kept in folder.evaluation_rollouts("after")]
    return {json.dumps([task["prompt"], task["answer"], task["info"]], sort_keys=True) for task in tasks}


def _figures(evaluation: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if evaluation is None:
        return "-", "", "", ""
    accuracy = evaluation["accuracy"]
    measured = accuracy["mean"] is not None
    return (
        _estimate(accuracy) if measured else "-",
        _estimate(evaluation["loss"]) if "loss" in evaluation else "",
        f"{evaluation['tokens']:.1f}" if measured else "",
        str(accuracy["n"]) if measured else "",
    )


def _estimate(value: dict[str, Any]) -> str:
    return f"{value['mean']:.3f}" + (f" ± {value['stderr']:.3f}" if value["stderr"] is not None else "")
