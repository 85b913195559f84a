"""Tasks in, attempts out: in one go where a task has no session, turn by turn where it has one."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..recipe.key_groups import SessionLimits
from ..records import Message, Rollout, Task
from ..storage.rollout_rows import UnsavedTokens
from .episode import Episode
from .policies import ChatPolicy, Policy, Turn, token_speaker
from .sampling import Generator, Sampling, TokenGenerator
from .sessions import session_of


def attempt_all(
    tasks: Sequence[Task],
    environment: Environment | None,
    generator: Generator,
    sampling: Sampling,
    limits: SessionLimits | None = None,
) -> list[Rollout]:
    """`sampling.samples` attempts at each task, side by side. Shapes: [P] -> [P * samples]. Raises: R1Error."""
    limits = limits or SessionLimits()
    dialogues: dict[int, list[Episode]] = {}  # by place; each attempt has a session of its own
    for at, task in enumerate(tasks if environment is not None else ()):
        assert environment is not None
        sessions = [session_of(environment, task) for _ in range(sampling.samples)]
        if sessions and all(session is not None for session in sessions):
            dialogues[at] = [Episode(task, session, limits) for session in sessions if session is not None]
    single = [at for at in range(len(tasks)) if at not in dialogues]
    found: dict[int, list[Rollout]] = {}
    if single:
        groups = generator.generate([tasks[at].prompt for at in single], sampling)
        for at, group in zip(single, groups, strict=True):
            found[at] = [Rollout(tasks[at], completion) for completion in group]
    if dialogues:
        speaker = speaker_of(generator, sampling)
        play([dialogue for several in dialogues.values() for dialogue in several], speaker)
        for at, several in dialogues.items():
            found[at] = [_finished(dialogue, speaker) for dialogue in several]
    return [rollout for at in range(len(tasks)) for rollout in found[at]]


def speaker_of(generator: Any, sampling: Sampling) -> Policy:
    """Raises: R1Error where `generator` cannot hold a conversation."""
    if isinstance(generator, TokenGenerator):
        return token_speaker(generator, sampling)
    if hasattr(generator, "ask"):
        return ChatPolicy(generator, sampling)
    raise R1Error(f"{type(generator).__name__} answers single prompts only, and this environment has sessions")


def play(dialogues: Sequence[Episode], speaker: Policy) -> None:
    """Each dialogue to its end, those that go on a turn at a time together. Raises: RewardError."""
    speaker.begin(dialogues)
    live = list(dialogues)
    while live:
        said = asyncio.run(_answers(live, speaker.speak(live)))
        going = []
        for dialogue, messages in zip(live, said, strict=True):
            if not messages:
                continue
            if speaker.hear(dialogue, messages):
                dialogue.heard(messages)
                going.append(dialogue)
            else:
                dialogue.end("tokens")
        live = going


async def _answers(dialogues: Sequence[Episode], turns: Sequence[Turn]) -> list[list[Message]]:
    return await asyncio.gather(*(d.take(turn.text, turn.finish) for d, turn in zip(dialogues, turns, strict=True)))


def _finished(dialogue: Episode, speaker: Policy) -> Rollout:
    if isinstance(speaker, ChatPolicy):
        return dialogue.rollout(UnsavedTokens(dialogue.tape.ids))
    return dialogue.rollout()
