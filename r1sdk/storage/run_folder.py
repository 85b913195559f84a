"""The run folder: its files, written so that a kill at any moment loses nothing, and read back.

recipe.yaml         the resolved recipe: running it again makes the same run
manifest.json       versions, machine, command, seed; the digest of recipe.yaml, and how many rows each checkpoint came with
status.json         state, phase and progress, replaced as a whole
metrics.jsonl       one line per optimizer step, and one per warning
rollouts.jsonl      every rollout with its verdict and scores
evaluations/        the held-out evaluations: before.json, after.json, and every rollout of each: before.jsonl, after.jsonl;
                    during.jsonl: a few of those tasks, attempted again during training; checkpoints.jsonl: the accuracy at
                    checkpoints, by which the best one is kept
checkpoints/        checkpoint-N, whole once it holds the file `complete`
rollback-N.jsonl    the metrics of the steps that the N-th rollback gave up
report.html         the page of the run, made at its end
model/              the trained model in Hugging Face form
adapter/            of LoRA: what was trained, before it was merged into `model/`
data.jsonl          method generate: the kept answers (or data.parquet), data.jsonl.md their card, data.jsonl.work/ all of them
worker.log          what the worker printed
accelerate.yaml     how several processes share out the work, if they do
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import R1Error, RunError, raise_all
from ..recipe.schema import Recipe, load_recipe
from ..records import Rollout, Score
from . import jsonl
from .atomic import ESCAPED, drop_leftovers, read_json, replace_file, replace_json
from .checkpoints import MARK, changes, checkpoint_step, damage, measure
from .jsonl import Damage
from .lock import LOCK_FILE, FolderLock
from .rollbacks import KEY as ROLLBACKS
from .rollbacks import Rollback, delete_checkpoint, drop_checkpoints, read_rollbacks, set_aside_rows
from .row_checks import (
    checkpoint_accuracy_fault,
    evaluation_fault,
    gold_fault,
    manifest_fault,
    metric_fault,
    rollout_fault,
)

_END = "end"  # the key of the rows at the end of a run
_ASIDE = "damaged-"  # before the name of a checkpoint that is not to be resumed from


_STATUS_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("state", "phase", "message"), str),
    **dict.fromkeys(("done", "total", "pid"), int | None),
    "updated": int | float,
}


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_file = path / "recipe.yaml"
        self.manifest_file = path / "manifest.json"
        self.status_file = path / "status.json"
        self.metrics_file = path / "metrics.jsonl"
        self.rollouts_file = path / "rollouts.jsonl"
        self.evaluations = path / "evaluations"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.adapter = path / "adapter"
        self.log_file = path / "worker.log"
        self.accelerate_file = path / "accelerate.yaml"
        self.room_file = path / ".room"  # space that a training process gives back to report that the disk is full
        self._lock = FolderLock(path)
        self._counted: dict[Path, tuple[int, int]] = {}  # bytes and lines

    @property
    def data(self) -> Path:
        """The file for the rows of a run of method generate."""
        return self.path / f"data.{self.recipe().collect.format}"

    @classmethod
    def create(
        cls,
        path: Path,
        recipe: Recipe,
        manifest: Mapping[str, Any],
        overwrite: bool = False,
        accelerate: Path | None = None,
    ) -> "RunFolder":
        """Make a new run folder at `path`. Raises: RunError where one is there already and `overwrite` is not set.

        Of several processes that ask at the same moment one makes it. `accelerate`: the config file that is copied into the run,
        so that it resumes elsewhere as it began here.
        """
        folder = cls(path)
        try:
            if path.exists():
                folder._check_replaceable()
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make {path}: {error.strerror or error}") from None
        folder.lock()
        try:
            if folder._check_replaceable() and not overwrite:
                state = folder.status().get("state", "unknown")
                raise RunError(
                    f"{path} already holds a run ({state}): continue it with --resume {path}, "
                    "choose another --out, or replace it with --overwrite"
                )
            for old in path.iterdir():
                if old.name != LOCK_FILE:
                    shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
            for part in (folder.evaluations, folder.checkpoints):
                part.mkdir()
            noted = {}
            if accelerate is not None:
                replace_file(folder.accelerate_file, accelerate.read_text(encoding="utf-8"))
                noted["accelerate"] = file_digest(folder.accelerate_file.read_bytes())
            replace_json(folder.manifest_file, {**manifest, **noted})
            folder.set_status("prepared")
            replace_file(folder.recipe_file, recipe.to_yaml())  # last, because this file makes the folder a run
        finally:
            folder.unlock()
        return folder

    def _check_replaceable(self) -> bool:
        """Return True where the folder holds a run. Raises: RunError where it holds something else."""
        if self.path.is_dir():
            if self.recipe_file.is_file():
                return True
            made_first = (
                self.manifest_file,
                self.status_file,
                self.accelerate_file,
                self.evaluations,
                self.checkpoints,
            )
            ours = {LOCK_FILE, *(path.name for path in made_first)}
            if all(found.name in ours or found.match(".*.new") for found in self.path.iterdir()):
                return False  # empty, or left by a kill while the run was being made
        raise RunError(f"{self.path} exists and is no run folder: choose another --out")

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The run folder at `path`. Raises: RunError where there is none."""
        folder = cls(path)
        if not folder.recipe_file.is_file():
            if seeds := sorted(found.parent.name for found in path.glob("seed-*/recipe.yaml")):
                raise RunError(f"{path} holds the runs of several seeds: name one of them: {path / seeds[0]}")
            if folder.is_without_recipe:
                raise RunError(
                    f"{folder.recipe_file} is missing, and the run cannot be read without: put it back from a copy"
                )
            raise RunError(f"{path} is no run folder: it has no recipe.yaml")
        return folder

    @property
    def is_without_recipe(self) -> bool:
        """True of a run whose recipe.yaml is gone. While a run is being made, nothing has trained in it."""
        return self.manifest_file.is_file() and self.metrics_file.exists() and not self.recipe_file.is_file()

    def extend(self, recipe: Recipe, command: Sequence[str]) -> None:
        """Continue under `recipe`: drop the results of the old end of the run, and note that in the manifest.

        Raises: RunError where another process holds the folder.
        """
        self.lock()
        try:
            for name in ("after.json", "after.jsonl"):
                (self.evaluations / name).unlink(missing_ok=True)
            manifest, text = self.manifest(), recipe.to_yaml()
            if _END in _noted(manifest):
                manifest["rows"] = {key: value for key, value in _noted(manifest).items() if key != _END}
            manifest["continued"] = [
                *manifest.get("continued", []),
                {"command": list(command), "from": self.status().get("done")},
            ]
            if rollbacks := read_rollbacks(manifest):  # one that ended the run is one more rollback of the longer run
                manifest[ROLLBACKS] = [replace(one, ends=False).to_json() for one in rollbacks]
            if (old := manifest.get("recipe")) is not None:  # a kill between the two files leaves either recipe valid
                replace_json(self.manifest_file, {**manifest, "recipe_before": old, "recipe": file_digest(text)})
                manifest["recipe"] = file_digest(text)
            replace_file(self.recipe_file, text)
            replace_json(self.manifest_file, manifest)
            self.set_status("prepared")
        finally:
            self.unlock()

    def recipe(self) -> Recipe:
        """Return the resolved recipe. Raises: RecipeError, and RunError where it is not the one that the run was made with."""
        try:
            manifest = self.manifest()
        except RunError:
            manifest = {}
        digests = {manifest[key] for key in ("recipe", "recipe_before") if isinstance(manifest.get(key), str)}
        if digests:
            try:
                text = self.recipe_file.read_bytes()
            except OSError as error:
                raise RunError(f"cannot read {self.recipe_file}: {error.strerror or error}") from None
            if file_digest(text) not in digests:
                raise RunError(
                    f"{self.recipe_file} is not the recipe that this run was made with: it was changed or damaged since. "
                    "Put it back from a copy; to change a run, use r1 train --resume with --steps or --set"
                )
        return load_recipe(self.recipe_file)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest. Raises: RunError where it is missing or damaged."""
        found = read_json(self.manifest_file)
        if found is None:
            raise RunError(f"{self.manifest_file} is missing: put it back from a copy")
        if fault := manifest_fault(found):
            raise RunError(f"{self.manifest_file} is damaged: {fault}")
        return found

    def note(self, key: str, value: Any) -> None:
        """Add facts to the manifest that were unknown before the run began."""
        replace_json(self.manifest_file, {**self.manifest(), key: value})

    def note_rows(self, step: int | None = None) -> None:
        """Note how much the files hold at the checkpoint of `step`, or at the end of the run, to detect losses later."""
        manifest = read_json(self.manifest_file) or {}
        there = {str(checkpoint_step(path)) for path in self.complete_checkpoints()}
        rows = {key: value for key, value in _noted(manifest).items() if key in there}
        rows[_END if step is None else str(step)] = self._rows()
        replace_json(self.manifest_file, {**manifest, "rows": rows})

    def lost(self, among: Collection[str] | None = None) -> list[str]:
        """Return one sentence for each file that holds less than at the last checkpoint, or at the end of the run.

        `among`: names of files in the folder; the others are not read.
        """
        try:
            noted, recipe = _noted(self.manifest()), self.recipe()
        except R1Error:  # which `check` and the readers name
            return []
        try:
            found = self._rows(among)
        except RunError as error:
            return [str(error)]
        last = _END if _END in noted else max((key for key in noted if key.isdigit()), key=int, default="")
        return [
            f"{self.path / name} has {found.get(name, 0)} of the {count} lines that were written, so some are lost"
            if name.endswith(".jsonl")
            else f"{self.path / name} is missing"
            for name, count in noted.get(last, {}).items()
            if isinstance(count, int)
            and (among is None or name in among)
            and found.get(name, 0) < count
            # Asynchronous generation is ahead of the step, and resuming drops its results for later steps.
            and not (name == self.rollouts_file.name and recipe.experimental_async is not None)
        ]

    def _rows(self, among: Collection[str] | None = None) -> dict[str, int]:
        """Return the number of lines of each JSON lines file, and 1 for each other result file, by name in the folder."""

        def wanted(files: Iterable[Path]) -> list[Path]:
            return [file for file in files if among is None or file.relative_to(self.path).as_posix() in among]

        lines = [*self._rewound_files(), self.evaluation_file("before"), self.evaluation_file("after")]
        whole = [self.path / "gold.json", self.evaluations / "before.json", self.evaluations / "after.json"]
        counts = {file: self._count(file) for file in wanted(lines)}
        counts |= {file: int(file.is_file()) for file in wanted(whole)}
        return {file.relative_to(self.path).as_posix(): count for file, count in counts.items() if count}

    def note_folder(self, folder: Path) -> None:
        """Note the files of a folder of the run, so that `check_folder` knows whether they are as they were."""
        manifest = self.manifest()
        replace_json(
            self.manifest_file, {**manifest, "folders": manifest.get("folders", {}) | {folder.name: measure(folder)}}
        )

    def check_folder(self, folder: Path) -> None:
        """Raises: RunError where a folder that was noted is not as it was written."""
        noted = (read_json(self.manifest_file) or {}).get("folders")
        files = noted.get(folder.name) if isinstance(noted, dict) else None
        if isinstance(files, dict) and (faults := changes(folder, files)):
            listed = "".join(f"\n  {folder / fault}" for fault in faults)
            raise RunError(f"the files of {folder} are not as the run wrote them:{listed}")

    def _rewound_files(self) -> list[Path]:
        named = (self.evaluation_file(name) for name in ("during", "checkpoints"))
        return [self.metrics_file, self.rollouts_file, *named]

    def _count(self, file: Path) -> int:
        """The lines of a file that grows; those that were counted before are not read again."""
        size, count = self._counted.get(file, (0, 0))
        if not file.is_file() or file.stat().st_size < size:
            size, count = 0, 0
        for line in jsonl.lines(file, size):
            size, count = line.offset + line.size, count + 1
        self._counted[file] = size, count
        return count

    def check(self) -> None:
        """Look at the files that a resumed run reads. Raises: RunError that names each one that is damaged or missing."""
        errors: list[R1Error] = []
        before = partial(self.evaluation, "before")
        for read in (self.manifest, self.recipe, self.gold, before, self._check_accelerate):
            try:
                read()
            except R1Error as error:
                errors.append(error)
        raise_all(errors, RunError)

    def _check_accelerate(self) -> None:
        digest = self.manifest().get("accelerate")
        if digest is not None and (
            not self.accelerate_file.is_file() or file_digest(self.accelerate_file.read_bytes()) != digest
        ):
            raise RunError(
                f"{self.accelerate_file} is missing, or was changed since the run began: put it back from a copy"
            )

    def lock(self, wait_s: float = 0.0) -> None:
        """Hold the folder, waiting at most `wait_s`. Raises: RunError where another process holds it."""
        self._lock.acquire(wait_s)

    def unlock(self) -> None:
        """Let go of the folder."""
        self._lock.release()

    def set_status(self, state: str, **more: Any) -> None:
        """Replace the status: `state` is prepared, running, finished, failed or interrupted."""
        replace_file(self.status_file, json.dumps({"state": state, "pid": os.getpid(), "updated": time.time(), **more}))

    def status(self) -> dict[str, Any]:
        """Return the status; empty where it cannot be read, and without the values that have a wrong type."""
        try:
            found = read_json(self.status_file) or {}
        except RunError:
            return {}
        return {key: value for key, value in found.items() if isinstance(value, _STATUS_TYPES.get(key, object))}

    def status_fault(self) -> str | None:
        """Return the fault in status.json, or None."""
        try:
            found = read_json(self.status_file)
        except RunError as error:
            return str(error)
        if found is None:
            return f"{self.status_file} is missing"
        known = self.status()
        wrong = [key for key in ("state", *found) if key not in known]
        return f"{self.status_file} is damaged: {', '.join(wrong)}" if wrong else None

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Append one line: `{"kind": "step", "step": 3, ...}` or `{"kind": "warning", ...}`."""
        jsonl.append(self.metrics_file, [line])

    def metrics(self, kind: str | None = "step", damage: Damage | None = None) -> list[dict[str, Any]]:
        """Return the lines of one kind, in order; all of them for None. Raises: RunError for a damaged one that is not counted."""
        lines = jsonl.read(self.metrics_file, damage=damage, check=metric_fault)
        return [line for line in lines if kind is None or line["kind"] == kind]

    def append_rollouts(
        self,
        step: int,
        rollouts: Sequence[Rollout],
        scores: Sequence[Score],
        marks: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Append the rollouts of a step. `marks`: extra keys for each line."""
        rows = zip(rollouts, scores, marks or [{}] * len(rollouts), strict=True)
        jsonl.append(self.rollouts_file, (rollout_line(r, s, step=step, **mark) for r, s, mark in rows))

    def rollouts(self, after: int = 0, damage: Damage | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rollouts as `rollout_line` wrote them, in order; those beyond the first `after` bytes of the file.

        Raises: RunError for a damaged line that `damage` does not count.
        """
        return jsonl.read(self.rollouts_file, after, damage, rollout_fault)

    def write_evaluation(self, name: str, evaluation: Mapping[str, Any]) -> None:
        self.evaluations.mkdir(exist_ok=True)
        replace_json(self.evaluations / f"{name}.json", evaluation)

    def evaluation(self, name: str) -> dict[str, Any] | None:
        """Return the figures of an evaluation; None before it was made. Raises: RunError where the file is damaged."""
        file = self.evaluations / f"{name}.json"
        found = read_json(file)
        if found is not None and name in ("before", "after") and (fault := evaluation_fault(found)):
            raise RunError(f"{file} is damaged: {fault}")
        return found

    def drop_evaluation(self, name: str) -> None:
        """Delete the rollouts of an evaluation that was interrupted."""
        file = self.evaluation_file(name)
        file.unlink(missing_ok=True)
        self._counted.pop(file, None)

    def evaluation_file(self, name: str) -> Path:
        """Return the file with the rollouts of an evaluation, as `rollout_line` writes them."""
        return self.evaluations / f"{name}.jsonl"

    def append_evaluation(self, name: str, rollouts: Sequence[Rollout], scores: Sequence[Score], **more: Any) -> None:
        self.evaluations.mkdir(exist_ok=True)
        rows = (rollout_line(r, s, **more) for r, s in zip(rollouts, scores, strict=True))
        jsonl.append(self.evaluation_file(name), rows)

    def evaluation_rollouts(self, name: str, damage: Damage | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rollouts of the evaluation `name`, or of `during`, in order; none where none were kept.

        Raises: RunError for a damaged line that `damage` does not count.
        """
        return jsonl.read(self.evaluation_file(name), damage=damage, check=rollout_fault)

    def checkpoint_accuracies(self, damage: Damage | None = None) -> list[dict[str, Any]]:
        """Return the accuracies that were measured at checkpoints: `step`, `accuracy`, `n`, and the `values` by task.

        Raises: RunError for a damaged line that `damage` does not count.
        """
        return list(jsonl.read(self.evaluation_file("checkpoints"), damage=damage, check=checkpoint_accuracy_fault))

    def append_checkpoint_accuracy(self, row: Mapping[str, Any]) -> None:
        self.evaluations.mkdir(exist_ok=True)
        jsonl.append(self.evaluation_file("checkpoints"), [row])

    def best_checkpoint(self) -> dict[str, Any] | None:
        """Return the row of the checkpoint with the best accuracy, the latest of several; None where none was measured."""
        rows = self.checkpoint_accuracies(Damage())
        return max(rows, key=lambda row: (row["accuracy"], row["step"]), default=None)

    def rollbacks(self) -> list[Rollback]:
        """Return the rollbacks of the run, oldest first."""
        return read_rollbacks(read_json(self.manifest_file) or {})

    def note_rollback(self, rollback: Rollback) -> None:
        """Record that the run goes back. `rewind` then takes the folder back, also after a kill."""
        self.note(ROLLBACKS, [one.to_json() for one in [*self.rollbacks(), rollback]])

    def _roll_back(self) -> list[dict[str, Any]]:
        """Take the folder back where a rollback was recorded and not done. Returns the warnings to append."""
        rollbacks = self.rollbacks()
        if not rollbacks or rollbacks[-1].done:
            return []
        last, name = rollbacks[-1], f"rollback {len(rollbacks)}"
        set_aside_rows(self.metrics_file, last.to, self.path / f"rollback-{len(rollbacks)}.jsonl")
        drop_checkpoints(self.checkpoints, last.to)
        return [{"kind": "warning", "step": last.to, "time": time.time(), "name": name, "text": last.text}]

    def _rolled_back(self) -> None:
        rollbacks = self.rollbacks()
        self.note(ROLLBACKS, [replace(one, done=True).to_json() for one in rollbacks])

    def write_gold(self, found: Mapping[str, Any]) -> None:
        replace_json(self.path / "gold.json", found)

    def gold(self) -> dict[str, Any] | None:
        """Return the result of the check of the gold answers; None before it was made. Raises: RunError where it is damaged."""
        file = self.path / "gold.json"
        try:
            found = read_json(file)
            if found is not None and (fault := gold_fault(found)):
                raise RunError(f"{file} is damaged: {fault}")
        except RunError as error:
            raise RunError(f"{error}; delete it, and a resumed run checks the gold answers again") from None
        return found

    def complete_checkpoints(self) -> list[Path]:
        """The checkpoints that were written to their end, oldest first."""
        found = [path for path in self.checkpoints.glob("checkpoint-*") if (path / MARK).is_file()]
        return sorted(found, key=checkpoint_step)

    def undamaged_checkpoints(self) -> list[Path]:
        """The complete checkpoints whose files are as they were written, oldest first."""
        return [path for path in self.complete_checkpoints() if not damage(path)]

    def keep_checkpoints(self, most: int) -> None:
        """Delete old checkpoints: the newest `most` stay, or one less of them and the best one, if that is older."""
        whole, best = self.complete_checkpoints(), self.best_checkpoint()
        old = [path for path in whole[:-most] if best is not None and checkpoint_step(path) == best["step"]]
        stay = {*whole[-most:]} if most == 1 or not old else {*whole[1 - most :], *old}
        for path in whole:
            if path not in stay:
                delete_checkpoint(path)

    def rewind(self) -> Path | None:
        """Make the folder as it was at the last whole checkpoint, and return that; None: start over.

        Half-written checkpoints go; metrics and rollouts of later steps go, with a line that a kill cut short. Checkpoints that
        are no longer as they were written are put aside, with a warning in the metrics. Raises: RunError where no other is left.
        """
        rolled_back = self._roll_back()
        complete, damaged = self._last_whole()
        for path in self.checkpoints.glob("*"):
            if path.is_dir() and path not in complete and not path.name.startswith(_ASIDE) and path not in damaged:
                shutil.rmtree(path)
        step = checkpoint_step(complete[-1]) if complete else 0
        drop_leftovers(self.path)
        warnings = self._keep_until(step)
        for path, faults in damaged.items():
            aside = path.with_name(f"{_ASIDE}{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            warnings.append(f"{path.name} is damaged ({'; '.join(faults)}): kept as {aside}; going on from step {step}")
        if rolled_back:
            noted = {line["name"] for line in self.metrics("warning", Damage())}
            jsonl.append(self.metrics_file, (line for line in rolled_back if line["name"] not in noted))
            self._rolled_back()
        for text in warnings:
            self.append_metrics({"kind": "warning", "step": step, "time": time.time(), "name": "damaged", "text": text})
        return complete[-1] if complete else None

    def _keep_until(self, step: int) -> list[str]:
        """Drop the rows of later steps, and return sentences about rows that are damaged or gone."""
        warnings = []
        self._counted.clear()
        checks = {self.metrics_file: metric_fault, self.evaluation_file("checkpoints"): checkpoint_accuracy_fault}
        for file in [*self._rewound_files(), self.evaluation_file("before")]:
            found = Damage()
            check = checks.get(file, rollout_fault)
            if file in self._rewound_files():
                jsonl.keep_rows(file, lambda row: (row.get("step") or 0) <= step, found, check)
            else:
                sum(1 for _ in jsonl.read(file, damage=found, check=check))
            if found.count:
                warnings.append(f"{file} has {found.count} damaged lines, which are left out: {found}")
        manifest = read_json(self.manifest_file) or {}
        if noted := _noted(manifest):  # of later steps nothing is left that could be compared
            rows = {key: value for key, value in noted.items() if key.isdigit() and int(key) <= step}
            replace_json(self.manifest_file, {**manifest, "rows": rows})
        return warnings + (self.lost() if step else [])

    def _last_whole(self) -> tuple[list[Path], dict[Path, list[str]]]:
        """Return the checkpoints up to the last undamaged one, and the faults of those after it. Raises: RunError."""
        complete, damaged = self.complete_checkpoints(), dict[Path, list[str]]()
        while complete and (faults := damage(complete[-1])):
            damaged[complete.pop()] = faults
        if damaged and not complete:
            found = "".join(f"\n  {path / fault}" for path, faults in damaged.items() for fault in faults)
            raise RunError(
                f"no checkpoint of {self.path} is as it was written, so there is nothing to go on from:{found}\n"
                f"  put the files back from a copy, or delete {self.checkpoints} to begin again at step 0"
            )
        return complete, damaged


def rollout_line(rollout: Rollout, score: Score | None = None, **more: Any) -> dict[str, Any]:
    """A rollout as one JSON object: task, completion, verdict, rewards, total.

    Where a reward timed out or failed, also `statuses` and `reasons` by its name; where there were turns, `session`. The
    rewards of turns are in `turn_rewards` of the session, of the verdict, or both; without any the key is left out.
    """
    completion = rollout.completion
    line = {
        **more,
        "task": asdict(rollout.task),
        "completion": {
            "messages": completion.messages,
            "tokens": len(completion.token_ids),
            "finish": completion.finish,
        },
        "verdict": _without_empty_turns(asdict(rollout.verdict)) if rollout.verdict else None,
    }
    if rollout.session is not None:
        line["session"] = _without_empty_turns(asdict(rollout.session))
    if score is not None:
        line |= {"rewards": dict(score.rewards), "total": score.total}
        if score.statuses:
            line |= {"statuses": dict(score.statuses), "reasons": dict(score.reasons)}
    return line


def _without_empty_turns(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("turn_rewards", "turn_tokens") or value}


def _noted(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the row counts that `note_rows` put into a manifest, by step."""
    rows = manifest.get("rows")
    return {k: v for k, v in rows.items() if isinstance(v, Mapping)} if isinstance(rows, Mapping) else {}


def file_digest(content: str | bytes) -> str:
    """Return the digest by which the manifest knows the content of recipe.yaml and accelerate.yaml."""
    data = content.encode("utf-8", ESCAPED) if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def latest_run(root: Path) -> RunFolder:
    """The run folder under `root` that was written to last. Raises: RunError where there is none."""
    found = (
        [path for path in root.glob("*") if (path / "status.json").is_file() and (path / "recipe.yaml").is_file()]
        if root.is_dir()
        else []
    )
    if not found:
        raise RunError(f"no run folder under {root}")
    return RunFolder.open(max(found, key=lambda path: (path / "status.json").stat().st_mtime))
