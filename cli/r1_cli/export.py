"""`r1 export`: an environment of ours as a package for another framework."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import Sets
from .outputs import write_folder
from .ui.lines import echo

TEMPLATES = Path(__file__).parent / "templates"

Framework = Literal["verifiers"]


def export(
    framework: Annotated[Framework, typer.Argument(help="verifiers.")],
    env: Annotated[str, typer.Argument(help="Environment, by name (see r1 plugins).")],
    out: Annotated[Path | None, typer.Option(help="The folder to make. Default: r1-ENV-verifiers.")] = None,
    sets: Sets = None,
) -> None:
    """Write an installable package that brings an environment, with the options given by --set, to another framework."""
    from r1sdk import PluginError, R1Error
    from r1sdk.api import first_task, has_sessions, load_environment

    environment, _, options = load_environment(env, sets or [])
    if has_sessions(environment, [first_task(environment, env, "train")]):
        raise R1Error(f"environment {env!r} has tools or several turns, and what is written here judges one reply")
    distribution = f"r1-{env.replace('_', '-')}-{framework}"
    folder = Path(distribution) if out is None else out
    if folder.exists():
        raise PluginError(f"{folder} is there already, and nothing is overwritten: move it, or choose --out")
    files = package(env, distribution, options)
    write_folder(folder, files)
    echo(f"wrote {folder}: {', '.join(files)}")
    echo(f"next:\n  pip install {folder if folder.is_absolute() else f'./{folder}'}")
    echo(f"  vf-eval {distribution} --env.agent.harness.id null -n 5")


def package(env: str, distribution: str, options: dict[str, object]) -> dict[str, str]:
    """The files of the package by their paths."""
    from importlib.metadata import version
    from string import Template

    module = distribution.replace("-", "_")
    words = {
        "name": env,
        "distribution": distribution,
        "module": module,
        "class_name": "".join(part.capitalize() for part in env.split("_")),
        # In a raw literal of three quotes: JSON writes neither a quote of that kind nor a backslash that it would end with.
        "options": json.dumps(options).replace("'", "\\u0027"),
        "version": ".".join(version("r1sdk").split(".")[:2]),
    }
    sources = {"pyproject.toml": "pyproject.toml", f"{module}.py": "module.py", "README.md": "README.md"}
    return {
        path: Template((TEMPLATES / "verifiers" / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        for path, source in sources.items()
    }
