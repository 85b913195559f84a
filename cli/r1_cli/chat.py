"""`r1 chat`: talk to a model, or attempt an environment's tasks by hand or by the model, and see verdict and rewards."""

import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .complete import models
from .options import Backend, Env, Rewards, Seed, Sets
from .ui.lines import echo, tell

if TYPE_CHECKING:
    from r1sdk import Rollout, Score, Task
    from r1sdk.api import ModelChat

TALK = "/new starts over, /quit or Ctrl-D ends"
TRY = "type an answer, or press Enter to let the model answer; /next skips the task, /quit or Ctrl-D ends"
ALONE = "type an answer; /next skips the task, /quit or Ctrl-D ends"


def chat(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A registered model, a folder, a run folder, a hub id. Not needed with --env if you answer yourself.",
            autocompletion=models,
        ),
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    split: Annotated[str, typer.Option(help="With --env: the split that the tasks are from.")] = "test",
    tasks: Annotated[int | None, typer.Option(min=1, help="With --env: end after this many tasks.")] = None,
    system: Annotated[
        str | None,
        typer.Option(help="Without --env: the system message.  [default: think in <think>, answer in <answer>]"),
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Maximum tokens per reply.  [default: 512]")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.  [default: 1.0]")] = None,
    backend: Backend = None,
    seed: Seed = None,
    sets: Sets = None,
) -> None:
    """Talk to a model; with --env attempt tasks by hand, or let the model, and see the verdict and the rewards."""
    from r1sdk import SYSTEM_PROMPT, R1Error
    from r1sdk.api import open_chat

    if model is None and env is None:
        raise R1Error(
            "name a model to talk to, or an environment to try by hand: r1 chat tiny, r1 chat --env countdown"
        )
    if system is not None and env is not None:
        raise R1Error("--system is for a talk without --env: the tasks of an environment bring their own")
    opened = open_chat(
        model,
        env=env,
        rewards=rewards,
        settings=sets or [],
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        backend=backend,
    )
    try:
        if env is None:
            _talk(opened, SYSTEM_PROMPT if system is None else system)
        else:
            _try_tasks(opened, split, tasks, model is not None)
    except EOFError:
        if sys.stdin.isatty():
            echo("", err=True)
    except KeyboardInterrupt:
        echo("", err=True)
        raise typer.Exit(130) from None


def _talk(chat: "ModelChat", system: str) -> None:
    from r1sdk import R1Error
    from r1sdk.report import visible

    tell(TALK, err=True)
    start: list[Any] = [{"role": "system", "content": system}] if system else []
    messages = list(start)
    while (typed := _read("you> ")) != "/quit":
        if typed == "/new":
            messages = list(start)
        elif typed:
            asked = [*messages, {"role": "user", "content": typed}]
            try:
                reply = chat.reply(asked)
            except R1Error as error:
                if len(messages) == len(start):
                    raise
                tell(f"{error}: start over with /new", err=True)
                continue
            messages = [*asked, {"role": "assistant", "content": reply}]
            tell(visible(reply), hang=0)


def _try_tasks(chat: "ModelChat", split: str, most: int | None, has_model: bool) -> None:
    from r1sdk import R1Error

    tell(TRY if has_model else ALONE, err=True)
    number = 0
    for task in islice(chat.tasks(split), most):
        number += 1
        echo(f"\ntask {task.id or number}")
        _show(task.prompt)
        typed = _read("answer> ")
        while not typed and not has_model:
            typed = _read("answer> ")
        if typed == "/quit":
            return
        if typed == "/next":
            continue
        _tell(*(chat.attempt_by_hand(task, _Hand(task, typed)) if typed else chat.attempt(task)), by_hand=bool(typed))
    if not number:
        raise R1Error(f"the environment has no tasks in split {split!r}")


class _Hand:
    """The turns of a person: the first one is typed already, the others are asked for."""

    def __init__(self, task: "Task", first: str) -> None:
        self.seen = len(task.prompt)
        self.first: str | None = first

    def __call__(self, messages: Sequence[Any]) -> str:
        if self.first is not None:
            typed, self.first = self.first, None
        else:
            _show(messages[self.seen + 1 :])
            typed = _read("answer> ")
        self.seen = len(messages)
        return typed


def _tell(rollout: "Rollout", score: "Score", by_hand: bool) -> None:
    """Print the turns that were not seen yet, the verdict with its reason, and each reward."""
    from r1sdk.report import visible

    if not by_hand:
        _show(rollout.completion.messages)
    verdict = rollout.verdict
    if verdict is not None:
        value = "-" if verdict.value is None else f"{verdict.value:.3f}"
        said = f"  {visible(verdict.reason)}" if verdict.reason else ""
        tell(f"verdict  {value} {verdict.status}{said}", hang=9)
    width = max([7, *map(len, score.rewards)])
    for name, reward in score.rewards.items():
        status = score.statuses.get(name)
        why = "" if status is None else f" {status}: {visible(score.reasons.get(name) or 'no reason given')}"
        tell(f"{name:{width}}  {'-' if reward is None else f'{reward:.3f}'}{why}", hang=width + 2)
    echo(f"{'total':{width}}  {score.total:.3f}")


def _show(messages: Sequence[Any]) -> None:
    from r1sdk.report import visible

    for message in messages:
        name = {"assistant": "reply", "user": "", "tool": "tool"}.get(message["role"], message["role"])
        tell(f"{name}: {visible(message['content'] or '')}" if name else visible(message["content"] or ""), hang=0)


def _read(prompt: str) -> str:
    """Return the next line without its end. Raises: EOFError."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        import readline  # noqa: F401 - gives `input` a history and the arrow keys

        return input(prompt).strip()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()
