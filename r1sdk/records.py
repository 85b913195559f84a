"""The records that flow through a run: `Task` -> `Completion` -> `Rollout` with its `Verdict` -> `Score`.

Each stage makes a new frozen record and passes it on; no record is changed in place.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .reply_format import Reply, extract_answer, parse_reply

Message = dict[str, Any]
"""One chat message in OpenAI form: `{"role": ..., "content": ...}`."""

Status = Literal["ok", "unverifiable", "timeout", "error"]
"""The outcome of verifying or scoring an attempt; `Verdict` explains each value."""

Finish = Literal["stop", "length", "filtered", "unknown"]
"""The end of a reply. stop: the model ended it. length: truncated by the token limit. filtered: a server withheld or cut it.
unknown: a server gave a reason that r1sdk does not know, or none."""

Ended = Literal["done", "turns", "tokens", "length", "error"]


def _check_turn_rewards(rewards: Sequence[float | None]) -> None:
    for value in rewards:
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)
        ):
            raise ValueError(f"the reward of a turn is a finite number or None, got {value!r:.80}")


@dataclass(frozen=True, slots=True)
class Task:
    """One problem: a prompt for the model, and the data its environment needs to verify the answer."""

    prompt: list[Message]  # the messages the model is given, system prompt included
    answer: str | None = None  # the gold answer, if there is one
    info: Mapping[str, Any] = field(default_factory=dict)  # JSON-safe, e.g. {"nums": [3, 7], "target": 21}
    id: str = ""  # the task's name inside its environment, e.g. "train/17"


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's reply to one prompt, over one or more turns."""

    messages: list[Message]  # everything after the prompt, the environment's turns included
    token_ids: list[int] = field(
        default_factory=list
    )  # [T], the model's own tokens of all its turns, end tokens included
    finish: Finish = "stop"  # stop, length (truncated by the token limit), filtered or unknown (of a server)

    @property
    def text(self) -> str:
        """The last assistant message, which holds the answer.

        If the chat template has already opened the think block, the text begins with that `<think>`, as a reader of the
        chat sees it.
        """
        return next((m.get("content") or "" for m in reversed(self.messages) if m["role"] == "assistant"), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The environment's verdict on one attempt.

    `ok`: verified, `value` in [0, 1]. `timeout`: the answer was too expensive to check, which is the model's fault, so the
    value is 0.0. `unverifiable`: the task's gold answer cannot be parsed, value None. `error`: a service or a verifier
    failed, value None. An attempt that could not be verified never has the value 0.0.
    """

    value: float | None
    status: Status = "ok"
    extracted: str | None = None  # the answer as the verifier read it
    seconds: float = 0.0  # spent on verifying
    reason: str = ""  # why it was rejected, e.g. "uses 3 twice"
    # Further observations of the verifier, by the metric that counts them, e.g. {"code/hacks": ("exits_early",)}. An empty
    # list: the verifier looked and found nothing.
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)  # observations by metric; JSON-safe
    turn_rewards: Sequence[
        float | None
    ] = ()  # [R], by turn of the model; None: this turn was not judged; empty: none was

    def __post_init__(self) -> None:
        _check_turn_rewards(self.turn_rewards)
        low, high = {"ok": (0.0, 1.0), "timeout": (0.0, 0.0)}.get(self.status, (None, None))
        if low is None or high is None:
            if self.value is not None:
                raise ValueError(f"a verdict that is {self.status!r} has no value, got {self.value!r}")
        elif self.value is None or not low <= self.value <= high:
            allowed = "a value in [0, 1]" if high else "the value 0.0"
            raise ValueError(f"a verdict that is {self.status!r} has {allowed}, got {self.value!r}")


@dataclass(frozen=True, slots=True)
class TurnReward:
    """A reward for the turn that the model has just made. `Session.answer` or a tool returns it around its usual value.

        def answer(self, reply: str) -> r1sdk.TurnReward | str | None:
            return r1sdk.TurnReward(0.5, "warmer")

    The rewards of several tool calls in one turn are added up. They are no part of a rollout's total: an advantage that
    credits turns reads them (docs/algorithms.md).
    """

    value: float  # any finite number
    answer: Any = None  # the answer to the turn, or the result of the tool; None from `Session.answer` ends the attempt

    def __post_init__(self) -> None:
        if self.value is None:
            raise ValueError("the reward of a turn is a finite number, got None: return the plain answer for no reward")
        _check_turn_rewards([self.value])


@dataclass(frozen=True, slots=True)
class SessionLog:
    """The log of one attempt in an environment with sessions. JSON-safe, so that it outlives the session.

    `ended`. done: the environment had no further message. turns, tokens: that limit was reached. length: a turn of the
    model was truncated by the token limit. error: the environment, one of its tools or the rest of a turn was not available,
    so the attempt cannot be verified.
    """

    turns: int  # turns of the model
    calls: int = 0  # tool calls, failed ones included
    malformed: int = 0  # calls that could not be parsed
    failed: int = 0  # calls of an unknown tool, with wrong arguments, or whose tool raised
    timeouts: int = 0  # calls that exceeded the time limit
    refused: int = 0  # calls beyond the limit on calls, which were not made
    ended: Ended = "done"
    seconds: float = 0.0  # spent by the environment and its tools
    reason: str = ""  # of an error
    outcome: Mapping[str, Any] = field(default_factory=dict)  # the session's result, for the environment's `verify`
    turn_rewards: Sequence[
        float | None
    ] = ()  # [R], from the session and its tools; None: no reward; empty: none at all
    turn_tokens: Sequence[int] = ()  # [R], the model's tokens of each turn; empty: a server does not tell


@dataclass(frozen=True, slots=True)
class Rollout:
    """A task, one attempt at it, and the environment's verdict on that attempt."""

    task: Task
    completion: Completion
    verdict: Verdict | None = None  # None: not verified yet
    session: SessionLog | None = None  # in an environment with sessions

    @property
    def turns(self) -> int:
        """The number of turns that the model made, [R]."""
        return 1 if self.session is None else self.session.turns

    @property
    def turn_rewards(self) -> list[float | None]:
        """The reward of each turn, [R]: those of the session and of the verdict, added up. None: nobody gave one."""
        sources = [
            source.turn_rewards for source in (self.session, self.verdict) if source is not None and source.turn_rewards
        ]
        found: list[float | None] = [None] * self.turns
        for source in sources:
            for turn, value in enumerate(source[: len(found)]):
                if value is not None:
                    found[turn] = (found[turn] or 0.0) + value
        return found


@dataclass(frozen=True, slots=True)
class Submission:
    """A reply for a verifier: the rollout, with the parts that most verifiers need. Each is linear in the reply's length."""

    rollout: Rollout  # not verified yet; holds the task, all messages and the session's log

    @property
    def text(self) -> str:
        """The last assistant message as the model wrote it, thinking included."""
        return self.rollout.completion.text

    @property
    def answer(self) -> str | None:
        """The content of the last answer block after the thinking, stripped; None if there is none."""
        return extract_answer(self.text)

    @property
    def parsed(self) -> Reply | None:
        """The think and answer blocks if the reply keeps the format exactly; otherwise None."""
        return parse_reply(self.text)


@dataclass(frozen=True, slots=True)
class Score:
    """One rollout's rewards by name, before weighting. A reward of None does not apply and is left out of the total.

    `statuses` lists the rewards that are None because scoring failed: "timeout" (too expensive) or "error" (a service or a
    worker failed). `reasons` says why.
    """

    rewards: Mapping[str, float | None]  # by name
    total: float  # weighted sum of the rewards that are not None
    statuses: Mapping[str, Status] = field(default_factory=dict)  # by reward; only those that are not "ok"
    seconds: Mapping[str, float] = field(default_factory=dict)  # by reward; a group's time divided by its size
    reasons: Mapping[str, str] = field(default_factory=dict)  # by reward; for those in `statuses`


@dataclass(frozen=True, slots=True)
class ModelTurn:
    """One turn of the model in a rollout: its tokens, and its reward if somebody gave one."""

    start: int  # its first token, among the model's own tokens of all turns (`Completion.token_ids`)
    end: int  # the token after its last
    reward: float | None = None  # from the session, its tools or the verdict


@dataclass(frozen=True, slots=True)
class RewardedRollout:
    """A scored rollout as an advantage sees it: its numbers, without the text."""

    total: float  # weighted sum of the rewards that apply
    rewards: Mapping[str, float | None]  # by name, before weighting; None: does not apply
    turns: tuple[ModelTurn, ...]  # [R], in order; at least one
    statuses: Mapping[str, Status] = field(default_factory=dict)  # by reward; only those that are not "ok"

    @property
    def tokens(self) -> int:
        """The number of the model's tokens, [T]."""
        return self.turns[-1].end

    def to_go(self, turn_weight: float = 1.0, discount: float = 1) -> list[float]:
        """Return what each turn and those after it earned, [R]: their rewards times `turn_weight`, and the total.

        A reward that comes n turns later counts `discount` to the power of n. The total is not discounted.
        """
        found: list[float] = []
        so_far: float = 0
        for turn in reversed(self.turns):
            so_far *= discount
            if turn.reward is not None:
                so_far += turn_weight * turn.reward
            found.append(self.total + so_far)
        return found[::-1]

    def spread(self, values: Sequence[float]) -> list[float]:
        """Return one number for each token, from one for each turn. Shapes: [R] -> [T]."""
        return [value for turn, value in zip(self.turns, values, strict=True) for _ in range(turn.start, turn.end)]


@dataclass(frozen=True, slots=True)
class RewardGroup:
    """The scored rollouts of one prompt, as an advantage sees them.

    A rollout that could not be scored, because a service failed or no reward applies, is not among them: it has no
    advantage, and takes no part in anybody's baseline.
    """

    rollouts: tuple[RewardedRollout, ...]  # [G], at least one
    weights: Mapping[str, float]  # of the rewards, by name

    @property
    def totals(self) -> list[float]:
        """The weighted totals of the rollouts, [G]."""
        return [rollout.total for rollout in self.rollouts]

    def column(self, name: str) -> list[float | None]:
        """Return one reward of each rollout, before weighting, [G]."""
        return [rollout.rewards[name] for rollout in self.rollouts]
