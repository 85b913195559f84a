"""The turn loop that training, evaluation, generation and servers share: model and environment alternate until an attempt ends."""

import asyncio
from collections.abc import Sequence

from ..contracts import Environment
from ..errors import R1Error
from ..plugins.guard import plugin_calls
from ..recipe.key_groups import SessionLimits
from ..records import Rollout, Task
from ..scoring.blocking import gather_or_cancel, run_blocking
from ..storage.rollout_rows import UnsavedTokens
from .episode import Episode
from .policies import ChatModel, ChatPolicy, Policy, token_policy
from .sampling import Generator, Sampling, TokenGenerator
from .sessions import session_of


async def play(episodes: Sequence[Episode], policy: Policy) -> None:
    """Play each episode to its end; all live episodes take each turn together. Raises: RewardError."""
    policy.begin(episodes)
    live = list(episodes)
    while live:
        turns = await policy.generate(live)
        spoken = [(episode, turn) for episode, turn in zip(live, turns, strict=True) if turn is not None]
        with plugin_calls():
            answers = await asyncio.gather(*(episode.step(turn.text, turn.finish) for episode, turn in spoken))
        going = []
        for (episode, _), messages in zip(spoken, answers, strict=True):
            if not messages:
                continue
            if policy.observe(episode, messages):
                episode.observe(messages)
                going.append(episode)
            else:
                episode.end("tokens")
        live = going


def attempt_all(
    tasks: Sequence[Task],
    environment: Environment | None,
    generator: Generator | ChatModel,
    sampling: Sampling,
    limits: SessionLimits | None = None,
) -> list[Rollout]:
    """Return `sampling.samples` attempts at each task, those of one task consecutive. Shapes: [P] -> [P * samples].

    Tasks without a session take one turn and are generated as one batch. Raises: R1Error.
    """
    limits = limits or SessionLimits()
    episodes: dict[int, list[Episode]] = {}  # by the task's index; each attempt has its own session
    for at, task in enumerate(tasks if environment is not None else ()):
        assert environment is not None
        with plugin_calls():
            sessions = [session_of(environment, task) for _ in range(sampling.samples)]
        if sessions and all(session is not None for session in sessions):
            episodes[at] = [Episode(task, session, limits) for session in sessions if session is not None]
    single = [at for at in range(len(tasks)) if at not in episodes]
    found: dict[int, list[Rollout]] = {}
    if single:
        assert isinstance(generator, Generator)
        groups = generator.generate([tasks[at].prompt for at in single], sampling)
        for at, group in zip(single, groups, strict=True):
            found[at] = [Rollout(tasks[at], completion) for completion in group]
    if episodes:
        everyone = [episode for several in episodes.values() for episode in several]
        if isinstance(generator, TokenGenerator):
            run_blocking(play(everyone, token_policy(generator, sampling)))
            found |= {at: [episode.rollout() for episode in several] for at, several in episodes.items()}
        elif isinstance(generator, ChatModel):
            run_blocking(_converse(everyone, generator, sampling))
            for at, several in episodes.items():
                found[at] = [episode.rollout(UnsavedTokens(len(episode.trace.ids))) for episode in several]
        else:
            raise R1Error(f"{type(generator).__name__} answers single prompts only, and this environment has sessions")
    return [rollout for at in range(len(tasks)) for rollout in found[at]]


async def _converse(episodes: Sequence[Episode], model: ChatModel, sampling: Sampling) -> None:
    """Play the episodes independently of each other, since a slow request to a server need not delay the others."""
    async with model.connect(sampling) as reply:
        await gather_or_cancel(play([episode], ChatPolicy(reply, sampling.max_tokens)) for episode in episodes)
