"""The kill campaign: commands are killed at random moments, run again until they finish, and compared with one nobody killed.

    python benchmarks/kills.py --kills 40               # of all: grpo, sft, pipeline, generate, eval
    python benchmarks/kills.py --of grpo,sft --seed 3

SIGKILL goes to the worker, to the command, or to both with all that they started. The processes are forked from this one, which
has loaded the libraries, so most kills fall into the work and few into imports. Exit status: the number of differing results.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from damage import SETTINGS, load_libraries, r1, result_of_run, start_forked, wait_for

SFT = ["env.options.train_size=64", "trainer.save_steps=1", "evaluation.tasks=8", "generation.max_tokens=16"]
PIPELINE = """
model: tiny_blank
env: {name: countdown, options: {level: easy, train_size: 48}}
generation: {max_tokens: 24, samples: 2}
evaluation: {tasks: 6}
stages:
- name: shown
  method: sft
  trainer: {max_steps: 4, per_device_train_batch_size: 8, max_length: 300, save_steps: 1}
- name: sampled
  method: generate
  model: stage:shown
  env: {options: {train_size: 300}}
  collect: {tasks: 300, keep: all}
- name: again
  method: sft
  model: stage:shown
  data: stage:sampled
  trainer: {max_steps: 4, per_device_train_batch_size: 8, max_length: 300, save_steps: 1}
