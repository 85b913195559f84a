"""An evaluation folder: several models on several environments, saved chunk by chunk so that a kill loses one chunk at most.

plan.json                       models, environments and settings; the same command resumes, a different one is refused
MODEL/ENV/rollouts.jsonl        every attempt with its verdict and rewards, in task order
MODEL/ENV/result.json           the figures, once all tasks are attempted
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
from .attempts import Progress, attempts, tasks_per_chunk
from .evaluation_summary import Evaluation, summarize
from .statistics import Difference, difference


class EvaluationFolder:
    """A folder of evaluations. One process at a time may hold it."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan
        self._lock = RunFolder(path)

    @classmethod
    def open(cls, path: Path, plan: Mapping[str, Any]) -> "EvaluationFolder":
        """Create a folder, or open one that was started with the same plan. Raises: RunError for anything else."""
        file = path / "plan.json"
        plan = json.loads(json.dumps(plan))
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            if not file.is_file():
                raise RunError(f"{path} exists and holds no evaluation: choose another --out")
            old = read_plan(path)
            if differing := sorted(key for key in {*old, *plan} if old.get(key) != plan.get(key)):
                changes = "; ".join(f"{key}: {_short(old.get(key))}, now {_short(plan.get(key))}" for key in differing)
                raise RunError(f"{path} holds an evaluation with other settings: choose another --out\n  {changes}")
        for names in ([*plan["models"]], [*plan["envs"]]):
            slugs = [_slug(name) for name in names]
            if twice := [name for name, slug in zip(names, slugs, strict=True) if slugs.count(slug) > 1]:
                raise RunError(f"{' and '.join(twice)} would share one folder: evaluate them in separate commands")
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, plan)
        folder._lock.lock()
        if not file.is_file():
            replace_file(file, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")
        return folder

    def close(self) -> None:
        self._lock.unlock()

    def part(self, model: str, env: str) -> Path:
        """Return the folder of one model on one environment."""
        return part_folder(self.path, model, env)

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
        """Return the figures of one model on one environment. Saved attempts are reused. Raises: RunError, RewardError.

        `generator` is called only if something is left to generate. `chunk`: completions generated and saved together.
        """
        place = self.part(model, env)
        place.mkdir(parents=True, exist_ok=True)
        rollouts, scores = _saved_attempts(place / "rollouts.jsonl", tasks, sampling.samples, chunk)
        done = len(rollouts) // sampling.samples
        if progress:
            progress(done, len(tasks))
        if done < len(tasks):
            with (place / "rollouts.jsonl").open("a", encoding="utf-8", errors="backslashreplace") as file:
                made = attempts(tasks, environment, rewards, generator(), sampling, progress, chunk, done, limits)
                for some, scored in made:
                    lines = (rollout_line(r, s) for r, s in zip(some, scored, strict=True))
                    file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
                    file.flush()
                    rollouts += some
                    scores += scored
        found = summarize(rollouts, scores, sampling, by)
        replace_file(place / "result.json", json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
        return found

    def compare(self, first: str, second: str, env: str) -> Difference:
        """Return the accuracy of `second` minus that of `first`, over the tasks of `env` with a verdict for both."""
        return difference(self._verdicts(first, env), self._verdicts(second, env))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        replace_file(self.path / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

    def _verdicts(self, model: str, env: str) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for line in read_lines(self.part(model, env) / "rollouts.jsonl"):
            verdict = line["verdict"] or {}
            found.setdefault(line["task"]["id"] or json.dumps(line["task"]["prompt"]), []).append(verdict.get("value"))
        return found


def part_folder(path: Path, model: str, env: str) -> Path:
    """Return the folder, in the evaluation at `path`, of one model on one environment."""
    return path / _slug(model) / _slug(env)


def read_plan(path: Path) -> dict[str, Any]:
    """Return the plan of the evaluation at `path`. Raises: RunError if there is none."""
    try:
        return dict(json.loads((path / "plan.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise RunError(f"{path} holds no evaluation: it has no plan.json") from None


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a file of rollouts. A line torn by a kill, and all that follow it, are skipped."""
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


def _saved_attempts(file: Path, tasks: Sequence[Task], samples: int, chunk: int) -> tuple[list[Rollout], list[Score]]:
    """Return the saved attempts of complete chunks, since a chunk has one stream of random numbers. Raises: RunError."""
    lines = read_lines(file)
    complete = len(lines) // samples
    if complete < len(tasks):
        complete -= complete % tasks_per_chunk(samples, chunk)
    kept = lines[: min(complete, len(tasks)) * samples]
    for at, line in enumerate(kept):
        task = tasks[at // samples]
        if line["task"]["id"] != task.id or line["task"]["prompt"] != task.prompt:
            raise RunError(
                f"{file}: line {at + 1} is of task {line['task']['id']!r}, but now {task.id!r} is in its place: the tasks have "
                "changed, so choose another --out"
            )
    if file.is_file() and complete < len(tasks):  # new attempts will be appended to these
        replace_file(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))
    scores = [
        Score(line["rewards"], line["total"], line.get("statuses", {}), reasons=line.get("reasons", {}))
        for line in kept
    ]
    return [saved_rollout(line) for line in kept], scores


def _slug(name: str) -> str:
    """Return a name as a folder name. Names that differ only in punctuation get the same folder name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"


def _short(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False):.80}"
