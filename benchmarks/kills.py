"""The kill campaign: commands are killed at chosen points, run again until they finish, and compared with one nobody killed.

    python benchmarks/kills.py --kills 40 --seed 1                  # of every work, one after another
    python benchmarks/kills.py --of grpo,sft --kills 20 --log a.jsonl
    python benchmarks/kills.py --of grpo --seed 1 --run 7           # that run again, killed at the same points
    python benchmarks/kills.py --table a.jsonl b.jsonl              # the table of earlier campaigns

Works: grpo, sampling (dynamic sampling and a curriculum), rollback (GRPO with two signs of a collapse that it is given), sft, pipeline (SFT, generate, GRPO), generate (with a server on
loopback), eval (two models), difficulty (r1 data difficulty).

Half of the kills hit a *file operation*: of the operations that a run without a kill makes (open for writing, append, rename, delete,
make a folder), a kind is drawn, then one of its occurrences, and SIGKILL comes right before it; or, where it is an append, in the
middle of it. These kills repeat exactly. The other half comes at a *moment*: a phase of the run is drawn, then a part of its time.
SIGKILL goes to the process that works, to the command that started it, or to the whole group. After a few kills the work is resumed to
its end, and every file in the folder, times left out, must be equal to that of the run without a kill.

The processes are forked from this one, which has loaded the libraries. Exit status: the number of runs that differ, at most 100.
"""

import argparse
import hashlib
import json
import mmap
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
from forked import SMALL_RUN, Said, left_behind, load_libraries, r1, start_forked, wait_for
from row_log import add_row, read_rows

sys.path.insert(0, str(Path(__file__).parent))

SMALL = (*SMALL_RUN, "trainer.save_steps=2")
PIPELINE = """
model: tiny_blank
env: {name: countdown, options: {level: easy, train_size: 48}}
generation: {max_tokens: 12, samples: 4}
evaluation: {tasks: 6, during: 2}
stages:
- name: shown
  method: sft
  trainer: {max_steps: 3, per_device_train_batch_size: 8, max_length: 300, save_steps: 2}
- name: sampled
  method: generate
  model: stage:shown
  env: {options: {train_size: 100}}
  generation: {samples: 1}
  collect: {tasks: 100, keep: all}
- name: improved
  model: stage:shown
  rewards: ["kills:digits"]
  trainer: {max_steps: 3, per_device_train_batch_size: 8, save_steps: 2}
"""
LONGEST_S = 900.0  # a bound on what hangs; a busy machine takes long
KILLS_OF_ONE_RUN = 3
VOLATILE = re.compile("time|second|ms_|pid|updated|created|command|continued|per_sec|recipe_before")
UNCOMPARED = ("worker.log", ".lock", "training_args.bin", "complete", "report.html", "stages.txt")  # by content


def digits(completions: list[Any], **_: Any) -> list[float]:
    """The reward of the campaign: the share of digits, which varies from the first step on, so that weights change."""
    texts = [messages[0]["content"] for messages in completions]
    return [sum(map(str.isdigit, text)) / max(1, len(text)) for text in texts]


@dataclass(frozen=True)
class Work:
    """A command that is killed and run again."""

    begin: Callable[[Path], list[str]]  # its arguments; the path is the folder or file that it makes
    trains: bool = True  # it starts other processes, and --resume continues it
    prepare: Callable[[Path], None] = lambda place: None
    signs: bool = False  # `sign` decides when the policy has collapsed


@dataclass(frozen=True)
class Kill:
    """One kill, as it was drawn."""

    target: str  # process, command or group
    kind: str = ""  # of a file operation
    at: int = 0  # which occurrence of it
    torn: float = 0.0  # part of an append that reaches the file
    phase: str = ""  # of a moment
    part: float = 0.0  # of the phase's time

    def __str__(self) -> str:
        where = f"{self.kind} no. {self.at}" if self.kind else f"{self.part:.0%} of {self.phase}"
        return f"{self.target} at {where}" + (f", {self.torn:.0%} written" if self.torn else "")


