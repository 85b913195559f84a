"""What several test files share: the command, in this process or another; plugins as they are found when installed."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

QUIET = {
    "OMP_NUM_THREADS": "1",  # one thread adds in one order: runs can be compared number by number
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}

SMALL = (
    "env.options.train_size=64",
    "trainer.per_device_train_batch_size=8",
    "trainer.save_steps=1",
    "generation.samples=4",
    "generation.max_tokens=16",
    "evaluation.tasks=0",
)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


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
