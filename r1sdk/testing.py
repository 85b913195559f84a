"""Test helpers for plugin authors: a pytest plugin with fixtures, and the functions behind them.

    [tool.pytest.ini_options]
    addopts = ["-p", "r1sdk.testing"]

provides the fixtures `rollout`, `judge`, `play`, `price` and `check_plugin`, and `hostile_reply`, which runs a test once for
each hostile reply.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from .conformance import TIMEOUT_S, Subject, check_plugins, choose
from .conformance.trial_replies import HOSTILE, attempt, in_format
from .contracts import Environment, Verifier, takes_group
from .errors import PluginError
from .plugins.loading import load_plugins
from .recipe.key_groups import SessionLimits
from .records import Finish, Rollout, Task, Verdict
from .rollout.episode import Episode
from .rollout.loop import play as play_episodes
from .rollout.policies import ScriptedPolicy
from .rollout.sessions import session_of
from .scoring.blocking import run_blocking
from .scoring.score_rollouts import score_rewards, verify
from .scoring.verification import VerifierAlone

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
    """Return a verified rollout.

    `verdict`: its value, or a whole Verdict; None: not verified. `tokens`: their number; None: one for each word.
    """
    task = Task([{"role": "user", "content": prompt}], answer, dict(info or {}), "made up")
    whole = Verdict(verdict) if isinstance(verdict, float | int) else verdict
    made = attempt(task, reply, whole, finish)
    if tokens is not None:
        made.completion.token_ids[:] = range(tokens)
    return made


def judge_reply(verifies: Environment | Verifier, task: Task, reply: str) -> Verdict:
    """Return the verdict of an environment, or of a verifier alone, on `reply`, as in a run, also if it is async or isolated.

    Raises: RewardError.
    """
    environment = VerifierAlone(verifies) if isinstance(verifies, Verifier) else verifies
    (verified,) = run_blocking(verify([attempt(task, reply)], environment))
    assert verified.verdict is not None
    return verified.verdict


def play_replies(environment: Environment, task: Task, *replies: str, **limits: Any) -> Rollout:
    """Return the verified attempt of a model that replies with `replies` in turn, as in a run.

    Replies after the end of the session are not used. `limits`: keys of a recipe's `sessions`. Raises: RewardError, and
    PluginError if the task has a single turn.
    """
    session = session_of(environment, task)
    if session is None:
        raise PluginError(f"{type(environment).__name__} has no session for task {task.id!r}")
    episode = Episode(task, session, SessionLimits(**limits))
    run_blocking(play_episodes([episode], ScriptedPolicy(replies)))
    (verified,) = run_blocking(verify([episode.rollout()], environment))
    return verified


def price_rollouts(reward: Any, *rollouts: Rollout) -> list[float | None]:
    """Return the rewards of `rollouts`, as in a run; a group reward gets them as one group. Raises: RewardError."""
    size = len(rollouts) if takes_group(reward) else 1
    scores = run_blocking(score_rewards(rollouts, {"it": (reward, 1.0)}, size))
    return [score.rewards["it"] for score in scores]


def assert_conforms(
    kind: str, name: str, *, env: str | None = None, timeout_s: float = TIMEOUT_S, **options: Any
) -> None:
    """Run `r1 check NAME` on an installed plugin, built with `options`. Raises: AssertionError with the report."""
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

    def __call__(self, verifies: Environment | Verifier, task: Task, reply: str) -> Verdict: ...


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
    """Make a verified rollout: `rollout("<answer>4</answer>", verdict=0.0)`."""
    return make_rollout


@pytest.fixture
def judge() -> VerifyReply:
    """Return the verdict of an environment or a verifier: `judge(environment, task, reply)`."""
    return judge_reply


@pytest.fixture
def play() -> Play:
    """Return the verified attempt of several turns: `play(environment, task, "<answer>7</answer>", "<answer>9</answer>")`."""
    return play_replies


@pytest.fixture
def price() -> Price:
    """Return the rewards of some rollouts, for async and group rewards too: `price(reward, rollout, another)`."""
    return price_rollouts


@pytest.fixture
def check_plugin() -> CheckPlugin:
    """Fail where `r1 check` fails: `check_plugin("reward", "shout", budget=10)`."""
    return assert_conforms


@pytest.fixture(params=list(HOSTILE.values()), ids=list(HOSTILE))
def hostile_reply(request: pytest.FixtureRequest) -> str:
    """Return a reply that a model under training might produce: deep, long, endless, or asking for a reward."""
    return str(request.param)
