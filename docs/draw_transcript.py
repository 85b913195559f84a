"""docs/transcript.md: the tutorial of a reward, followed from top to bottom in a fresh environment, with what it printed and took.

    python docs/draw_transcript.py --note "What a reader should know of the machine."

Its files are written and its commands run as the page has them, in a folder and a virtual environment that were empty before. The
report of its training is drawn by Chromium, if it is here.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from draw_look import shoot

DOCS = Path(__file__).parent
PAGE = DOCS / "tutorial-reward.md"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?[^\n`]*\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INSTALL = 'pip install -e ".[train]"'  # on the page; here the package is built from this checkout, and is not editable
RUN = "runs/shout"
LONGEST = 50  # lines of output that are shown in full

OPENING = """# Transcript: a reward in ten minutes

[The tutorial](tutorial-reward.md) as a new user follows it: in an empty folder and a fresh virtual environment, every file and every command as it
stands there, with what was printed. `python docs/draw_transcript.py` followed it on {date}: {machine}.

| command | seconds |
|---|---|
{table}

What takes its time is the installation, of torch above all, and the training with its two evaluations. {note}
"""


@dataclass(frozen=True)
class Done:
    """One command, what it printed, how long it took."""

    command: str
    output: str
    seconds: float


def follow(folder: Path) -> Iterator[Done]:
    """Each command of the page. Raises: SystemExit where one fails."""
    yield run(folder, "python -m venv .venv", f"{sys.executable} -m venv .venv")
    for language, title, body in FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if title:
            (folder / title).parent.mkdir(parents=True, exist_ok=True)
            (folder / title).write_text(body, encoding="utf-8")
        elif language == "python":
            (folder / "look.py").write_text(body, encoding="utf-8")
            yield run(folder, "python look.py")
        elif language == "console":
            for line in body.splitlines():
                if line.startswith("$ "):
                    yield run(folder, line.removeprefix("$ "))
        elif language == "bash":
            for line in filter(None, body.splitlines()):
                if line == INSTALL:
                    yield run(
                        folder,
                        'pip install "r1sdk[train]" pytest mypy',
                        f'pip install --quiet --disable-pip-version-check "{DOCS.parent}[train]" pytest mypy 2>/dev/null',
                    )
                else:
                    yield run(folder, line)


def run(folder: Path, shown: str, command: str | None = None) -> Done:
    """Run one line of the page in its folder and environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment |= {
        "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "HF_HUB_OFFLINE": "1",
    }
    print(f"$ {shown}", file=sys.stderr)
    started = time.perf_counter()
    done = subprocess.run(
        command or shown,
        shell=True,
        executable="/bin/bash",
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{shown}: exit status {done.returncode}\n{done.stdout}")
    lines = [line.rstrip() for line in done.stdout.replace(str(folder), ".").splitlines()]
    return Done(shown, "\n".join(line for line in lines if not line.startswith("WARNING: ")).strip(), seconds)


def page(commands: list[Done], picture: bool, note: str) -> str:
    """The whole page."""
    table = "\n".join(f"| `{short(done.command)}` | {duration(done.seconds)} |" for done in commands)
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    parts = [OPENING.format(date=date.today().isoformat(), machine=machine, table=table, note=note).rstrip() + "\n"]
    for done in commands:
        parts.append(f"\n```text\n$ {done.command}\n{cut(done.output)}".rstrip() + "\n```\n")
        if picture and done.command.startswith("r1 train") and RUN in done.command:
            parts.append(
                f"\nThe report that it left, `{RUN}/report.html`:\n\n![The report of the run](transcript.png)\n"
            )
    return "".join(parts)


def cut(output: str) -> str:
    """The output; of one that is longer than a training its beginning."""
    lines = output.splitlines()
    return output if len(lines) <= LONGEST else "\n".join([*lines[:12], "..."])


def short(command: str) -> str:
    return (command if len(command) <= 70 else f"{command[:67]}...").replace("|", "\\|")


def duration(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    note = parser.parse_args().note
    with tempfile.TemporaryDirectory(prefix="r1-tutorial-") as scratch:
        folder = Path(scratch)
        commands = list(follow(folder))
        picture = shoot(folder / RUN / "report.html", DOCS / "transcript.png", "1", 1100)
        (DOCS / "transcript.md").write_text(page(commands, picture, note), encoding="utf-8")


if __name__ == "__main__":
    main()