@dataclass
class Reference:
    """What the run without a kill did and made."""

    files: dict[str, Any]
    kinds: dict[tuple[str, str], int]  # role and kind of file operation -> how many
    phases: dict[str, float]  # seconds


def train(*arguments: str, sets: tuple[str, ...] = ()) -> Callable[[Path], list[str]]:
    given = [part for one in (*SMALL, *sets) for part in ("--set", one)]
    model = ["--env", "countdown", "--model", "tiny_blank"]
    return lambda out: ["train", *model, *arguments, *given, "--out", str(out)]


def pipeline(out: Path) -> list[str]:
    recipe = out.parent / "three-stages.yaml"
    recipe.write_text(PIPELINE)
    return ["train", str(recipe), "--out", str(out)]


def generate(out: Path) -> list[str]:
    asked = ["--tasks", "150", "--samples", "2", "--keep", "all", "--duplicates", "--max-tokens", "16"]
    server = ["--server", os.environ["KILLS_SERVER"], "--concurrent", "4"]
    return ["generate", "model", "--env", "countdown", *server, *asked, "--out", str(out / "data.jsonl")]


def evaluate(out: Path) -> list[str]:
    asked = [
        "--tasks",
        "160",
        "--samples",
        "2",
        "--set",
        "generation.max_tokens=12",
        "--rewards",
        "accuracy,kills:digits",
    ]
    return ["eval", "tiny", "tiny_blank", "--env", "countdown", *asked, "--out", str(out)]


def rate(out: Path) -> list[str]:
    return ["data", "difficulty", str(out.parent / "evaluated"), "--out", str(out / "rated.jsonl"), "--overwrite"]


def rated(place: Path) -> None:
    asked = ["--tasks", "1500", "--samples", "2", "--concurrent", "32"]
    server = ["--server", os.environ["KILLS_SERVER"]]
    said = forked.forked(
        lambda: r1(["eval", "m", "--env", "countdown", *server, *asked, "--out", str(place / "evaluated")]), place
    )
    if said.code:
        raise SystemExit(f"the evaluation to rate cannot be made: {said.err}")


def sign(lines: list[dict[str, Any]], *_: Any) -> str | None:
    """A collapse at step 4 until the learning rate was lowered, and at step 5 until it was lowered twice."""
    last = lines[-1]
    found = (last["step"] == 4 and last["learning_rate"] > 0.5e-3) or (
        last["step"] == 5 and last["learning_rate"] > 1e-4
    )
    return "a sign of the campaign" if found else None


REWARDS = ("--rewards", "accuracy,format,kills:digits")
WORKS = {
    "grpo": Work(train(*REWARDS, "--steps", "4")),
    "sampling": Work(train(*REWARDS, "--steps", "4", "--dynamic-sampling", sets=("curriculum=true",))),
    "rollback": Work(
        train(
            *(*REWARDS, "--steps", "6", "--on-collapse", "rollback"),
            sets=("trainer.lr_scheduler_type=constant", "trainer.learning_rate=1e-3"),
        ),
        signs=True,
    ),
    "sft": Work(
        train(
            *("--method", "sft", "--data", "countdown", "--steps", "4"),
            sets=("trainer.max_length=300", "data.options.train_size=64"),
        )
    ),
    "pipeline": Work(pipeline),
    "generate": Work(generate, trains=False),
    "eval": Work(evaluate, trains=False),
    "difficulty": Work(rate, trains=False, prepare=rated),
}


