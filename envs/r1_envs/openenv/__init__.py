"""The environment `openenv`: tasks of a running OpenEnv server whose episodes end with the first action."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

import r1sdk

from ..table.splits import in_test

BATCH = 64  # resets per connection


@dataclass(frozen=True)
class OpenEnv:
    """Tasks of a running OpenEnv server at `url`: reset gives the prompt, the reply is the only action, its reward is the verdict.

    A task is what one `reset` shows, of the seeds from 0 on or of each entry of `resets`. An episode that goes on after the first
    action needs several turns, and stops the run. A server that is away makes no verdict.
    """

    url: str = ""  # http://localhost:8000
    resets: tuple[dict[str, Any], ...] = ()  # arguments of reset, one task each; without them {seed: 0}, {seed: 1}, ...
    observation: str = ""  # the field that is the prompt; "": the only one that is text, else all of them as JSON
    action: str = ""  # the field that takes the reply; "": the only one that the server requires
    fixed: dict[str, Any] = field(default_factory=dict)  # the action's other fields
    send: Literal["reply", "answer"] = "reply"  # the whole reply, or the content of its answer tag
    reward_min: float = 0.0  # the reward that maps to 0.0
    reward_max: float = 1.0  # the reward that maps to 1.0
    train_size: int = 200
    test_size: int = 50
    test_share: float = 0.2
    system: str | None = None  # a system prompt; None: that of the reply format where the answer is sent, else none
    timeout_s: float = 30.0  # of one task's episode, connecting included
    sessions: int = 1  # at a time; as many as the server allows
    api_key_env: str | None = None  # the NAME of the environment variable that holds the server's key

    def __post_init__(self) -> None:
        if find_spec("aiohttp") is None:
            raise r1sdk.R1Error("environment 'openenv' needs: pip install 'r1sdk[openenv]'")
        from .episode_client import read_key

        url = urlsplit(self.url)
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("url must have no user, password or query: give a key by api_key_env")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("url: the address of a running server, e.g. --set env.options.url=http://localhost:8000")
        if not 0.0 < self.test_share < 1.0 or min(self.train_size, self.test_size, self.sessions) < 1:
            raise ValueError("test_share is between 0 and 1; train_size, test_size and sessions are at least 1")
        if not self.reward_min < self.reward_max or not self.timeout_s > 0:
            raise ValueError("reward_min is below reward_max, and timeout_s above 0")
        read_key(self.api_key_env)

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test". A prompt always belongs to the same split, by its words. Raises: R1Error."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"openenv has the splits train and test, not {split!r}")
        drawn, seen = 0, set[str]()
        most = len(self.resets) or 100 + 2 * int(max(size / self.test_share, size / (1 - self.test_share)))
        width, start = 1, 0
        while start < most:
            numbers = range(start, min(most, start + width))
            for number, prompt in zip(numbers, r1sdk.run_blocking(self._drawn(numbers)), strict=True):
                words = prompt[-1]["content"]
                if words in seen or in_test(words, self.test_share) != (split == "test"):
                    continue
                seen.add(words)
                yield r1sdk.Task(prompt, None, {"reset": self._reset(number)}, f"{split}/{number}")
                drawn += 1
                if drawn == size:
                    return
            start, width = start + width, min(BATCH, width * 4)
        if not self.resets:
            raise r1sdk.R1Error(f"{self.url} has too few different tasks: {drawn} for split {split!r} of {most} seeds")

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return the reward of the one step with the reply. Raises: Unavailable; R1Error if the episode continues."""
        from .episode_client import OpenEnvEpisode

        text = rollout.completion.text
        sent = text if self.send == "reply" else r1sdk.extract_answer(text)
        if sent is None:
            return r1sdk.Verdict(0.0, reason="no answer")
        if len(sent) > 100_000:
            return r1sdk.Verdict(0.0, reason="longer than 100000 characters")
        async with OpenEnvEpisode(self.url, self.sessions, self.timeout_s, self.api_key_env) as episode:
            started = time.perf_counter()
            field_name = self.action or await episode.action_field(tuple(self.fixed))
            shown = await episode.reset(dict(rollout.task.info["reset"]))
            if self._prompt(shown["observation"]) != rollout.task.prompt:
                raise r1sdk.R1Error(
                    f"{self.url} shows something else after the same reset {rollout.task.info['reset']}: its tasks cannot be "
                    "trained on by seed; name its resets, --set 'env.options.resets=[{...}]', or a server that keeps to a seed"
                )
            step = await episode.step({**self.fixed, field_name: sent})
            seconds = time.perf_counter() - started
        if not step.get("done"):
            raise r1sdk.R1Error(
                f"the episodes of {self.url} go on after the first action: it needs several turns, and this environment "
                "takes one reply to a task"
            )
        return self._verdict(step.get("reward"), sent, seconds)

    def gold_reply(self, task: r1sdk.Task) -> None:
        """Return None: a server does not reveal its answers."""

    def summary(self) -> str:
        """Return one line: the server."""
        return f"OpenEnv server {self.url}"

    def _verdict(self, reward: Any, sent: str, seconds: float) -> r1sdk.Verdict:
        if not isinstance(reward, int | float):
            return r1sdk.Verdict(None, "error", seconds=seconds, reason=f"the server gave the reward {reward!r:.50}")
        if not self.reward_min <= reward <= self.reward_max:
            raise r1sdk.R1Error(
                f"{self.url} gave the reward {reward:g}, and env.options.reward_min and reward_max are "
                f"{self.reward_min:g} and {self.reward_max:g}: set them to the server's range"
            )
        value = (reward - self.reward_min) / (self.reward_max - self.reward_min)
        return r1sdk.Verdict(value, extracted=sent[:2048], seconds=seconds, reason=f"reward {reward:g}")

    def _reset(self, number: int) -> dict[str, Any]:
        return dict(self.resets[number]) if self.resets else {"seed": number}

    async def _drawn(self, numbers: range) -> list[list[r1sdk.Message]]:
        from .episode_client import OpenEnvEpisode

        prompts = []
        async with OpenEnvEpisode(self.url, self.sessions, self.timeout_s * len(numbers), self.api_key_env) as episode:
            for number in numbers:
                prompts.append(self._prompt((await episode.reset(self._reset(number)))["observation"]))
        return prompts

    def _prompt(self, observation: Mapping[str, Any]) -> list[r1sdk.Message]:
        shown = {name: value for name, value in observation.items() if name != "metadata"}
        if self.observation:
            if self.observation not in shown:
                raise r1sdk.R1Error(
                    f"{self.url} shows no {self.observation!r} (env.options.observation); it shows {', '.join(shown)}"
                )
            said = shown[self.observation]
        else:
            texts = [value for value in shown.values() if isinstance(value, str) and value.strip()]
            said = texts[0] if len(texts) == 1 else shown
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, sort_keys=True)
        system = self.system if self.system is not None else r1sdk.SYSTEM_PROMPT if self.send == "answer" else ""
        opening = [{"role": "system", "content": system}] if system else []
        return [*opening, {"role": "user", "content": text.strip()}]
