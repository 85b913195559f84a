"""An attempt in progress: a task, its session, the messages and tokens so far, and the limits that end it."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contracts import Session
from ..errors import PluginError, RewardError, Unavailable
from ..plugins.environment_calls import call_method
from ..plugins.guard import PluginFault, call_async
from ..recipe.key_groups import SessionLimits
from ..records import Completion, Ended, Finish, Message, Rollout, SessionLog, Task, TurnReward
from .run_tool import ToolResult, run_tool, shortened
from .tool_calls import MalformedCall, ToolCall, read_calls
from .tools import Tool, session_tools


@dataclass
class TokenTrace:
    """The tokens of an attempt: the model's exactly as sampled, and the environment's between them."""

    prompt: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)  # [T], after the prompt
    mask: list[int] = field(default_factory=list)  # [T], 1 for the model's tokens, 0 for the environment's
    logps: list[float] = field(default_factory=list)  # [T], the sampler's; 0.0 for the environment's tokens
    turns: list[int] = field(default_factory=list)  # [R], the number of the model's tokens in each of its turns

    def append_model(self, ids: list[int], logps: Sequence[float] | None = None) -> None:
        """Append tokens of the model, as they were sampled."""
        self.ids += ids
        self.mask += [1] * len(ids)
        self.turns.append(len(ids))
        self.logps += logps or [0.0] * len(ids)

    def append_environment(self, ids: list[int]) -> None:
        """Append tokens of the environment."""
        self.ids += ids
        self.mask += [0] * len(ids)
        self.logps += [0.0] * len(ids)


class Episode:
    """One attempt at a task: `step` takes a turn of the model and returns the environment's answer.

    `messages`: everything after the prompt.
    """

    def __init__(self, task: Task, session: Session, limits: SessionLimits) -> None:
        self.task = task
        self.session = session
        self.limits = limits
        self.messages: list[Message] = []
        self.trace = TokenTrace()
        self.opened = ""  # text that the chat template puts at the start of the next turn (`<think>`)
        self.ended: Ended | None = None
        self._tools: dict[str, Tool] = session_tools(session)
        self._turns = self._malformed = self._refused = 0
        self._results: list[ToolResult] = []
        self._turn_rewards: list[float | None] = []
        self._reason = ""
        self._spent = 0.0

    async def step(self, reply: str, finish: Finish = "stop") -> list[Message]:
        """Take a turn of the model and return the environment's answer, empty if the attempt is over. Raises: RewardError."""
        self.messages.append({"role": "assistant", "content": reply})
        self._turns += 1
        self._turn_rewards.append(None)
        if finish == "length":
            return self._end("length")
        if finish != "stop":  # a part of a turn must not be answered, nor its calls made
            self._reason = f"the model's turn is not whole: its server ended it by {finish!r}"
            return self._end("error")
        last = self._turns >= self.limits.turns
        calls = list(read_calls(reply)) if self._tools else []
        if calls and last:  # the calls are not made, since the model would have no turn to read the results
            return self._end("turns")
        started = time.perf_counter()
        try:
            messages = await (self._call(calls) if calls else self._answer(reply))
        except Unavailable as error:
            self._reason = str(error)
            return self._end("error")
        finally:
            self._spent += time.perf_counter() - started
        if not messages:
            return self._end("done")
        return self._end("turns") if last else messages

    def observe(self, messages: list[Message]) -> None:
        """Record messages of the environment that the model has been given."""
        self.messages += messages

    def end(self, ended: Ended) -> None:
        """End the attempt now, for example with `tokens` if the next turn does not fit the token limit."""
        self.ended = ended

    def rollout(self, token_ids: list[int] | None = None) -> Rollout:
        """Return the finished attempt. `token_ids`: the model's tokens, if the trace only counts them. Raises: RewardError."""
        own = [token for token, is_model in zip(self.trace.ids, self.trace.mask, strict=True) if is_model]
        finish: Finish = "length" if self.ended in ("length", "tokens") else "stop"
        completion = Completion(self.messages, own if token_ids is None else token_ids, finish)
        return Rollout(self.task, completion, session=self._log())

    def _end(self, ended: Ended) -> list[Message]:
        self.ended = ended
        return []

    async def _call(self, calls: list[ToolCall | MalformedCall]) -> list[Message]:
        """Make the calls of one turn concurrently and return their results in order."""
        left = max(0, self.limits.calls - len(self._results))
        made: list[ToolCall | MalformedCall] = []
        for call in calls:
            if isinstance(call, MalformedCall) or left > 0:
                left -= isinstance(call, ToolCall)
                made.append(call)
        made = made[: self.limits.calls + 1]  # malformed calls are answered too, so they are bounded as well
        refused = len(calls) - len(made)
        results_in_order = await asyncio.gather(
            *(run_tool(call, self._tools, self.limits) for call in made if isinstance(call, ToolCall))
        )
        results = iter(results_in_order)
        messages: list[Message] = []
        for call in made:
            if isinstance(call, MalformedCall):
                self._malformed += 1
                messages.append({"role": "tool", "name": "", "content": f"error: {call.reason}"})
            else:
                result = next(results)
                self._results.append(result)
                self._reward(result.reward)
                messages.append({"role": "tool", "name": result.name, "content": result.text})
        if refused:
            self._refused += refused
            text = f"error: {refused} calls were not made, at most {self.limits.calls} are: give your answer now"
            messages.append({"role": "tool", "name": "", "content": text})
        return messages

    async def _answer(self, reply: str) -> list[Message]:
        what = f"{type(self.session).__name__}.answer"
        try:
            text: Any = await call_async(what, self.session.answer, reply)
        except Unavailable:
            raise
        except PluginFault as error:
            raise RewardError(f"{error}\n  {self._where(reply)}") from error
        except Exception as error:
            raise RewardError(f"{what} failed: {type(error).__name__}: {error}\n  {self._where(reply)}") from error
        if isinstance(text, TurnReward):
            self._reward(text.value)
            text = text.answer
        if text is not None and not isinstance(text, str):
            raise RewardError(
                f"{what} must return a text or None, got {text!r:.80}; a TurnReward around one rewards the turn\n"
                f"  {self._where(reply)}"
            )
        return [] if text is None else [{"role": "user", "content": shortened(text, self.limits.output_chars)}]

    def _reward(self, value: float | None) -> None:
        """Add to the reward of the turn just made."""
        if value is not None:
            self._turn_rewards[-1] = (self._turn_rewards[-1] or 0.0) + value

    def _where(self, reply: str) -> str:
        return f"task {self.task.id or self.task.prompt!r:.200}, turn {self._turns}: {reply!r:.200}"

    def _log(self) -> SessionLog:
        get_outcome = getattr(self.session, "outcome", None)
        outcome = {} if get_outcome is None else call_method(self.session, "outcome")
        try:
            outcome = json.loads(json.dumps(outcome))
        except (TypeError, ValueError) as error:
            raise PluginError(f"{type(self.session).__name__}.outcome must be JSON: {error}") from None
        return SessionLog(
            turns=self._turns,
            calls=len(self._results),
            malformed=self._malformed,
            failed=sum(result.status == "failed" for result in self._results),
            timeouts=sum(result.status == "timeout" for result in self._results),
            refused=self._refused,
            ended=self.ended or "done",
            seconds=self._spent,
            reason=self._reason,
            outcome=outcome,
            turn_rewards=() if set(self._turn_rewards) <= {None} else list(self._turn_rewards),
            turn_tokens=list(self.trace.turns) if len(self.trace.turns) == self._turns else (),
        )
