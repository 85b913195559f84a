"""Evaluations on disk: several models on several environments in one folder, so that a kill loses no more than a chunk.

plan.json                       what is evaluated, and with what settings: the same command goes on, another one is refused
MODEL/ENV/rollouts.jsonl        every attempt with its verdict and rewards, in the order of the tasks
MODEL/ENV/result.json           the figures, once they are whole
summary.json                    all figures, and the differences between the models
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import RunError
from ..recipe.key_groups import SessionLimits
from ..records import Rollout, Score, Task
from ..rollout.sampling import Generator, Sampling
from ..scoring.score_rollouts import Rewards
from ..storage.atomic import replace_file
from ..storage.rollout_rows import saved_rollout
from ..storage.run_folder import RunFolder, rollout_line
from .attempts import Evaluation, Progress, attempts, summarize, tasks_per_chunk
from .statistics import Difference, difference


class EvaluationFolder:
    """One folder of evaluations; held by one process at a time."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan
        self._lock = RunFolder(path)

    @classmethod
    def open(cls, path: Path, plan: Mapping[str, Any]) -> "EvaluationFolder":
        """A new folder, or the one that the same plan has begun. Raises: RunError where there is something else."""
        file = path / "plan.json"
        plan = json.loads(json.dumps(plan))
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            if not file.is_file():
                raise RunError(f"{path} exists and holds no evaluation: choose another --out")
            old = read_plan(path)
            if differing := sorted(key for key in {*old, *plan} if old.get(key) != plan.get(key)):
                said = "; ".join(f"{key}: {_short(old.get(key))}, now {_short(plan.get(key))}" for key in differing)
                raise RunError(f"{path} holds an evaluation with other settings: choose another --out\n  {said}")
        for names in ([*plan["models"]], [*plan["envs"]]):
            slugs = [_slug(name) for name in names]
            if twice := [name for name, slug in zip(names, slugs, strict=True) if slugs.count(slug) > 1]:
                raise RunError(f"{' and '.join(twice)} would be kept in one folder: evaluate them one by one")
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, plan)
        folder._lock.lock()
        if not file.is_file():
            replace_file(file, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
        return folder

    def close(self) -> None:
        self._lock.unlock()

    def part(self, model: str, env: str) -> Path:
        """Where one model on one environment is kept."""
        return part_of(self.path, model, env)

    def evaluate(
        self,
        model: str,
        env: str,
        tasks: Sequence[Task],
        environment: Environment,
        rewards: Rewards,
        generator: Callable[[], Generator],
        sampling: Sampling,
        by: Sequence[str] = ("env", "category"),
        progress: Progress | None = None,
        chunk: int = 128,
        limits: SessionLimits | None = None,
    ) -> Evaluation:
        """The figures of one model on one environment; what is on disk is not attempted again. Raises: RunError, RewardError.

        `generator` is called only if there is something to generate. `chunk`: completions that are made, and kept, together.
        """
        place = self.part(model, env)
        place.mkdir(parents=True, exist_ok=True)
        rollouts, scores = _kept(place / "rollouts.jsonl", tasks, sampling.samples, chunk)
        done = len(rollouts) // sampling.samples
        if progress:
            progress(done, len(tasks))
        if done < len(tasks):
            with (place / "rollouts.jsonl").open("a", encoding="utf-8", errors="backslashreplace") as file:
                made = attempts(tasks, environment, rewards, generator(), sampling, progress, chunk, done, limits)
                for some, priced in made:
                    lines = (rollout_line(r, s) for r, s in zip(some, priced, strict=True))
                    file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                    file.flush()
                    rollouts += some
                    scores += priced
        found = summarize(rollouts, scores, sampling, by)
        replace_file(place / "result.json", json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
        return found

    def compare(self, first: str, second: str, env: str) -> Difference:
        """How much more accurate `second` is than `first`, on the tasks of `env` that both were judged on."""
        return difference(self._verdicts(first, env), self._verdicts(second, env))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        replace_file(self.path / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

    def _verdicts(self, model: str, env: str) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for line in read_lines(self.part(model, env) / "rollouts.jsonl"):
            verdict = line["verdict"] or {}
            found.setdefault(line["task"]["id"] or json.dumps(line["task"]["prompt"]), []).append(verdict.get("value"))
        return found


def part_of(path: Path, model: str, env: str) -> Path:
    """Where the evaluation at `path` keeps one model on one environment."""
    return path / _slug(model) / _slug(env)


def read_plan(path: Path) -> dict[str, Any]:
    """What the evaluation at `path` is of. Raises: RunError where there is none."""
    try:
        return dict(json.loads((path / "plan.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise RunError(f"{path} holds no evaluation: it has no plan.json") from None


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of rollouts; what a kill cut short, and what follows it, is left out."""
    lines: list[dict[str, Any]] = []
    if file.is_file():
        for text in file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            try:
                line = json.loads(text)
            except ValueError:
                break
            if not text.endswith("\n") or not isinstance(line, dict):
                break
            lines.append(line)
    return lines


def _kept(file: Path, tasks: Sequence[Task], samples: int, chunk: int) -> tuple[list[Rollout], list[Score]]:
    """The attempts on disk: those of whole chunks, since a chunk has one stream of random numbers. Raises: RunError."""
    lines = read_lines(file)
    whole = len(lines) // samples
    if whole < len(tasks):
        whole -= whole % tasks_per_chunk(samples, chunk)
    kept = lines[: min(whole, len(tasks)) * samples]
    for at, line in enumerate(kept):
        task = tasks[at // samples]
        if line["task"]["id"] != task.id or line["task"]["prompt"] != task.prompt:
            raise RunError(
                f"{file}: line {at + 1} is of task {line['task']['id']!r}, and now {task.id!r} is in its place: the tasks have "
                "changed, choose another --out"
            )
    if file.is_file() and whole < len(tasks):  # more will be written behind these
        replace_file(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))
    scores = [
        Score(line["rewards"], line["total"], line.get("statuses", {}), reasons=line.get("reasons", {}))
        for line in kept
    ]
    return [saved_rollout(line) for line in kept], scores


def _slug(name: str) -> str:
    """A name as the name of a folder. Different names have different ones, unless they differ in punctuation alone."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def _short(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False):.80}"
