"""For the tests of plugins: a pytest plugin with fixtures, and the functions behind them.

    [tool.pytest.ini_options]
    addopts = ["-p", "r1sdk.testing"]

brings the fixtures `rollout`, `judge`, `play`, `price`, `check_plugin`, and `hostile_reply`, with which a test runs once for each of
the hostile replies.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from .conformance import TIMEOUT_S, Subject, check_plugins, choose
from .conformance.trial_replies import HOSTILE, Finish, attempt, in_format
from .contracts import Environment, takes_group
from .errors import PluginError
from .plugins.registry import load_plugins
from .recipe.key_groups import SessionLimits
from .records import Rollout, Task, Verdict
from .rollout.episode import Episode
from .rollout.loop import play as play_episodes
from .rollout.policies import ScriptedPolicy
from .rollout.sessions import session_of
from .scoring.blocking import run_blocking
from .scoring.score_rollouts import judge as judge_all
from .scoring.score_rollouts import price as price_all

__all__ = [
    "HOSTILE",
    "CheckPlugin",
    "MakeRollout",
    "Play",
    "Price",
    "VerifyReply",
    "assert_conforms",
    "in_format",
    "judge_reply",
    "make_rollout",
    "play_replies",
    "price_rollouts",
]


def make_rollout(
    reply: str = "",
    *,
    verdict: float | Verdict | None = 1.0,
    prompt: str = "What is 2 + 2?",
    answer: str | None = "4",
    info: Mapping[str, Any] | None = None,
    tokens: int | None = None,
    finish: Finish = "stop",
) -> Rollout:
    """A judged rollout. `verdict`: its value, or all of it; None: not judged. `tokens`: how many; None: one for each word."""
    task = Task([{"role": "user", "content": prompt}], answer, dict(info or {}), "made up")
    judged = Verdict(verdict) if isinstance(verdict, float | int) else verdict
    made = attempt(task, reply, judged, finish)
    if tokens is not None:
        made.completion.token_ids[:] = range(tokens)
    return made


def judge_reply(environment: Environment, task: Task, reply: str) -> Verdict:
    """What `environment` makes of `reply`, as in a run: async or isolated, too. Raises: RewardError."""
    (judged,) = run_blocking(judge_all([attempt(task, reply)], environment))
    assert judged.verdict is not None
    return judged.verdict


def play_replies(environment: Environment, task: Task, *replies: str, **limits: Any) -> Rollout:
    """The judged attempt of a model that says `replies` in turn, as in a run; those after its end are not said.

    `limits`: keys of a recipe's `sessions`. Raises: RewardError, and PluginError where the task has a single turn.
    """
    session = session_of(environment, task)
    if session is None:
        raise PluginError(f"{type(environment).__name__} has no session for task {task.id!r}")
    episode = Episode(task, session, SessionLimits(**limits))
    run_blocking(play_episodes([episode], ScriptedPolicy(replies)))
    (judged,) = run_blocking(judge_all([episode.rollout()], environment))
    return judged


def price_rollouts(reward: Any, *rollouts: Rollout) -> list[float | None]:
    """What `reward` pays for `rollouts`, as in a run; for a group reward they are one group. Raises: RewardError."""
    scores = run_blocking(price_all(rollouts, {"it": (reward, 1.0)}, len(rollouts) if takes_group(reward) else 1))
    return [score.rewards["it"] for score in scores]


def assert_conforms(
    kind: str, name: str, *, env: str | None = None, timeout_s: float = TIMEOUT_S, **options: Any
) -> None:
    """What `r1 check NAME` says of an installed plugin, built with `options`. Raises: AssertionError with the report."""
    registry = load_plugins()
    subjects = choose(registry, [name], kind, {name: options})
    source = Subject("environment", env) if env is not None else None
    for report in check_plugins(registry, subjects, source, timeout_s):
        assert report.conforms, f"\n{report}"


class MakeRollout(Protocol):
    """The type of the fixture `rollout`, which is `make_rollout`."""

    def __call__(
        self,
        reply: str = "",
        *,
        verdict: float | Verdict | None = 1.0,
        prompt: str = "What is 2 + 2?",
        answer: str | None = "4",
        info: Mapping[str, Any] | None = None,
        tokens: int | None = None,
        finish: Finish = "stop",
    ) -> Rollout: ...


class VerifyReply(Protocol):
    """The type of the fixture `judge`, which is `judge_reply`."""

    def __call__(self, environment: Environment, task: Task, reply: str) -> Verdict: ...


class Play(Protocol):
    """The type of the fixture `play`, which is `play_replies`."""

    def __call__(self, environment: Environment, task: Task, *replies: str, **limits: Any) -> Rollout: ...


class Price(Protocol):
    """The type of the fixture `price`, which is `price_rollouts`."""

    def __call__(self, reward: Any, *rollouts: Rollout) -> list[float | None]: ...


class CheckPlugin(Protocol):
    """The type of the fixture `check_plugin`, which is `assert_conforms`."""

    def __call__(
        self, kind: str, name: str, *, env: str | None = None, timeout_s: float = TIMEOUT_S, **options: Any
    ) -> None: ...


@pytest.fixture
def rollout() -> MakeRollout:
    """Makes a judged rollout: `rollout("<answer>4</answer>", verdict=0.0)`."""
    return make_rollout


@pytest.fixture
def judge() -> VerifyReply:
    """The verdict of an environment: `judge(environment, task, reply)`."""
    return judge_reply


@pytest.fixture
def play() -> Play:
    """The judged attempt of several turns: `play(environment, task, "<answer>7</answer>", "<answer>9</answer>")`."""
    return play_replies


@pytest.fixture
def price() -> Price:
    """The prices of a reward, async and group rewards too: `price(reward, rollout, another)`."""
    return price_rollouts


@pytest.fixture
def check_plugin() -> CheckPlugin:
    """Fails where `r1 check` does: `check_plugin("reward", "shout", budget=10)`."""
    return assert_conforms


@pytest.fixture(params=list(HOSTILE.values()), ids=list(HOSTILE))
def hostile_reply(request: pytest.FixtureRequest) -> str:
    """A reply that a model under training might find: deep, long, endless, or asking for a reward."""
    return str(request.param)
