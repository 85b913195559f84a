"""Render runs as one self-contained HTML page. It loads nothing from a network and runs no script but its own."""

import base64
import hashlib
import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..storage.atomic import replace_file
from ..storage.run_folder import RunFolder
from ..visible_text import visible
from .collect_run import RunData, age, collect_run, short_names
from .curves import charts
from .failures import failure_table, mean_shares, view_change_command, view_command
from .figures import clock, differences, estimate, health, held_out_rows, seeds_and_chance, share
from .lengths import Lengths
from .seeds import run_folders, seed_groups

PAGE = "report.html"
"""The name of the page in a run folder."""

EXAMPLES_SHOWN = 3  # of each kind of failure

_HERE = Path(__file__).parent


def write_report(runs: Sequence[Path], out: Path | None = None, warn: Callable[[str], None] | None = None) -> Path:
    """Write the page of one run, or of several on shared axes, and return where it is. Without `out`: in the (first) folder.

    A folder that holds run folders stands for all of them. Runs of one recipe with different seeds are drawn as their mean.
    `warn` is given each file and line that is damaged and left out; the page lists them too.
    Raises: R1Error where a folder is no run, or the extra `report` is not installed.
    """
    folders = [RunFolder.open(path) for given in runs for path in run_folders(given)]
    short = short_names([folder.path for folder in folders])
    found = [collect_run(folder, name) for folder, name in zip(folders, short, strict=True)]
    for fault in [fault for run in found for fault in run.faults]:
        if warn is not None:
            warn(fault)
    text = render(found)
    target = out or runs[0] / PAGE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, text)
    except OSError as error:
        raise R1Error(f"cannot write the report to {target}: {error.strerror or error}") from None
    return target


def leave_report(folder: RunFolder) -> None:
    """Write the page into a run's folder at its end. A failure is printed and does not change the outcome of the run."""
    (folder.path / PAGE).unlink(missing_ok=True)  # the page from before a resume
    try:
        write_report([folder.path], warn=lambda fault: print(f"warning: {fault}", flush=True))
    except R1Error as error:
        print(f"no report: {error}", flush=True)
    except Exception:  # noqa: BLE001 - a failing page must not turn a trained model into a failed run
        print(f"no report, and this is a bug:\n{traceback.format_exc()}", flush=True)


def render(runs: Sequence[RunData]) -> str:
    """Return the page as text. Raises: R1Error if the extra `report` is not installed."""
    try:
        from jinja2 import ChainableUndefined, Environment, FileSystemLoader
    except ImportError:
        raise R1Error("the report needs jinja2: pip install 'r1sdk[report]'") from None
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,  # a completion may contain anything
        finalize=_show,
        undefined=ChainableUndefined,  # a manifest from another version may lack a key
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, estimate=estimate, share=share, age=age, view_change=view_change_command)
    scripts = [_asset("vendor/uPlot.iife.min.js"), _asset("page.js")]
    groups = seed_groups(runs)
    tones = {at: tone for tone, group in enumerate(groups) for at in group.runs}
    parts = charts(runs, groups)
    failures = failure_table([mean_shares([runs[at].failures for at in group.runs]) for group in groups])
    data = {
        "runs": [run.name for run in runs],
        "seeds": [run.settings.get("seed") for run in runs],
        "groups": [{"name": group.name, "runs": group.runs} for group in groups],
        "parts": parts,
        "lengths": [_lengths([runs[at] for at in group.runs]) for group in groups],
    }
    return environment.get_template("page.html").render(
        runs=runs,
        groups=groups,
        tones=tones,
        parts=parts,
        held_out=held_out_rows(runs, groups),
        over_seeds=seeds_and_chance(runs, groups[0]) if len(groups) == 1 else None,
        health=health(runs),
        differences=differences(runs),
        failures=failures,
        examples={kind: _examples(kind, runs) for kind in failures},
        data=_json(data),
        styles=[_asset("vendor/uPlot.min.css"), _asset("page.css")],
        scripts=scripts,
        licence=_asset("vendor/uPlot.LICENSE"),
        policy=_policy(scripts),
        made=time.strftime("%Y-%m-%d %H:%M"),
        version=_version(),
    )


def _show(value: Any) -> Any:
    """Return a value for the page: no text but the page's own acts on the screen or hides in it."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _examples(kind: str, runs: Sequence[RunData]) -> Mapping[str, Any]:
    """Return rollouts that failed in this way, with the places of their runs, and the command that lists all of them."""
    each = EXAMPLES_SHOWN if len(runs) == 1 else 1
    found = [(at, attempt) for at, run in enumerate(runs) for attempt in run.examples.get(kind, ())[:each]]
    first = next((at for at, run in enumerate(runs) if kind in run.failures), None)
    command = None if first is None else view_command(str(runs[first].path), kind)
    return {"attempts": found[:EXAMPLES_SHOWN], "command": command}


def _lengths(runs: Sequence[RunData]) -> Mapping[str, Any] | None:
    """Return the histogram of the lengths of some runs together, or None where no rollouts were saved."""
    found = [run.lengths for run in runs if run.lengths]
    return Lengths.together(found).histogram() if found else None


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that cannot close the element it stands in. Equal lists of steps are written once: `x` is a place in `xs`."""
    steps: dict[tuple[int, ...], int] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return visible(value)
        if isinstance(value, Mapping):
            return {
                str(key): steps.setdefault(tuple(inner), len(steps))
                if key == "x" and isinstance(inner, list)
                else plain(inner)
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple) and value and not isinstance(value[0], int | float):
            return [plain(inner) for inner in value]
        return value

    shown = plain(data)
    text = json.dumps({**shown, "xs": list(steps)}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _policy(scripts: Sequence[str]) -> str:
    """Return the content security policy: the browser fetches nothing and runs only these scripts."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"


def _version() -> str:
    try:
        return version("r1sdk")
    except PackageNotFoundError:
        return ""
