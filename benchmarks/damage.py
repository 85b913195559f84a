"""The damage campaign: every file of a run folder is damaged in each of several ways, and four commands are run on it.

    python benchmarks/damage.py                     # all cases: about 20 minutes on two cores
    python benchmarks/damage.py --only metrics      # the files whose path has this in it
    python benchmarks/damage.py --commands report   # of resume, report, view, eval

A small GRPO run is made once. For each case it is copied, one file is damaged, and the command runs on the copy, in a process
that is forked from this one, which has loaded the libraries already. How a case ends:

    same      the result is that of the folder that nobody damaged: the file is not read, or was made again
    said      the command went on, and told which file is damaged or what was lost
    refused   the command ended with an error that names the file
    BAD       a traceback, an error that does not name the file, or another result without a word

Exit status: the number of bad cases, at most 100.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "100"}

SETTINGS = (
    "env.options.train_size=64",
    "trainer.per_device_train_batch_size=8",
    "trainer.save_steps=1",
    "trainer.save_total_limit=3",
    "generation.samples=4",
    "generation.max_tokens=16",
    "evaluation.tasks=8",
    "evaluation.during=2",
)
STEPS = 4
LONGEST_S = 120.0
_CHECKPOINT = f"checkpoints/checkpoint-{STEPS - 1}/"  # the last one of the stopped run
READS = {  # which files each command reads, by a part of their path: damage of others changes nothing
    "resume": ("recipe", "manifest", "status", "gold", ".jsonl", "before", "worker.log", "base_model/", _CHECKPOINT),
    "report": ("recipe", "manifest", "status", "gold", ".jsonl", "evaluations/"),
    "view": ("recipe", "manifest", "status", ".jsonl"),
    "eval": ("recipe", "manifest", "status", "metrics", "model/"),
}
COMMANDS = tuple(READS)


@dataclass(frozen=True)
class Said:
    """How a forked command ended."""

    code: int
    out: str
    err: str


def main() -> int:
    """Run the cases, and print the bad ones and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the files whose path has this in it")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--keep", type=Path, help="folder for the run, which is made there once")
    options = parser.parse_args()
    load_libraries()
    with tempfile.TemporaryDirectory(prefix="r1-damage-") as scratch:
        place = Path(scratch)
        finished = (options.keep or place) / "finished"
        if not finished.is_dir():
            _make(finished)
        stopped = place / "stopped"
        _stop(finished, stopped)
        counts: Counter[tuple[str, str]] = Counter()
        for command in options.commands.split(","):
            began = stopped if command == "resume" else finished
            damaged = place / "case"
            shutil.copytree(began, damaged)
            said, expected = _run(command, damaged, place)
            shutil.rmtree(damaged)
            if said.code:
                raise SystemExit(f"{command} fails on a folder without damage:\n{said.err}")
            for file, kind, damage in cases(began, options.only):
                if not any(part in file.as_posix() for part in READS[command]) or (
                    command == "eval" and file.parts[0] == "base_model"
                ):
                    continue
                shutil.copytree(began, damaged)
                damage(damaged / file)
                said, found = _run(command, damaged, place)
                shutil.rmtree(damaged, ignore_errors=True)
                end = verdict(file, said, found == expected)
                counts[command, end] += 1
                if end == "BAD":
                    tail = (said.err or said.out).strip()[-400:]
                    print(f"BAD {command} {file} {kind}: status {said.code}\n    {tail}", flush=True)
    ends = ("same", "said", "refused", "BAD")
    print("| command | cases | " + " | ".join(ends) + " |\n|---|" + "---|" * (len(ends) + 1))
    for command in options.commands.split(","):
        row = [counts[command, end] for end in ends]
        print(f"| {command} | {sum(row)} | " + " | ".join(map(str, row)) + " |")
    return min(100, sum(count for (_, end), count in counts.items() if end == "BAD"))