def main() -> int:
    """Run the campaign, or print the table of earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", default=",".join(WORKS), help="works, with commas")
    parser.add_argument("--kills", type=int, default=10, help="of each work")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=int, help="only the run of this number")
    parser.add_argument("--log", type=Path, help="file to which every kill and every run is appended, as JSON lines")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of these logs, and stop")
    options = parser.parse_args()
    if options.table:
        rows = read_rows(*options.table)
        print(table(rows))
        return min(100, sum(bool(row.get("differences")) for row in rows))
    os.environ["KILLS_SERVER"] = start_server()
    load_libraries()
    found: list[dict[str, Any]] = []
    for name in options.of.split(","):
        with tempfile.TemporaryDirectory(prefix="r1-kills-") as scratch:
            for row in campaign(name, Path(scratch), options.kills, options.seed, options.run):
                found.append(row)
                print(json.dumps(row), flush=True)
                add_row(options.log, row)
    print(table(found))
    return min(100, sum(bool(row.get("differences")) for row in found))


def campaign(name: str, place: Path, wanted: int, seed: int, only: int | None) -> Iterator[dict[str, Any]]:
    """Kill `name` `wanted` times, in as many runs as that takes. Yields a row for each kill and for each run."""
    work = WORKS[name]
    work.prepare(place)
    if work.signs:
        import r1sdk.training.monitor.checkpoint_watch as watch

        watch.collapse = sign  # type: ignore[assignment]
    reference = without_kill(work, place)
    kills = run = 0
    while kills < wanted and (only is None or run < only):
        run += 1
        if only is not None and run != only:
            continue
        chance = random.Random(f"{seed}/{name}/{run}")
        folder = place / "work" / "run"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        for path in place.glob("evaluated"):
            shutil.copytree(path, folder.parent / path.name)
        told = []
        for _ in range(chance.randint(1, KILLS_OF_ONE_RUN)):
            kill = draw(reference, work, chance, resumes=bool(told))
            go = Go(work, folder, place)
            said = go.run(kill)
            if go.killed:
                kills += 1
                told.append(str(kill))
                yield {
                    "work": name,
                    "seed": seed,
                    "run": run,
                    "kill": str(kill),
                    "target": kill.target,
                    "phase": go.phase,
                }
            if said is not None and said.code == 0:
                break
        differences = [f"processes left: {pids}"] if (pids := left_behind(LONGEST_S)) else []
        differences += finish(work, folder, place)
        made = files_of(folder)
        for path in sorted({*made, *reference.files}):
            if made.get(path) != reference.files.get(path):
                differences.append(f"{path}: {first_difference(made.get(path), reference.files.get(path))}")
        yield {"work": name, "seed": seed, "run": run, "kills": told, "differences": differences}
        if differences and os.environ.get("KILLS_KEEP"):
            shutil.copytree(folder.parent, Path(os.environ["KILLS_KEEP"]) / f"{name}-{seed}-{run}", dirs_exist_ok=True)


def without_kill(work: Work, place: Path) -> Reference:
    """Run the work to its end. Raises: SystemExit where it fails, or where a second such run is not the same."""
    found = []
    for _ in range(2):
        folder = place / "work" / "run"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.parent.mkdir()
        for path in place.glob("evaluated"):
            shutil.copytree(path, folder.parent / path.name)
        go = Go(work, folder, place)
        said = go.run(None)
        if said is None or said.code:
            raise SystemExit(f"the work fails without a kill: {said and said.err}")
        found.append(files_of(folder))
    if differing := [path for path in found[0] | found[1] if found[0].get(path) != found[1].get(path)]:
        told = [f"{path}: {first_difference(found[0].get(path), found[1].get(path))}" for path in differing]
        raise SystemExit(f"two runs without a kill differ: {told}")
    kinds = Counter(tuple(line.split("\t")) for line in go.trace.read_text().split("\n") if line)
    return Reference(found[0], {(role, kind): count for (role, kind), count in kinds.items()}, go.phases)


def draw(reference: Reference, work: Work, chance: random.Random, resumes: bool) -> Kill:
    """Draw a kill."""
    target = chance.choice(["process", "command", "group"] if work.trains else ["process", "group"])
    if chance.random() < 0.5:
        role, kind = chance.choice(sorted(reference.kinds))
        most = reference.kinds[role, kind]
        at = chance.randint(1, max(1, most // 2) if resumes else most)
        torn = chance.choice([0.0, chance.random()]) if kind.startswith("after append") else 0.0
        if role == "command" and work.trains and target == "process":
            target = "command"
        return Kill(target, f"{role}: {kind}", at, 0.0 if target == "command" else torn)
    return Kill(target, phase=chance.choice(sorted(reference.phases)), part=chance.random())


def finish(work: Work, folder: Path, place: Path) -> list[str]:
    """Run the work again until it is done. Returns what is wrong with how that went."""
    wrong = []
    for _ in range(2):
        said = Go(work, folder, place).run(None)
        assert said is not None
        if "Traceback" in said.err:
            wrong.append(f"a traceback: {said.err[-300:]}")
        if said.code == 0 or "is finished: nothing to resume" in said.err:
            break
    else:
        wrong.append(f"cannot be finished: status {said.code}: {said.err[-400:]}")
    for run in sorted({path.parent for path in folder.rglob("status.json")}):
        if not (run / "report.html").is_file():
            if f"r1 report {run}" not in said.err:
                wrong.append(f"{run.name} has no report.html, and nothing says how to make it: {said.err[-300:]}")
            forked.forked(lambda run=run: r1(["report", str(run)]), place)  # type: ignore[misc]
    return wrong


@dataclass
class Go:
    """One start of a work."""

    work: Work
    folder: Path
    place: Path
    phases: dict[str, float] = field(default_factory=dict)
    phase: str = ""  # at the kill
    killed: bool = False

    @property
    def trace(self) -> Path:
        return self.place / "trace"

    def run(self, kill: Kill | None) -> Said | None:
        """Start the work and kill it, if the kill comes before its end. Returns how the command ended by itself, or None."""
        self.trace.unlink(missing_ok=True)
        hit = mmap.mmap(-1, 1)
        arguments = self.arguments()

        def command() -> int:
            forked.in_worker = lambda: watch_files(self.folder, self.trace, "process", kill, hit)
            watch_files(self.folder, self.trace, "command" if self.work.trains else "process", kill, hit)
            return r1(arguments)

        child, files = start_forked(command, self.place)
        began = since = time.monotonic()
        phase, struck = "", False
        said: Said | None = None
        while (said := wait_for(child, files)) is None:
            now = time.monotonic()
            if (newer := self.phase_now() or phase) != phase:
                self.phases[phase] = self.phases.get(phase, 0.0) + now - since
                phase, since = newer, now
            if kill and kill.phase == phase and not struck and now - since >= kill.part * self.lasts(phase):
                self.strike(kill, child)
                struck = True
            if now - began > LONGEST_S:
                os.killpg(child, signal.SIGKILL)
                raise SystemExit(f"{arguments} has not ended after {LONGEST_S:g} s")
            time.sleep(0.004)
        self.phases[phase] = self.phases.get(phase, 0.0) + time.monotonic() - since
        self.phases.pop("", None)
        self.killed = bool(hit[0]) or (struck and said.code != 0)
        self.phase = phase
        if kill is None:
            LASTS.setdefault(id(self.work), {}).update(self.phases)
        elif self.killed and (pids := left_behind(LONGEST_S)):  # a process that outlives its command saves and ends
            raise SystemExit(f"{pids} go on without their command, {kill}")
        return None if said.code < 0 else said

    def lasts(self, phase: str) -> float:
        return LASTS.get(id(self.work), {}).get(phase, 0.0)

    def strike(self, kill: Kill, child: int) -> None:
        """Send the SIGKILL of a moment."""
        pid = child
        if kill.target == "process" and self.work.trains:
            pids = Path(f"/proc/{child}/task/{child}/children").read_text().split()
            if not pids:
                return
            pid = int(pids[-1])
        (os.killpg if kill.target == "group" else os.kill)(pid, signal.SIGKILL)

    def arguments(self) -> list[str]:
        if self.work.trains and ((self.folder / "recipe.yaml").is_file() or (self.folder / "pipeline.yaml").is_file()):
            return ["train", "--resume", str(self.folder)]
        self.folder.parent.mkdir(exist_ok=True)
        if not self.work.trains:
            self.folder.mkdir(exist_ok=True)
        return self.work.begin(self.folder)

    def phase_now(self) -> str:
        """The phase of the work, by its files; "" where they change while they are looked at."""
        try:
            return self._phase()
        except FileNotFoundError:  # a folder that was renamed or deleted
            return ""

    def _phase(self) -> str:
        if not self.work.trains:
            results = len([*self.folder.rglob("result.json"), *self.folder.glob("data.jsonl")])
            return f"part {results + 1}" if [*self.folder.rglob("*.jsonl")] else "loading"
        files = sorted(self.folder.rglob("status.json"), key=lambda file: file.parent.name)
        if not files:
            return "planning"
        try:
            status = json.loads(files[-1].read_text())
        except (OSError, ValueError):
            return "planning"
        stage = f"{files[-1].parent.name} " if files[-1].parent != self.folder else ""
        state = status.get("state", "")
        return stage + {"running": status.get("phase") or "running", "finished": "report"}.get(state, state)


LASTS: dict[int, dict[str, float]] = {}


def watch_files(folder: Path, trace: Path, role: str, kill: Kill | None, hit: Any) -> None:
    """Note each file operation of this process below `folder`, and kill at the chosen one. Forks of it have watches of their own."""
    root, count, own = str(folder), 0, os.getpid()
    wanted = kill.kind.partition(": ")[2] if kill and kill.kind.startswith(f"{role}: ") else None
    log = os.open(trace, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    appended: list[tuple[str, int]] = []  # the file that was appended to last, and its size before

    def note(kind: str) -> None:
        nonlocal count
        if os.getpid() != own:  # a fork inherits the hook
            return
        os.write(log, f"{role}\t{kind}\n".encode())
        if kind != wanted:
            return
        count += 1
        assert kill is not None
        if count != kill.at:
            return
        if kill.torn and appended:
            path, size = appended[0]
            with open(path, "rb") as file:
                now = file.seek(0, os.SEEK_END)
            os.truncate(path, size + int(kill.torn * (now - size)))
        hit[0] = 1
        if kill.target == "group":
            os.killpg(os.getpgid(0), signal.SIGKILL)
        os.kill(os.getppid() if kill.target == "command" and role == "process" else os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not isinstance(path, (str, bytes, os.PathLike)) or not (
                set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            ):
                return
            kind = "append" if "a" in (mode or "") else "open"
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
            path, kind = arguments[-2 if event == "os.rename" and len(arguments) == 2 else 0], event[3:]
            if event == "os.rename":
                path = arguments[1]
        else:
            return
        path = os.fsdecode(path)
        if not path.startswith(root) and os.path.isabs(path):
            return
        if appended:
            last = plain(appended[0][0], root)
            note(f"after append {last}")
            appended.clear()
        note(f"{kind} {plain(path, root)}")
        if kind == "append" and path.endswith(".jsonl"):
            appended.append((path, os.path.getsize(path) if os.path.exists(path) else 0))

    sys.addaudithook(hook)
    from r1sdk.generation.journal import Journal

    add = Journal.add

    def adding(journal: Any, key: Any, line: Any) -> None:
        path = str(journal.path)
        size = os.path.getsize(path) if os.path.exists(path) else 0
        add(journal, key, line)
        appended[:] = [(path, size)]
        note(f"after append {plain(path, root)}")
        appended.clear()

    Journal.add = adding  # type: ignore[method-assign]


def plain(path: str, root: str) -> str:
    """A path without the folder, and without the numbers that differ between processes."""
    return re.sub(r"\.\d+\.new", ".new", path.removeprefix(root).lstrip("/"))


def files_of(folder: Path) -> dict[str, Any]:
    """Everything in the folder that a killed and resumed work must have in common with one that nobody killed."""
    found = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if "checkpoints/" in name:
            steps = [int(path.name.rpartition("-")[2]) for path in file.parents[0].parent.glob("checkpoint-*")]
            if not steps or f"checkpoint-{max(steps)}/" not in name:  # one that a stop saved may be there or not
                if "damaged" in name:
                    found[name] = "a damaged checkpoint"
                continue
        found[name] = None if file.name in UNCOMPARED else content(file, str(folder.parent))
    return found


def content(file: Path, place: str) -> Any:
    """The content of a file without times and places."""
    if file.suffix in (".json", ".jsonl", ".yaml", ".md") and file.name != "tokenizer.json":
        text = file.read_text(encoding="utf-8").replace(place, "")
        if file.suffix == ".jsonl":
            rows = [lasting(json.loads(line)) for line in text.split("\n") if line]
            if file.parent.name.endswith(".work"):  # journals have the order in which a server answered
                rows.sort(key=lambda row: (row["place"], row["sample"]))
            return rows
        if file.suffix == ".json":
            value = lasting(json.loads(text))
            if file.name == "manifest.json" and isinstance(value.get("rows"), dict):
                value["rows"] = value["rows"].get("end")  # a stop may have left a checkpoint more
            return value
        return [
            line for line in text.split("\n") if not re.match(r"# digest|\d+ min|.*(?:took|seconds|per second)", line)
        ]
    return hashlib.sha256(file.read_bytes()).hexdigest()


def lasting(value: Any) -> Any:
    """A JSON value without the keys of times."""
    if isinstance(value, dict):
        return {key: lasting(inner) for key, inner in value.items() if not VOLATILE.search(key)}
    return [lasting(inner) for inner in value] if isinstance(value, list) else value


def first_difference(found: Any, expected: Any) -> str:
    """Where two values begin to differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in {**expected, **found}:
            if found.get(key) != expected.get(key):
                return f"{key}: {first_difference(found.get(key), expected.get(key))}"
    if isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return f"{len(found)} lines, expected {len(expected)}"
        for at, (one, other) in enumerate(zip(found, expected, strict=True)):
            if one != other:
                return f"[{at}] {first_difference(one, other)}"
    return f"{str(found)[:160]}, expected {str(expected)[:160]}"