"""
LONGEST_S = 150.0
WORKS = ("grpo", "sft", "pipeline", "generate", "eval")
RESULTS = {"sft": ("model/model.safetensors",), "generate": ("data.jsonl",)}


def main() -> int:
    """Kill, resume, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", default=",".join(WORKS))
    parser.add_argument("--kills", type=int, default=40, help="of all works together")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    works, chance = options.of.split(","), random.Random(options.seed)
    load_libraries()
    rows, bad = [], 0
    for work in works:
        with tempfile.TemporaryDirectory(prefix="r1-kills-") as scratch:
            place = Path(scratch)
            kills, runs, differences, whom = _campaign(work, place, max(1, options.kills // len(works)), chance)
        rows.append(
            f"| {work} | {kills} | {', '.join(f'{n} {who}' for who, n in whom.items())} | {runs} | {differences} |"
        )
        bad += differences
    print("| what | kills | of whom | runs | differences |\n|---|---|---|---|---|", *rows, sep="\n")
    return bad


def _campaign(work: str, place: Path, wanted: int, chance: random.Random) -> tuple[int, int, int, Counter[str]]:
    """Kill `work` `wanted` times in as many runs as that takes. Returns kills, runs, differing results, and kills by target."""
    whole = place / "whole" / "run"
    began = time.monotonic()
    said = _go(work, whole, place, None)
    if said is None or said.code:
        raise SystemExit(f"{work} fails without a kill: {said and said.err}")
    takes = time.monotonic() - began
    expected = _result(work, whole)
    kills = runs = differences = 0
    whom: Counter[str] = Counter()
    while kills < wanted:
        runs += 1
        folder = place / f"{runs}" / "run"
        for _ in range(3):  # the work is finished at the latest by the fourth go, which nobody kills
            if kills >= wanted:
                break
            who = chance.choice(["worker", "command", "both"] if work in ("grpo", "sft", "pipeline") else ["both"])
            said = _go(work, folder, place, (chance.uniform(0.05, 1.0) * takes, who))
            if said is not None:
                break
            kills += 1
            whom[who] += 1
        else:
            said = None
        if said is None or said.code:
            said = _go(work, folder, place, None)
        is_done = said is not None and (said.code == 0 or "is finished: nothing to resume" in said.err)
        found = _result(work, folder) if is_done else None
        if found != expected:
            differences += 1
            parts = [at for at, (a, b) in enumerate(zip(_flat(found), _flat(expected), strict=False)) if a != b]
            print(f"DIFFERENT {work}, run {runs}, parts {parts}: status {said and said.code}", flush=True)
            print(said and said.err[-600:], flush=True)
        shutil.rmtree(folder.parent, ignore_errors=True)
    return kills, runs, differences, whom


def _go(work: str, folder: Path, place: Path, kill: tuple[float, str] | None) -> Any:
    """Start `work`, or go on with it; None where it was killed before it ended."""
    child, files = start_forked(lambda: r1(_arguments(work, folder)), place)
    deadline = time.monotonic() + (kill[0] if kill else LONGEST_S)
    while time.monotonic() < deadline:
        if (said := wait_for(child, files)) is not None:
            return None if kill and said.code not in (0, 1) else said
        time.sleep(0.01)
    if kill is None:
        os.killpg(child, signal.SIGKILL)
        raise SystemExit(f"{work} in {folder} has not ended after {LONGEST_S:g} s")
    worker = _worker(folder)
    if kill[1] == "worker" and worker:
        os.kill(worker, signal.SIGKILL)
        while (said := wait_for(child, files)) is None:
            time.sleep(0.01)
        return said if said.code == 0 else None
    if kill[1] == "command":
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while (pid := _worker(folder)) and _is_running(pid):  # it saves a checkpoint and ends
            time.sleep(0.05)
        return None
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _arguments(work: str, folder: Path) -> list[str]:
    sets = [part for setting in (SETTINGS if work == "grpo" else SFT) for part in ("--set", setting)]
    resumed = (folder / "recipe.yaml").is_file() or (folder / "pipeline.yaml").is_file()
    if work in ("grpo", "sft", "pipeline") and resumed:
        return ["train", "--resume", str(folder)]
    model = ["--env", "countdown", "--model", "tiny_blank"]
    if work == "grpo":
        return ["train", *model, "--rewards", "accuracy,format,length", "--steps", "5", *sets, "--out", str(folder)]
    if work == "sft":
        return ["train", "--method", "sft", *model, "--data", "countdown", "--steps", "5", *sets, "--out", str(folder)]
    if work == "pipeline":
        recipe = folder.parent / "pipeline-recipe.yaml"
        recipe.parent.mkdir(parents=True, exist_ok=True)
        recipe.write_text(PIPELINE)
        return ["train", str(recipe), "--out", str(folder)]
    if work == "generate":
        folder.mkdir(parents=True, exist_ok=True)
        asked = ["--tasks", "400", "--samples", "2", "--keep", "all", "--max-tokens", "16"]
        return ["generate", *model, *asked, "--out", str(folder / "data.jsonl")]
    return [
        "eval",
        "tiny_blank",
        "--env",
        "countdown",
        "--tasks",
        "400",
        "--samples",
        "2",
        *sets[-2:],
        "--out",
        str(folder),
    ]


def _worker(folder: Path) -> int | None:
    """The process that writes a run folder, or the stage of a pipeline that was written to last."""
    files = sorted(folder.glob("**/status.json"), key=lambda file: file.stat().st_mtime)
    try:
        status = json.loads(files[-1].read_text())
    except (IndexError, OSError, ValueError):
        return None
    pid = status.get("pid")
    return pid if status.get("state") == "running" and isinstance(pid, int) and _is_running(pid) else None


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _result(work: str, folder: Path) -> Any:
    """Everything that a killed and resumed work must have in common with one that nobody killed."""
    if work in ("grpo", "sft"):
        return result_of_run(folder), sorted(path.name for path in folder.glob(".*.new"))
    if work == "pipeline":
        first, again = (result_of_run(folder / name) for name in ("01-shown", "03-again"))
        return first, again, _rows(folder / "02-sampled" / "data.jsonl")
    if work == "generate":
        return _rows(folder / "data.jsonl")
    text = "".join(path.read_text() for path in sorted(folder.glob("**/rollouts.jsonl")))
    return re.sub(r'"seconds": [\d.e-]+', "", text), json.loads((folder / "summary.json").read_text())["results"]


def _flat(result: Any) -> list[Any]:
    return [part for one in result for part in (one if isinstance(one, tuple) else [one])] if result else []


def _rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a data file without the path of the model, which lies in the folder of the run."""
    return [{**json.loads(line), "model": ""} for line in file.read_text().split("\n") if line]


if __name__ == "__main__":
    raise SystemExit(main())
