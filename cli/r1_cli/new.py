"""`r1 new`: a package with one plugin in it, which passes its own tests, mypy and `r1 check` as it stands."""

import keyword
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from .outputs import write_folder
from .ui.lines import echo

TEMPLATES = Path(__file__).parent / "templates"
NEXT = {
    "reward": "r1 train --env countdown --rewards accuracy,{name}=0.2",
    "environment": "r1 train --env {name} --rewards accuracy,format",
    "verifier": "r1 train --env maths --set maths.verifier={name}",
    "sandbox": "r1 train --env code --set env.options.sandbox={name}",
    "advantage": "r1 train --env countdown --advantage {name}",
}

TAKEN = {
    "Any",
    "Callable",
    "CheckPlugin",
    "Iterator",
    "MakeRollout",
    "Play",
    "Sequence",
    "VerifyReply",
}  # names in the templates

Kind = Literal["reward", "environment", "verifier", "sandbox", "advantage"]
License = Literal["Apache-2.0", "MIT", "BSD-3-Clause", "none"]


def new(
    kind: Annotated[Kind, typer.Argument(help="reward, environment, verifier, sandbox or advantage.")],
    name: Annotated[str, typer.Argument(help="The name that recipes will use, in lower_snake_case.")],
    license: Annotated[License, typer.Option(help="Apache-2.0, MIT, BSD-3-Clause or none.")] = "Apache-2.0",
    author: Annotated[str | None, typer.Option(help="Who holds the copyright, for the licence.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make. Default: r1-NAME.")] = None,
    tools: Annotated[bool, typer.Option("--tools", help="With environment: one whose model has tools.")] = False,
) -> None:
    """Write a package for a reward, an environment, a verifier, a sandbox or an advantage, complete with tests."""
    from r1sdk import PluginError, load_plugins
    from r1sdk.plugins import NAME, kind_of

    if tools and kind != "environment":
        raise PluginError(f"--tools is for an environment, and this is {kind_of(kind)}")
    if not NAME.fullmatch(name):
        plain = re.sub(r"\W+", "_", name.removeprefix("r1-").lower()).strip("_")
        hint = f", e.g. {plain}" if NAME.fullmatch(plain) else ""
        raise PluginError(f"the name of {kind_of(kind)} is lower_snake_case{hint}; got {name!r}")
    if taken := load_plugins().entries.get((kind, name)):
        raise PluginError(f"{kind} {name!r} is already provided by {taken[0].source}: choose another name")
    distribution = f"r1-{name.replace('_', '-')}"
    folder = Path(distribution) if out is None else out
    if folder.exists():
        raise PluginError(f"{folder} is there already, and nothing is overwritten: move it, or choose --out")
    files = package(kind, name, distribution, license, author or f"the authors of {distribution}", tools)
    write_folder(folder, files)
    echo(f"wrote {folder}: {', '.join(files)}")
    echo(f'next:\n  pip install -e "{folder if folder.is_absolute() else f"./{folder}"}[test]"')
    echo(f"  pytest {folder} && r1 check {name}\n  {NEXT[kind].format(name=name)}")


def package(
    kind: Kind, name: str, distribution: str, license: License, author: str, tools: bool = False
) -> dict[str, str]:
    """The files of the package by their paths."""
    from datetime import date
    from importlib.metadata import version
    from string import Template

    module = distribution.replace("-", "_")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    if keyword.iskeyword(class_name) or class_name in TAKEN:
        class_name += kind.capitalize()
    words = {
        "kind": kind,
        "name": name,
        "distribution": distribution,
        "module": module,
        "class_name": class_name,
        "version": ".".join(version("r1sdk").split(".")[:2]),
        "license_lines": "" if license == "none" else f'license = "{license}"\nlicense-files = ["LICENSE"]\n',
        "year": str(date.today().year),
        "author": author,
    }
    folder = f"{kind}_tools" if tools else kind
    sources = {
        "pyproject.toml": "common/pyproject.toml",
        f"{module}.py": f"{folder}/module.py",
        f"tests/test_{name}.py": f"{folder}/test.py",
        "README.md": f"{folder}/README.md",
        ".gitignore": "common/gitignore",
    }
    if license != "none":
        sources["LICENSE"] = f"licenses/{license}"
    return {
        path: Template((TEMPLATES / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        for path, source in sources.items()
    }
