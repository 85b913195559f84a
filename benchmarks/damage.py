"""The damage campaign: every file that r1sdk leaves is damaged in each of several ways, and every command that reads it is run.

    python benchmarks/damage.py                           # all cases: about an hour on one free core
    python benchmarks/damage.py --of sft --part 1/4       # a quarter of the cases of one subject
    python benchmarks/damage.py --only metrics            # the files whose path has this in it
    python benchmarks/damage.py --commands report,runs
    python benchmarks/damage.py --table a.jsonl b.jsonl   # the table of earlier campaigns, written by --log

Subjects: grpo and sft (the folder of a run), pipeline (SFT and GRPO, with their stages), generate (a data file with its journals),
evaluation (the folder of `r1 eval`). Each is made once. For each case it is copied, one file is damaged, and a command runs on the
copy, in a fork of this process, which has loaded the libraries. How a case ends:

    same      the result is that of the subject that nobody damaged: the file is not read, or was made again
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
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from forked import SMALL_RUN, Said, forked, load_libraries, r1
from row_log import add_row, read_rows

SMALL = (*SMALL_RUN, "trainer.save_steps=1", "trainer.save_total_limit=3")
STEPS = 3
PIPELINE = """
model: tiny_blank
env: {name: countdown, options: {level: easy, train_size: 48}}
generation: {max_tokens: 12, samples: 4}
evaluation: {tasks: 6, during: 2}
stages:
- name: shown
  method: sft
  trainer: {max_steps: 2, per_device_train_batch_size: 8, max_length: 300, save_steps: 1}
- name: improved
  model: stage:shown
  trainer: {max_steps: 2, per_device_train_batch_size: 8, save_steps: 1}
"""
_RECORDS = ("recipe", "manifest", "status", ".jsonl")
_LAST = f"checkpoints/checkpoint-{STEPS - 1}/"  # of the run that was stopped
_RUN = {  # command -> the files that it reads, by a part of their path: damage of others changes nothing
    "resume": (*_RECORDS, "gold", "before", "worker.log", "base_model/", _LAST),
    "report": (*_RECORDS, "gold", "evaluations/"),
    "view": _RECORDS,
    "eval": ("recipe", "manifest", "status", "metrics", "model/"),
    "runs": (*_RECORDS, "evaluations/"),
}
SUBJECTS: dict[str, dict[str, tuple[str, ...]]] = {
    "grpo": _RUN,
    "sft": {name: _RUN[name] for name in ("resume", "report", "eval", "runs")},
    "pipeline": {
        "resume": ("pipeline", "stages", "01-shown/", "02-improved/"),
        "runs": ("pipeline", "01-shown/recipe", "status"),
    },
    "generate": {"again": ("",)},
    "evaluation": {"again": ("",), "difficulty": ("plan", "rollouts", "result", "summary")},
}


def main() -> int:
    """Run the cases, and print the bad ones and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", default=",".join(SUBJECTS), help="subjects, with commas")
    parser.add_argument("--only", default="", help="the files whose path has this in it")
    parser.add_argument("--commands", default="", help="only these, with commas")
    parser.add_argument("--part", default="1/1", help="2/4: the second quarter of the cases")
    parser.add_argument("--log", type=Path, help="file to which each case is appended; those in it are not run again")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of these logs, and stop")
    options = parser.parse_args()
    if options.table:
        rows = read_rows(*options.table)
    else:
        load_libraries()
        rows = list(campaign(options))
    print(table(rows))
    return min(100, sum(row["end"] == "BAD" for row in rows))


