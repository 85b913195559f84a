"""The work folder of one generation: its settings, every answer and every verdict. A kill at any moment loses none."""

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from ..errors import RunError
from ..records import Completion, Rollout, SessionLog, Task, Verdict
from ..storage.atomic import replace_json
from ..storage.lock import FolderLock
from ..storage.rollout_rows import UnsavedTokens
from ..storage.row_checks import answer_fault, saved_verdict_fault
from .journal import Journal, Key
from .meter import Meter
from .plan import Plan
from .source import Answer, AnswerRequest


class WorkFolder:
    """A work folder, opened with `with`. It holds the saved answers and verdicts, and new ones are added to it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.path = plan.work
        self.answers = Journal(self.path / "answers.jsonl", answer_fault)
        self.verdicts = Journal(self.path / "verdicts.jsonl", saved_verdict_fault)
        self.meter = Meter(total=len(plan.tasks) * plan.sampling.samples)
        self._judged: dict[Key, Verdict] = {}
        self._lock = FolderLock(self.path)

    def __enter__(self) -> Self:
        """Lock and read the folder. Raises: RunError if another process holds it, or the settings differ."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._check_settings()
            for line in self.answers.open():
                self._check(line)
                if self._wanted((line["place"], line["sample"])):
                    tokens = line.get("prompt_tokens"), line.get("completion_tokens")
                    self.meter.count_answer(*tokens, bool(line.get("unmetered")), before=True)
            self._read_verdicts()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.close()
        self.verdicts.close()
        self._lock.release()

    def missing(self) -> list[AnswerRequest]:
        """Return the answers that are not on disk, by task and sample."""
        samples = range(self.plan.sampling.samples)
        keys = ((place, sample) for place in range(len(self.plan.tasks)) for sample in samples)
        return [AnswerRequest(key, self.plan.tasks[key[0]]) for key in keys if key not in self.answers]

    def present(self) -> list[Key]:
        """Return the keys of this plan's answers on disk, by task and sample."""
        return [key for key in self.answers.sorted_keys() if self._wanted(key)]

    def unverified(self) -> list[Key]:
        """Return the present answers without a verdict, or whose verifier failed."""
        return [key for key in self.present() if key not in self._judged or self._judged[key].status == "error"]

    def add_answer(self, answer: Answer) -> None:
        completion, task = answer.completion, answer.wanted.task
        self.answers.add(
            answer.wanted.key,
            {
                "task": task.id,
                "asked": prompt_digest(task).hex(),
                "messages": completion.messages,
                "finish": completion.finish,
                "tokens": len(completion.token_ids),
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                **({"unmetered": True} if answer.unmetered else {}),
                "seconds": round(answer.seconds, 3),
                **({} if answer.session is None else {"session": asdict(answer.session)}),
            },
        )
        self.meter.count_answer(answer.prompt_tokens, answer.completion_tokens, answer.unmetered)
        self.meter.retried += answer.retries

    def add_verdict(self, key: Key, verdict: Verdict) -> None:
        """Save a verdict. One with status error is not saved, so that the next call verifies the answer again."""
        if verdict.status != "error":
            self.verdicts.add(key, {"verdict": asdict(verdict)})
            self.meter.judged += 1
        self._judged[key] = verdict

    def rollout(self, key: Key) -> Rollout:
        """Return the answer under `key` with its verdict, if it has one. Its tokens are counted but not saved."""
        line = self.answers.read(key)
        completion = Completion(line["messages"], UnsavedTokens(line["tokens"]), line["finish"])
        session = line.get("session")
        log = SessionLog(**session) if session else None
        return Rollout(self.plan.tasks[key[0]], completion, self._judged.get(key), log)

    def _wanted(self, key: Key) -> bool:
        return key[0] < len(self.plan.tasks) and key[1] < self.plan.sampling.samples

    def _read_verdicts(self) -> None:
        gone = 0
        for line in self.verdicts.open():
            key = (line["place"], line["sample"])
            if key not in self.answers:
                gone += 1
                continue
            self._judged[key] = Verdict(**line["verdict"])
            self.meter.judged += self._wanted(key)
        if gone:
            self.verdicts.drop(lambda key: key not in self.answers)
            print(
                f"warning: {self.verdicts.path} has verdicts of {gone} answers that are gone from {self.answers.path.name}: "
                "they are made again",
                file=sys.stderr,
            )

    def _check_settings(self) -> None:
        """Raises: RunError if the answers on disk were made with other settings."""
        file = self.path / "settings.json"
        settings = json.loads(json.dumps(self.plan.settings))
        try:
            before = dict(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if self.answers.path.is_file() and self.answers.path.stat().st_size:
                raise RunError(
                    f"{file} is missing, so nothing says how the answers beside it were made: put it back from a copy, "
                    "or begin anew with --overwrite"
                ) from None
            replace_json(file, settings)
            return
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise RunError(
                f"{file} is damaged ({error}): put it back from a copy, or begin anew with --overwrite"
            ) from None
        if other := _differences(before, settings):
            raise RunError(
                f"{file}: the answers beside it were made with {other}: choose another --out, or start over with --overwrite"
            )

    def _check(self, line: Mapping[str, Any]) -> None:
        """Raises: RunError if the environment now has another task at the place of this answer."""
        place = line["place"]
        if place < len(self.plan.tasks) and line["asked"] != prompt_digest(self.plan.tasks[place]).hex():
            raise RunError(
                f"{self.path}: task {place} was {line['task'] or 'another'}, but the environment now has another prompt there: "
                "choose another --out, or start over with --overwrite"
            )


def discard(plan: Plan) -> None:
    """Delete the results of earlier calls."""
    shutil.rmtree(plan.work, ignore_errors=True)
    for file in (plan.out, plan.card):
        file.unlink(missing_ok=True)


def prompt_digest(task: Task) -> bytes:
    return hashlib.sha256(json.dumps(task.prompt, sort_keys=True).encode()).digest()[:8]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return ", ".join(f"{key} {before.get(key)!r}, not {now.get(key)!r}" for key in keys)