def cases(folder: Path, only: str = "") -> Iterator[tuple[Path, str, Callable[[Path], None]]]:
    """Yield each file of a run folder, the name of a damage, and the function that does it."""
    for file in sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()):
        if only not in file.as_posix() or file.name in (".lock", "training_args.bin"):
            continue
        kinds: dict[str, Callable[[Path], None]] = {
            "missing": Path.unlink,
            "empty": lambda path: path.write_bytes(b""),
            "half": lambda path: os.truncate(path, path.stat().st_size // 2),
            "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
        }
        if file.suffix == ".json" and file.parts[0] not in ("checkpoints", "model", "base_model"):
            for value in ("null", "[]", "3", '{"a": 1}', "[" * 100_000):
                kinds[f"holds {value:.9}"] = lambda path, value=value: path.write_text(value)
            kinds["wrong types"] = _wrong_types
        if file.suffix == ".jsonl":
            for line in (
                "nonsense",
                "{}",
                "[]",
                '{"step": "x", "kind": []}',
                "[" * 100_000,
                "\x00\x00",
                '{"kind": "step"',
            ):
                kinds[f"line {line:.9}"] = lambda path, line=line: _middle_line(path, line)
            kinds["line of wrong types"] = lambda path: _middle_line(path, _spoilt(path))
            kinds["two lines run together"] = _run_together
        yield from ((file, kind, damage) for kind, damage in kinds.items())


def verdict(file: Path, said: Said, same: bool) -> str:
    """Judge how a command ended on a folder where `file` is damaged."""
    text = said.out + said.err
    if "Traceback (most recent call last)" in text:
        return "BAD"
    names = {file.name, file.parent.name if file.parts[0] == "checkpoints" else file.name}
    is_named = any(name in text for name in names)
    if said.code == 0:
        return (
            "same"
            if same and not is_named
            else "said"
            if "warning: " in text and is_named
            else "BAD"
            if not same
            else "same"
        )
    return "refused" if said.code == 1 and is_named else "BAD"


def _run(command: str, folder: Path, place: Path) -> tuple[Said, Any]:
    """Run a command on `folder` in a fork. Returns how it ended, and its result without times."""
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    if command == "view":
        said = forked(lambda: _view(folder, out), place)
        return said, out.read_text() if out.is_file() else None
    arguments = {
        "resume": ["train", "--resume", str(folder)],
        "report": ["report", str(folder), "--out", str(out)],
        "eval": ["eval", str(folder), "--tasks", "2", "--json", "--out", str(out)],
    }[command]
    said = forked(lambda: r1(arguments), place)
    if command == "resume":
        return said, result_of_run(folder) if said.code == 0 else None
    if command == "report":
        page = out.read_text(encoding="utf-8") if out.is_file() else ""
        return said, re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", page)
    return said, re.sub(r'"seconds": [\d.e-]+', "", said.out).replace(str(folder), "")


def forked(function: Callable[[], int], place: Path) -> Said:
    """Run `function` in a child of this process, in a session of its own, which is killed after `LONGEST_S`."""
    child, files = start_forked(function, place)
    deadline = time.monotonic() + LONGEST_S
    while (said := wait_for(child, files)) is None:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Said(124, "", f"not ended after {LONGEST_S:g} s")
        time.sleep(0.02)
    return said


def start_forked(function: Callable[[], int], place: Path) -> tuple[int, list[Path]]:
    """Start `function` in a child of this process. Returns its process id and the files that hold what it prints."""
    files = [place / "stdout", place / "stderr"]
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
        _open_streams()
        try:
            code = function()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:  # noqa: BLE001 - what a command lets through is what the campaign looks for
            traceback.print_exc()
            code = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return child, files


def wait_for(child: int, files: list[Path]) -> Said | None:
    """Return how the child ended; None while it runs."""
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Said(code, *(file.read_text(encoding="utf-8", errors="replace") for file in files))


def _open_streams() -> None:
    streams = (os.fdopen(number, "w", buffering=1, errors="replace", closefd=False) for number in (1, 2))
    sys.stdout, sys.stderr = streams


def r1(arguments: list[str]) -> int:
    import r1_cli

    sys.argv = ["r1", *arguments]
    r1_cli.main()
    return 0


class _Worker:
    """A forked worker, with the part of Popen that a launcher's caller uses."""

    def __init__(self, folder: Any, plan: Any = None) -> None:
        self.code: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            return
        log = os.open(folder.log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _open_streams()
        from r1sdk.training.run import end_with
        from r1sdk.training.run import main as train

        end_with(parent)
        code = 70
        try:
            code = train(folder.path)
        except BaseException:  # noqa: BLE001 - as Python does at the end of a process
            traceback.print_exc()
            code = 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def load_libraries() -> None:
    """Import everything that a case needs, so that a fork has it; and have workers forked in place of started."""
    import torch
    import transformers  # noqa: F401
    import trl  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
    from trl import GRPOTrainer  # noqa: F401

    import r1sdk.launch.local_launch as local
    import r1sdk.training.run
    import r1sdk.training.trl.grpo  # noqa: F401

    torch.set_num_threads(1)
    local.start = _Worker  # type: ignore[assignment, misc]


def _make(folder: Path) -> None:
    sets = [part for setting in SETTINGS for part in ("--set", setting)]
    flags = [
        "--env",
        "countdown",
        "--model",
        "tiny_blank",
        "--rewards",
        "accuracy,format,length",
        "--steps",
        str(STEPS),
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    said = forked(lambda: r1(["train", *flags, *sets, "--out", str(folder)]), folder.parent)
    if said.code:
        raise SystemExit(f"the run cannot be made:\n{said.err}")


def _stop(finished: Path, stopped: Path) -> None:
    """Make of the finished run one that was killed before its last step could be saved."""
    shutil.copytree(finished, stopped)
    shutil.rmtree(stopped / "checkpoints" / f"checkpoint-{STEPS}")
    shutil.rmtree(stopped / "model")
    for name in ("report.html", "evaluations/after.json", "evaluations/after.jsonl"):
        (stopped / name).unlink()
    (stopped / "status.json").write_text(
        json.dumps({"state": "running", "phase": "training", "done": STEPS, "total": STEPS})
    )


def result_of_run(folder: Path) -> Any:
    """What a resumed run must have in common with one that nobody touched."""
    from r1sdk.storage.run_folder import RunFolder

    run = RunFolder(folder)
    steps = [{key: line[key] for key in line if not re.search("time|second|ms_", key)} for line in run.metrics()]
    texts = [[line["step"], line["task"]["id"], line["completion"], line["rewards"]] for line in run.rollouts()]
    during = [[line["step"], line["task"]["id"], line["completion"]] for line in run.evaluation_rollouts("during")]
    weights = (run.model / "model.safetensors").read_bytes()
    figures = [run.evaluation(name) for name in ("before", "after")]
    for found in figures:
        (found or {}).pop("seconds", None)
    return steps, texts, during, weights, figures, run.status()["state"]


def _view(folder: Path, out: Path) -> int:
    """Open the viewer without a terminal, look at every rollout, and write down what it lists."""
    from r1_cli.viewer.app import ViewApp
    from r1sdk.errors import R1Error

    async def look() -> list[str]:
        app = ViewApp(folder, "")
        async with app.run_test(size=(120, 40)) as pilot:
            for _ in range(40):
                await pilot.pause(0.02)
                if not app.index.behind:
                    break
            await pilot.press("down", "down", "enter", "escape")
            listed = [f"{row.when} {row.task} {row.total}" for row in app.index.rows]
            [app.index.read(row) for row in app.index.rows]
            for text in app.lost or []:
                print(f"warning: {text}")
            for source, count in app.index.unreadable_in().items():
                print(f"warning: {source}: {count} lines are no rollouts")
            return listed

    try:
        out.write_text("\n".join(asyncio.run(look())))
    except R1Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _middle_line(path: Path, line: str) -> None:
    """Put `line` in the place of one in the middle."""
    lines = path.read_bytes().split(b"\n")
    lines[len(lines) // 2 - 1] = line.encode()
    path.write_bytes(b"\n".join(lines))


def _run_together(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    at = len(lines) // 2 - 1
    path.write_bytes(b"\n".join([*lines[:at], lines[at] + lines[at + 1], *lines[at + 2 :]]))


def _spoilt(path: Path) -> str:
    """The line in the middle, its values exchanged for others of the wrong types."""
    lines = path.read_text(encoding="utf-8").split("\n")
    row = json.loads(lines[len(lines) // 2 - 1])
    return json.dumps({key: _other_type(value) for key, value in row.items()})


def _wrong_types(path: Path) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: _other_type(inner) for key, inner in value.items()}))


def _other_type(value: Any) -> Any:
    return ["spoilt"] if isinstance(value, (str, int, float, dict)) or value is None else "spoilt"


if __name__ == "__main__":
    raise SystemExit(main())
