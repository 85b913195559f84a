"""The records that flow through a run: `Task` -> `Completion` -> `Rollout` with its `Verdict` -> `Score`.

Each stage makes a new frozen record and hands it on; none is changed in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .reply_format import Reply, extract_answer, parse_reply

Message = dict[str, Any]
"""One chat message in OpenAI form: `{"role": ..., "content": ...}`."""

Status = Literal["ok", "unverifiable", "timeout", "error"]
"""Whether an attempt could be judged or priced; `Verdict` says what each means."""

Ended = Literal["done", "turns", "tokens", "length", "error"]


@dataclass(frozen=True, slots=True)
class Task:
    """One problem: what the model is asked, and what its environment needs to judge the answer."""

    prompt: list[Message]  # what the model is asked, system prompt included
    answer: str | None = None  # the gold answer, where there is one
    info: Mapping[str, Any] = field(default_factory=dict)  # JSON-safe, e.g. {"nums": [3, 7], "target": 21}
    id: str = ""  # names the task inside its environment, e.g. "train/17"


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model produced for one prompt."""

    messages: list[Message]  # everything after the prompt, the environment's turns included
    token_ids: list[int] = field(
        default_factory=list
    )  # [T], the model's own tokens of all its turns, their ends included
    finish: Literal["stop", "length"] = "stop"  # "length": cut by the token limit

    @property
    def text(self) -> str:
        """The last assistant message, the one that holds the answer.

        Where the chat template has already opened the think block, the text begins with that `<think>`: it is the
        reply as a reader of the chat sees it.
        """
        return next((m.get("content") or "" for m in reversed(self.messages) if m["role"] == "assistant"), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The environment's judgement of one attempt.

    `ok`: judged, `value` in [0, 1]. `timeout`: the answer was too expensive to check, the model's own fault, value 0.0.
    `unverifiable`: the task's gold answer cannot be parsed, value None. `error`: a service or a verifier failed, value
    None. What could not be judged is never 0.0.
    """

    value: float | None
    status: Status = "ok"
    extracted: str | None = None  # the answer as the verifier read it
    seconds: float = 0.0  # spent judging
    reason: str = ""  # why it was refused, e.g. "uses 3 twice"

    def __post_init__(self) -> None:
        low, high = {"ok": (0.0, 1.0), "timeout": (0.0, 0.0)}.get(self.status, (None, None))
        if low is None or high is None:
            if self.value is not None:
                raise ValueError(f"a verdict that is {self.status!r} has no value, got {self.value!r}")
        elif self.value is None or not low <= self.value <= high:
            allowed = "a value in [0, 1]" if high else "the value 0.0"
            raise ValueError(f"a verdict that is {self.status!r} has {allowed}, got {self.value!r}")


@dataclass(frozen=True, slots=True)
class SessionLog:
    """What happened between the turns of one attempt, where its environment has sessions. JSON-safe: it outlives the session.

    `ended`. done: the environment had nothing more to say. turns, tokens: that limit was reached. length: a turn of the model
    was cut by the token limit. error: the environment or a tool of its was not available, so the attempt cannot be judged.
    """

    turns: int  # of the model
    calls: int = 0  # of tools, those that failed included
    malformed: int = 0  # that could not be read as a call
    failed: int = 0  # of an unknown tool, with wrong arguments, or whose tool raised
    timeouts: int = 0  # that were cut
    refused: int = 0  # beyond the limit on calls, so not made
    ended: Ended = "done"
    seconds: float = 0.0  # spent by the environment and its tools
    reason: str = ""  # of an error
    outcome: Mapping[str, Any] = field(default_factory=dict)  # what the session leaves for its judge


@dataclass(frozen=True, slots=True)
class Rollout:
    """A task, one attempt at it, and the environment's verdict on that attempt."""

    task: Task
    completion: Completion
    verdict: Verdict | None = None  # None until it is judged
    session: SessionLog | None = None  # of an environment with sessions


@dataclass(frozen=True, slots=True)
class Submission:
    """A reply handed to a verifier: the rollout, and the views of it that most verifiers need. Each is linear in its length."""

    rollout: Rollout  # not yet judged; its task, all messages and the session's log are here

    @property
    def text(self) -> str:
        """The last assistant message as the model wrote it, thinking included."""
        return self.rollout.completion.text

    @property
    def answer(self) -> str | None:
        """The content of the last answer block after the thinking, stripped; None where there is none."""
        return extract_answer(self.text)

    @property
    def parsed(self) -> Reply | None:
        """The think and answer blocks, where the reply keeps the format exactly; otherwise None."""
        return parse_reply(self.text)


@dataclass(frozen=True, slots=True)
class Score:
    """One rollout's rewards by name, before weighting. None: does not apply, left out of the total.

    `statuses` says which of those None are no choice of the reward: "timeout" (too expensive to price) or "error" (a
    service or a worker failed), and `reasons` says why.
    """

    rewards: Mapping[str, float | None]  # by name
    total: float  # the weighted sum of those that are not None
    statuses: Mapping[str, Status] = field(default_factory=dict)  # by reward; only those that are not "ok"
    seconds: Mapping[str, float] = field(default_factory=dict)  # by reward; a group's time is divided by its size
    reasons: Mapping[str, str] = field(default_factory=dict)  # by reward; for those in `statuses`