def campaign(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Run the cases that the options ask for. Yields a row for each."""
    part, parts = map(int, options.part.split("/"))
    wanted = [name for name in options.commands.split(",") if name]
    earlier = read_rows(options.log)
    done = {tuple(row[key] for key in ("subject", "command", "file", "damage")): row for row in earlier}
    for subject in options.of.split(","):
        with tempfile.TemporaryDirectory(prefix="r1-damage-") as scratch:
            place = Path(scratch)
            finished, stopped = place / "finished", place / "stopped"
            make(subject, finished, place)
            stop(subject, finished, stopped)
            for command, read in SUBJECTS[subject].items():
                if wanted and command not in wanted:
                    continue
                began, damaged = stopped if command in ("resume", "again") else finished, place / "case" / "subject"
                shutil.copytree(began, damaged)
                said, expected = run(subject, command, damaged, place)
                shutil.rmtree(damaged.parent)
                if said.code:
                    raise SystemExit(f"{command} fails on a {subject} without damage:\n{said.err}")
                for number, (file, kind, damage) in enumerate(cases(began, options.only)):
                    is_read = any(one in file.as_posix() for one in read)
                    if (
                        not is_read
                        or number % parts != part - 1
                        or (command == "eval" and file.parts[0] == "base_model")
                    ):
                        continue
                    if (row := done.get((subject, command, file.as_posix(), kind))) is not None:
                        yield row
                        continue
                    shutil.copytree(began, damaged)
                    damage(damaged / file)
                    said, found = run(subject, command, damaged, place)
                    shutil.rmtree(damaged.parent, ignore_errors=True)
                    end = verdict(file, said, found == expected)
                    row = {"subject": subject, "command": command, "file": file.as_posix(), "damage": kind, "end": end}
                    if end == "BAD":
                        tail = (said.err or said.out).strip()[-400:]
                        print(f"BAD {subject} {command} {file} {kind}: status {said.code}\n    {tail}", flush=True)
                        row["said"] = tail
                    add_row(options.log, row)
                    yield row


def table(rows: list[dict[str, str]]) -> str:
    """The ends of the cases by subject and command, as a table."""
    ends = ("same", "said", "refused", "BAD")
    lines = ["| subject | command | cases | " + " | ".join(ends) + " |", "|---|---|---|" + "---|" * len(ends)]
    counts = Counter((row["subject"], row["command"], row["end"]) for row in rows)
    for subject, command in dict.fromkeys((row["subject"], row["command"]) for row in rows):
        found = [counts[subject, command, end] for end in ends]
        lines.append(f"| {subject} | {command} | {sum(found)} | " + " | ".join(map(str, found)) + " |")
    found = [sum(row["end"] == end for row in rows) for end in ends]
    return "\n".join([*lines, f"| all | | {sum(found)} | " + " | ".join(map(str, found)) + " |"])


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
            "a folder": _folder_in_its_place,
        }
        if file.suffix == ".json" and not {"checkpoints", "model", "base_model"} & {*file.parts}:
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
    names = {file.name, file.parent.name if "checkpoints" in file.parts else file.name}
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


def make(subject: str, folder: Path, place: Path) -> None:
    """Make a subject. Raises: SystemExit where that fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if subject in ("generate", "evaluation"):
        folder.mkdir()
    said = forked(lambda: r1(beginning(subject, folder)), place)
    if said.code:
        raise SystemExit(f"the subject {subject} cannot be made:\n{said.err}")


def beginning(subject: str, folder: Path) -> list[str]:
    """Return the arguments of the command that makes a subject."""
    sets = [part for setting in SMALL for part in ("--set", setting)]
    model = ["--env", "countdown", "--model", "tiny_blank", "--steps", str(STEPS)]
    if subject == "grpo":
        return ["train", *model, "--rewards", "accuracy,format,length", *sets, "--out", str(folder)]
    if subject == "sft":
        sets += ["--set", "trainer.max_length=300"]
        data = ["--data", "countdown", "--set", "data.options.train_size=64"]
        return ["train", "--method", "sft", *model, *data, *sets, "--out", str(folder)]
    if subject == "pipeline":
        recipe = folder.parent / "two-stages.yaml"
        recipe.write_text(PIPELINE)
        return ["train", str(recipe), "--out", str(folder)]
    asked = ["tiny_blank", "--env", "countdown", "--tasks", "12", "--samples", "2", "--set", "generation.max_tokens=8"]
    if subject == "generate":
        return ["generate", *asked, "--keep", "all", "--duplicates", "--out", str(folder / "data.jsonl")]
    return ["eval", *asked, "--out", str(folder)]


def stop(subject: str, finished: Path, stopped: Path) -> None:
    """Make of a finished run, or of the last stage of a pipeline, one that was killed before its last step was saved."""
    shutil.copytree(finished, stopped)
    run, steps = {"pipeline": (stopped / "02-improved", 2)}.get(subject, (stopped, STEPS))
    if subject in ("generate", "evaluation"):
        return
    shutil.rmtree(run / "checkpoints" / f"checkpoint-{steps}")
    shutil.rmtree(run / "model")
    for name in ("report.html", "evaluations/after.json", "evaluations/after.jsonl"):
        (run / name).unlink()
    (run / "status.json").write_text(
        json.dumps({"state": "running", "phase": "training", "done": steps, "total": steps})
    )
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["rows"].pop("end", None)
    manifest["rows"].pop(str(steps), None)
    manifest["folders"].pop("model", None)
    (run / "manifest.json").write_text(json.dumps(manifest))


def run(subject: str, command: str, folder: Path, place: Path) -> tuple[Said, Any]:
    """Run a command on `folder` in a fork. Returns how it ended, and its result without times."""
    out = place / ("out.jsonl" if command == "difficulty" else "out")
    if out.is_dir():
        shutil.rmtree(out)
    out.unlink(missing_ok=True)
    if command == "view":
        said = forked(lambda: _view(folder, out), place)
        return said, out.read_text() if out.is_file() else None
    arguments = {
        "resume": ["train", "--resume", str(folder)],
        "report": ["report", str(folder), "--out", str(out)],
        "eval": ["eval", str(folder), "--tasks", "2", "--json", "--out", str(out)],
        "runs": ["runs", "--root", str(folder.parent), "--json"],
        "difficulty": ["data", "difficulty", str(folder), "--out", str(out)],
        "again": beginning(subject, folder),
    }[command]
    said = forked(lambda: r1(arguments), place)
    if said.code:
        return said, None
    if command == "resume":
        if subject != "pipeline":
            return said, result_of_run(folder)
        # The first stage is finished: a resume reads its model alone.
        model = folder / "01-shown" / "model" / "model.safetensors"
        return said, (model.read_bytes() if model.is_file() else None, result_of_run(folder / "02-improved"))
    if command == "report":
        return said, re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", out.read_text(encoding="utf-8"))
    if command == "again":
        files = sorted(path for path in folder.rglob("*.json*") if path.is_file())
        texts = {path.name: sorted(path.read_text(encoding="utf-8").split("\n")) for path in files}
        return said, re.sub(r'\\?"(time|seconds)\\?": [\d.e-]+', "", json.dumps(texts))
    text = out.read_text(encoding="utf-8") if command == "difficulty" else said.out
    return said, re.sub(r'"(seconds|updated)": [\d.e+-]+', "", text).replace(str(folder), "")


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


def _folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


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
