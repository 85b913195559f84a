"""What several test files share: the command, in this process or another; plugins as they are found when installed."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from r1_command import QUIET, SMALL, Said

LONGER = {"heavy", "slow", "network", "gpu", "distributed", "slurm", "vllm", "interop", "models"}


UNIT = Path(__file__).parent / "unit"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the other folders of tests for `-m quick`: importing them would load torch and TRL."""
    if config.option.markexpr == "quick" and collection_path.is_relative_to(UNIT.parent):
        return None if collection_path == UNIT.parent or collection_path.is_relative_to(UNIT) else True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of tests/unit as quick, but for those marked as longer ones."""
    for item in items:
        if item.path.is_relative_to(UNIT) and not LONGER & {mark.name for mark in item.iter_markers()}:
            item.add_marker("quick")


@pytest.fixture
def r1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The `r1` command in this process: `r1("train", "--dry-run")`. A traceback rises as its exception."""
    import r1_cli

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["r1", *map(str, arguments)])
        capsys.readouterr()
        try:
            r1_cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def start_r1() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts the `r1` command in a process of its own, with `path` in front of what Python searches for modules."""

    def start(*arguments: object, path: Sequence[Path] = (), cwd: Path | None = None) -> "subprocess.Popen[str]":
        search = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-m", "r1_cli", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(search)},
        )

    return start


@pytest.fixture(scope="session")
def run_r1(start_r1: Callable[..., "subprocess.Popen[str]"]) -> Callable[..., Said]:
    """Runs the `r1` command in a process of its own, to its end."""

    def run(*arguments: object, **options: object) -> Said:
        process = start_r1(*arguments, **options)
        out, err = process.communicate(timeout=180)
        return Said(process.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Settings that make a GRPO run of two prompts and eight short completions a step, with a checkpoint at each."""
    return [argument for setting in SMALL for argument in ("--set", setting)]


@pytest.fixture(scope="session")
def install() -> Callable[[Path, str, str], Path]:
    """Lays a one-module plugin and its entry point into a folder, as pip would: `install(folder, "r1-mine", source)`."""

    def lay(folder: Path, distribution: str, source: str) -> Path:
        module = distribution.replace("-", "_")
        record = folder / f"{module}-0.1.dist-info"
        record.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
        (record / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1\n", encoding="utf-8"
        )
        (record / "entry_points.txt").write_text(f"[r1sdk]\nmine = {module}\n", encoding="utf-8")
        return folder

    return lay