def table(rows: list[dict[str, Any]]) -> str:
    """The kills and differences by work, as a table."""
    lines = [
        "| work | kills | at a file operation | torn appends | at a moment | process killed | runs | differences |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    works = [name for name in WORKS if any(row["work"] == name for row in rows)]
    for name in (*works, "all"):
        kills = [row for row in rows if "kill" in row and name in (row["work"], "all")]
        runs = [row for row in rows if row.get("kills") and name in (row["work"], "all")]
        whom = ", ".join(f"{who} {count}" for who, count in Counter(row["target"] for row in kills).most_common())
        files = sum(" no. " in row["kill"] for row in kills)
        torn = sum("written" in row["kill"] for row in kills)
        lines.append(
            f"| {name} | {len(kills)} | {files} | {torn} | {len(kills) - files} | {whom} | {len(runs)} "
            f"| {sum(bool(row['differences']) for row in runs)} |"
        )
    return "\n".join(lines)


def start_server() -> str:
    """Start a server that answers each prompt in its own way, always the same; it ends with this process. Returns its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    if pid := os.fork():
        forked.others.add(pid)
    else:
        import asyncio
        import ctypes

        from aiohttp import web

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

        async def answer(request: web.Request) -> web.Response:
            prompt = (await request.json())["messages"][-1]["content"]
            chance = random.Random(prompt)
            await asyncio.sleep(chance.uniform(0.0, 0.01))
            numbers = re.findall(r"\b\d\d?\b", prompt)
            chance.shuffle(numbers)
            text = f"<think>{prompt[:20]}\u2028</think>\n<answer>{chance.choice('+-*').join(numbers[:2])}</answer>"
            usage = {"prompt_tokens": len(prompt), "completion_tokens": len(text)}
            choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return web.json_response({"choices": [choice], "usage": usage})

        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        web.run_app(app, sock=listening, print=lambda *_: None, handle_signals=False, access_log=None)
        os._exit(0)
    listening.close()
    return url


if __name__ == "__main__":
    raise SystemExit(main())
