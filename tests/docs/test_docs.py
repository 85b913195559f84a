"""The pages are true: their links resolve, their Python and their commands run, their figures of the package are right.

The tests follow each page from top to bottom in an empty folder. A fence with `title="FILE"` is that file. Python fences without a
title run as one program. Commands run unchanged, except for these:

- `pip install -e ".[extra]"`: only the names of the extras are checked; `pip install -e FOLDER`: the package that the page wrote is
  built and installed into the page's folder
- `r1 train` gets `--dry-run`, and the folder named by `--out` then holds a run, so that later commands find it
- `r1 eval`, `r1 generate`: one task and a few tokens, with fresh weights if the page names a run or `tiny`
- `pytest` on the project, and `python benchmarks/...`: only paths and options are checked

A fence is skipped only with a reason behind its language: `no-test: takes an hour`. A fence marked `as-it-stands` runs unchanged: a
training of a few steps, and the commands that read its run.
"""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from r1sdk.training.monitor.warnings import _CHECKS, _EARLY

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / folder / "README.md" for folder in (".", "benchmarks", "docs/examples")),
    *(ROOT / name for name in ("CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FENCE = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INFO = re.compile(r'\s*(?:title="([^"]+)"|no-test: *(\S.*)|(as-it-stands))?\s*')
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
SHELLS = ("bash", "console")
PROGRAMS = ("r1", "pip", "pytest", "python", ".ci/run")
VARIABLE = re.compile(r"[A-Z_0-9]+=")
FAILURES = ("error: ", "not clean")  # a line of output that begins so stands for exit status 1


@dataclass(frozen=True)
class Fence:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    title: str
    skipped: bool
    as_it_stands: bool
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(page: Path) -> list[Fence]:
    """The fenced blocks of `page`, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, info, body = match.groups()
        line = text[: match.start()].count("\n") + 1
        parts = INFO.fullmatch(info)
        assert parts, f'{page.name}:{line}: after the language comes title="FILE" or no-test: REASON, not {info!r}'
        title, reason, as_it_stands = parts.groups()
        found.append(Fence(page, line, language, title or "", bool(reason), bool(as_it_stands), body))
    return found


def commands(fence: Fence) -> Iterator[tuple[str, list[str]]]:
    """Each command of a shell block, with the lines that the page shows as its output."""
    text = fence.text.replace("\\\n", " ")
    if fence.language == "bash":
        lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
        for line in lines:
            yield from (
                (command.strip(), []) for command in line.split("&&") if command and not command.startswith("#")
            )
        return
    shown: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            shown.append((line.removeprefix("$ "), []))
        elif line.strip():
            assert shown, f"{fence}: output before a command"
            shown[-1][1].append(line)
    yield from shown


@dataclass
class Reader:
    """Follows one page in `folder`, which stands for the repository and the reader's own files in it."""

    folder: Path
    program: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site = self.folder / ".site"
        self.site.mkdir()
        for name in ("benchmarks", "docs", "pyproject.toml", ".ci"):
            (self.folder / name).symlink_to(ROOT / name)

    def read(self, fence: Fence) -> None:
        if fence.skipped:
            return
        if fence.title:
            file = self.folder / fence.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fence.text, encoding="utf-8")
        elif fence.language == "python":
            self.program.append(fence.text)
        elif fence.language in SHELLS:
            for command, shown in commands(fence):
                self.follow(fence, command, shown)

    def finish(self, page: Path) -> None:
        """Run the page's Python as one program."""
        if self.program:
            done = self.run([sys.executable, "-c", "\n".join(self.program)])
            assert done.returncode == 0, f"the Python of {page.name} fails:\n{done.stderr}"

    def follow(self, fence: Fence, command: str, shown: list[str]) -> None:
        words = shlex.split(command)
        environment = {}
        while words and VARIABLE.match(words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        where = f"{fence}: {command}"
        assert words[0] in PROGRAMS, f"{where}: not one of {PROGRAMS}"
        changed = words
        match words[:2]:
            case ["r1", _] if fence.as_it_stands:
                pass
            case ["pip", _]:
                changed = self.pip(words, where)
            case ["pytest", *_] if not any((self.folder / word).is_dir() for word in words[1:]):
                some = min((ROOT / "tests" / "unit").glob("test_*.py"))
                changed = ["pytest", "--collect-only", "-q", *words[1:], str(some)]
            case ["python", script]:
                return self.look_up(words, [sys.executable, script, "--help"], where)
            case [".ci/run", *_]:
                changed = ["bash", "-n", *words]
            case ["r1", "train"]:
                if "--resume" in words:
                    return self.look_up(words, ["r1", "train", "--help"], where)
                changed = words if "--dry-run" in words else [*words, "--dry-run"]
            case ["r1", "eval" | "generate"]:
                changed = few(words)
        if not changed:
            return
        done = self.run(changed, environment)
        output = done.stdout + done.stderr
        expected = 1 if any(line.startswith(FAILURES) for line in shown) else 0
        assert done.returncode == expected, f"{where}\nran: {shlex.join(changed)}\n{output}"
        for line in shown:
            if line.strip() != "..." and changed == words:
                assert line.strip() in output, f"{where}: does not print {line!r}\n{output}"
        if words[:2] == ["r1", "train"] and "--out" in words and not fence.as_it_stands:
            out = self.folder / words[words.index("--out") + 1]
            out.mkdir(parents=True, exist_ok=True)
            (out / "recipe.yaml").write_text(done.stdout, encoding="utf-8")
            (out / "config.json").write_text("{}", encoding="utf-8")  # a model to start from, for a dry run
            (out / "pytorch_model.bin").write_bytes(b"PK")

    def pip(self, words: list[str], where: str) -> list[str]:
        """The command that installs the page's own package; none for this project, whose extras are looked up."""
        assert words[1] == "install", f"{where}: pip install is all that a page may ask for"
        target = words[-1].removeprefix("./")
        if target == "." or target.startswith(".["):
            extras = set(filter(None, target[1:].strip("[]").split(",")))
            assert extras <= set(PROJECT["optional-dependencies"]), f"{where}: no such extra"
            return []
        target, _, asked = target.removesuffix("]").partition("[")
        made = self.folder / target / "pyproject.toml"
        assert made.is_file(), f"{where}: the page has not made {target}"
        known = tomllib.loads(made.read_text())["project"].get("optional-dependencies", {})
        assert set(filter(None, asked.split(","))) <= set(known), f"{where}: {target} has no extra {asked}"
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
        return [
            sys.executable,
            "-m",
            "pip",
            "install",
            *offline,
            "--upgrade",
            "--target",
            str(self.site),
            f"./{target}",
        ]

    def look_up(self, words: list[str], helper: list[str], where: str) -> None:
        """Assert that the program prints every option of `words` in its help."""
        done = self.run(helper)
        assert done.returncode == 0, f"{where}\n{done.stderr}"
        missing = [word for word in words if word.startswith("--") and word.partition("=")[0] not in done.stdout]
        assert not missing, f"{where}: no option {missing}"

    def run(self, words: list[str], environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        if words[0] in ("r1", "pytest"):
            words = [sys.executable, "-m", {"r1": "r1_cli", "pytest": "pytest"}[words[0]], *words[1:]]
        paths = [str(self.site), os.environ.get("PYTHONPATH", "")]
        settings = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            **(environment or {}),
        }
        return subprocess.run(
            words, check=False, cwd=self.folder, env=settings, capture_output=True, text=True, timeout=600
        )


def few(words: list[str]) -> list[str]:
    """An `r1 eval` or `r1 generate` that takes seconds: the last of a repeated option counts."""
    model = ["tiny_blank" if word == "tiny" or word.startswith("runs/") else word for word in words]
    env = [] if "--env" in words else ["--env", "countdown"]
    return [*model, *env, "--tasks", "1", "--samples", "1", "--set", "generation.max_tokens=4"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_the_reader_to_run_runs(page, tmp_path):
    reader = Reader(tmp_path)
    for fence in fences(page):
        reader.read(fence)
    reader.finish(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_resolves(page):
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target} does not exist"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}: no such heading"


FAILING = ROOT / "docs" / "troubleshooting.md"


def test_the_page_of_what_goes_wrong_has_every_warning():
    rows = re.findall(r"^\| `(\w+)` \|", FAILING.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted([*_CHECKS, *_EARLY, "gold"])


@pytest.mark.slow
def test_each_run_of_the_page_of_what_goes_wrong_shows_what_it_says(tmp_path):
    reader = Reader(tmp_path)
    shown: list[str] = []
    found: list[str] = []
    for fence in fences(FAILING):
        if fence.language == "bash" and "--out runs/" in fence.text:
            fence = replace(fence, as_it_stands=True)
            out = tmp_path / fence.text.split("--out ")[1].strip()
        reader.read(fence)
        if fence.language == "bash" and fence.as_it_stands:
            lines = map(json.loads, (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
            found += [f"warning: {line['text']}" for line in lines if line["kind"] == "warning"]
        shown += [line for line in fence.text.splitlines() if line.startswith("warning: ")]
    assert len(shown) >= 6
    missing = {without_numbers(line) for line in shown} - {without_numbers(line.split("\n")[0]) for line in found}
    assert not missing, f"{missing} are not among\n" + "\n".join(found)


def test_the_readme_lists_the_extras_that_there_are():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("| extra | adds |")[1].split("\n\n")[0]
    listed = [name for row in table.splitlines() if row for name in re.findall(r"`([\w-]+)`", row.split("|")[1])]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert sorted(listed) == sorted(extras)


WALK = ROOT / "docs" / "contributing.md"


def test_the_walk_through_the_code_names_files_that_exist_and_functions_that_are_in_them():
    named = 0
    for row in re.findall(r"^\|(.+)\|$", WALK.read_text(encoding="utf-8"), re.MULTILINE):
        cells = [re.findall(r"`([^`]+)`", cell) for cell in row.split("|")]
        paths = [path for cell in cells for path in cell if re.match(r"(r1sdk|cli|plugins|envs|recipes|tests)/", path)]
        for path in paths:
            assert list(ROOT.glob(re.sub(r"\{.*?\}", "*", path))), f"{WALK.name}: {path} does not exist"
        files = [ROOT / path for path in paths if path.endswith(".py")]
        if files and len(cells) == 3 and row.lstrip()[0].isdigit():
            source = "\n".join(file.read_text(encoding="utf-8") for file in files)
            for name in cells[2]:
                assert re.search(rf"^ *(?:(?:async )?def|class) {name}\b", source, re.MULTILINE), (
                    f"{name} is not in {paths}"
                )
                named += 1
    assert named > 20


def without_numbers(text: str) -> str:
    """What stays from one machine to another."""
    return re.sub(r"-?\d+(\.\d+)?%?", "N", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_command_line_page_is_what_the_program_prints():
    page = runpy.run_path(str(ROOT / "docs" / "_generate_cli.py"))["page"]()
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert plain(written) == plain(page), "run python docs/_generate_cli.py"


def plain(help_text: str) -> str:
    """Without what the layout of a Typer release decides: how types are shown, and where lines break."""
    return " ".join(re.sub(r"<[^>\n]*>|\[[^\]\n]*\]|\.\.\.", " ", help_text).split())


def test_the_dependencies_page_names_every_dependency_with_its_range():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    requirements = [
        *PROJECT["dependencies"],
        *(r for extra in PROJECT["optional-dependencies"].values() for r in extra),
    ]
    for requirement in requirements:
        if requirement.startswith("r1sdk["):
            continue
        name, versions = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        assert f"| {name} | {versions or 'any'} |" in text, f"docs/dependencies.md does not have {requirement}"


def test_the_readme_has_one_command_that_runs_the_tests():
    shown = [c for fence in fences(ROOT / "README.md") if fence.language in SHELLS for c in fence.text.splitlines()]
    assert [c for c in shown if "pytest" in c] == ['pip install -e ".[train,test]" && pytest -n 2 --dist loadfile']
