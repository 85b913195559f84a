"""Use an environment by its name from another framework's loop: its tasks, and its verdict on a reply."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contracts import Environment
from ..errors import RewardError
from ..planning.build import build_environment
from ..plugins.environment_calls import iterate_method
from ..plugins.loading import load_plugins
from ..records import Completion, Finish, Message, Rollout, Task, Verdict
from ..scoring.score_rollouts import verify


@dataclass(frozen=True)
class EnvironmentJudge:
    """An environment for a training loop other than ours. Verdicts come from the same code as in a run, isolation included."""

    environment: Environment

    def tasks(self, split: str = "train") -> Iterator[Task]:
        """Return the tasks of `split`, in the same order on every call."""
        yield from iterate_method(self.environment, "tasks", split)

    async def verdict(
        self,
        task: Task,
        reply: str | Sequence[Message],
        token_ids: Sequence[int] = (),
        finish: Finish = "stop",
    ) -> Verdict:
        """Return the environment's verdict on `reply`, a text or the messages after the prompt. Raises: RewardError.

        Its value is None if the status says that the reply could not be verified. Do not treat this as 0.0.
        """
        messages = [{"role": "assistant", "content": reply}] if isinstance(reply, str) else list(map(dict, reply))
        (verified,) = await verify([Rollout(task, Completion(messages, list(token_ids), finish))], self.environment)
        if verified.verdict is None:
            raise RewardError(f"no verdict on task {task.id or task.prompt!r:.200}")
        return verified.verdict


def environment(name: str, options: Mapping[str, Any] | None = None) -> EnvironmentJudge:
    """Build the environment that a plugin registered as `name`, with `options`. Raises: R1Error."""
    return EnvironmentJudge(build_environment(load_plugins(), name, options or {}))
