"""An evaluation folder: several models on several environments, saved chunk by chunk so that a kill loses one chunk at most.

plan.json                       models, environments and settings; the same command resumes, a different one is refused
MODEL/ENV/rollouts.jsonl        every attempt with its verdict and rewards, in task order
MODEL/ENV/result.json           the figures, once all tasks are attempted
summary.json                    all figures, and the differences between the models
"""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import RunError
from ..recipe.key_groups import SessionLimits
from ..recipe.layers import differences
from ..records import Rollout, Score, Task
from ..rollout.sampling import Generator, Sampling
from ..scoring.score_rollouts import Rewards
from ..storage import jsonl
from ..storage.atomic import read_json, replace_json
from ..storage.lock import FolderLock, is_leftover
from ..storage.rollout_rows import saved_rollout
from ..storage.row_checks import rollout_fault
from ..storage.run_folder import rollout_line
from .attempts import Progress, attempts, tasks_per_chunk
from .evaluation_summary import Evaluation, summarize
from .statistics import Difference, difference


class EvaluationFolder:
    """A folder of evaluations. One process at a time may hold it."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan
        self._lock = FolderLock(path)

    @classmethod
    def open(cls, path: Path, plan: Mapping[str, Any]) -> "EvaluationFolder":
        """Create a folder, or open one that was started with the same plan. Raises: RunError for anything else."""
        file = path / "plan.json"
        plan = json.loads(json.dumps(plan))
        for names in ([*plan["models"]], [*plan["envs"]]):
            slugs = [_slug(name) for name in names]
            if twice := [name for name, slug in zip(names, slugs, strict=True) if slugs.count(slug) > 1]:
                raise RunError(f"{' and '.join(twice)} would share one folder: evaluate them in separate commands")
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} exists and is no folder: choose another --out")
        if path.is_dir() and not file.is_file() and not all(is_leftover(found, file.name) for found in path.iterdir()):
            raise RunError(f"{path} exists and holds no evaluation, since it has no plan.json: choose another --out")
        if file.is_file():
            _check_same(path, plan)
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, plan)
        folder._lock.acquire()
        try:
            if file.is_file():  # another process may have begun here in the meantime
                _check_same(path, plan)
            else:
                replace_json(file, plan)
        except BaseException:
            folder.close()
            raise
        return folder

    def remove_if_unused(self) -> None:
        """Remove a folder in which no task was attempted."""
        if not any(file.stat().st_size for file in self.path.glob("*/*/rollouts.jsonl")):
            shutil.rmtree(self.path)

    def close(self) -> None:
        self._lock.release()

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
            made = attempts(tasks, environment, rewards, generator(), sampling, progress, chunk, done, limits)
            for some, scored in made:
                lines = (rollout_line(r, s) for r, s in zip(some, scored, strict=True))
                jsonl.append(place / "rollouts.jsonl", lines)
                rollouts += some
                scores += scored
        found = summarize(rollouts, scores, sampling, by)
        replace_json(place / "result.json", found.to_json())
        return found

    def compare(self, first: str, second: str, env: str) -> Difference:
        """Return the accuracy of `second` minus that of `first`, over the tasks of `env` with a verdict for both."""
        return difference(self.verdicts([first], env), self.verdicts([second], env))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        replace_json(self.path / "summary.json", summary)

    def verdicts(self, models: Sequence[str], env: str) -> dict[str, list[float | None]]:
        """Return the verdicts on `env` by task, those of all `models` together."""
        found: dict[str, list[float | None]] = {}
        for model in models:
            for line in read_lines(self.part(model, env) / "rollouts.jsonl"):
                verdict = line["verdict"] or {}
                task = line["task"].get("id") or json.dumps(line["task"]["prompt"])
                found.setdefault(task, []).append(verdict.get("value"))
        return found


def _check_same(path: Path, plan: Mapping[str, Any]) -> None:
    """Raises: RunError where the evaluation at `path` has other settings."""
    if said := differences(read_plan(path), plan):
        raise RunError(
            f"{path} holds an evaluation with other settings, says its plan.json: choose another --out\n  "
            + "\n  ".join(said)
        )


def part_folder(path: Path, model: str, env: str) -> Path:
    """Return the folder, in the evaluation at `path`, of one model on one environment."""
    return path / _slug(model) / _slug(env)


def read_plan(path: Path) -> dict[str, Any]:
    """Return the plan of the evaluation at `path`. Raises: RunError where there is none, or its plan.json is damaged."""
    file = path / "plan.json"
    try:
        plan = read_json(file)
    except RunError as error:
        raise RunError(f"{error}: put it back from a copy, or choose another --out") from None
    if plan is None:
        raise RunError(f"{path} holds no evaluation: it has no plan.json")
    if not isinstance(plan.get("models"), list | dict) or not isinstance(plan.get("envs"), list | dict):
        raise RunError(
            f"{file} is damaged: it has no models or no envs; put it back from a copy, or choose another --out"
        )
    return plan


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rollouts that an evaluation kept; a last line that a kill cut is left out. Raises: RunError for a damaged one."""
    try:
        yield from jsonl.read(file, check=rollout_fault)
    except RunError as error:
        raise RunError(f"{error}\n  delete {file}, and the same command generates its rollouts again") from None


def whole_part(part: Path) -> list[dict[str, Any]]:
    """Return the rollouts of one model on one environment; warns if the evaluation was not finished.

    Raises: RunError for a damaged line, and where rollouts are gone that the evaluation made.
    """
    rollouts, result = part / "rollouts.jsonl", part / "result.json"
    lines = list(read_lines(rollouts))
    try:
        statuses = (read_json(result) or {}).get("statuses")
    except RunError as error:
        print(f"warning: {error}", file=sys.stderr)
        return lines
    if not isinstance(statuses, dict):
        print(
            f"warning: {result} says nothing of how many rollouts there were: the evaluation may be unfinished; "
            "the same r1 eval goes on with it",
            file=sys.stderr,
        )
        return lines
    made = sum(count for count in statuses.values() if isinstance(count, int))
    if len(lines) < made:
        raise RunError(
            f"{rollouts} has {len(lines)} of the {made} rollouts of the evaluation: the same r1 eval makes the others again"
        )
    return lines


def _saved_attempts(file: Path, tasks: Sequence[Task], samples: int, chunk: int) -> tuple[list[Rollout], list[Score]]:
    """Return the attempts on disk: those of whole chunks, since a chunk has one stream of random numbers. Raises: RunError."""
    kept: list[dict[str, Any]] = []
    for at, line in enumerate(islice(read_lines(file), len(tasks) * samples)):
        task = tasks[at // samples]
        if line["task"].get("id") != task.id or line["task"]["prompt"] != task.prompt:
            raise RunError(
                f"{file}: line {at + 1} is of task {line['task'].get('id')!r}, and now {task.id!r} is in its place: the tasks "
                "have changed, choose another --out"
            )
        kept.append(line)
    whole = len(kept) // samples
    if whole < len(tasks):  # more will be written behind these
        whole -= whole % tasks_per_chunk(samples, chunk)
        del kept[whole * samples :]
        places = iter(range(len(kept)))
        jsonl.keep_rows(file, lambda line: next(places, None) is not None)
    scores = [
        Score(line["rewards"], line["total"], line.get("statuses", {}), reasons=line.get("reasons", {}))
        for line in kept
    ]
    return [saved_rollout(line) for line in kept], scores


def _slug(name: str) -> str:
    """Return a name as a folder name. Names that differ only in punctuation get the same folder name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"
