"""What a plugin writes against. Protocols only: nothing here has to be inherited."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from .records import Completion, Rollout, Submission, Task, Verdict


class Reward(Protocol):
    """Prices one judged rollout. Register a function, or a frozen dataclass whose fields are the reward's options.

    Returns a number, or None where the reward does not apply to this rollout. May be `async`; the rewards of a batch
    run concurrently. An exception stops the run: it is a bug, never a price of 0.0.
    """

    def __call__(self, rollout: Rollout, /) -> float | None | Awaitable[float | None]: ...


class GroupReward(Protocol):
    """Prices all the completions of one prompt together. Mark the function or class with `@r1sdk.group_reward`."""

    def __call__(
        self, rollouts: Sequence[Rollout], /
    ) -> Sequence[float | None] | Awaitable[Sequence[float | None]]: ...


Marked = TypeVar("Marked", bound=Callable[..., Any])


def group_reward(reward: Marked) -> Marked:
    """Declare that `reward` takes the rollouts of one prompt, [G], and returns as many prices."""
    reward.takes_group = True  # type: ignore[attr-defined]
    return reward


def takes_group(reward: Any) -> bool:
    """Whether `reward` was marked with `group_reward`."""
    return bool(getattr(reward, "takes_group", False))


FROM_RECIPE = "r1sdk.from_recipe"  # the key of a field's metadata that `from_recipe` sets


def from_recipe(key: str) -> Any:
    """Declare an option of a reward that, left out or None, takes the value of a recipe key, e.g. the run's own limit:

        max_tokens: int | None = r1sdk.from_recipe("generation.max_tokens")

    The value is filled in before the reward is built for a run. A reward that is built without a recipe sees None, and
    should refuse it.
    """
    return field(default=None, metadata={FROM_RECIPE: key})


@runtime_checkable
class Environment(Protocol):
    """A source of tasks, and the judge of attempts at them. Register the class; its fields are its options.

    An environment may also have `summary() -> str`, one line that says which tasks these are; it is printed at the
    start of a run. And `gold_reply(task) -> str | None`, a reply that gives the task's gold answer: before training each one
    must earn 1.0, so that no task is trained on which nobody can judge. Without it the task's `answer` in the reply format
    is tried; None means that there is nothing to check.

    Three more are for those who work with data. `rows(split)`: each task with its problem as it is without what the prompt
    adds, and the row that it came from. `faults(split)`: what is wrong with each row that makes no task. `sampling`: what reports
    of this benchmark sample with, as keys of a recipe's `evaluation`; `r1 eval` takes them where nothing else is said.
    """

    def tasks(self, split: str) -> Iterable[Task]:
        """The tasks of `split` ("train" or "test"): the same ones in the same order on every call, none in both."""
        ...

    def verify(self, rollout: Rollout) -> float | None | Verdict | Awaitable[float | None | Verdict]:
        """How right the attempt is, in [0, 1]; None if this task cannot be judged; or a whole `Verdict`."""
        ...


@runtime_checkable
class Demonstrator(Protocol):
    """An environment that can also show how its tasks are worked, for SFT."""

    def demonstrations(self, split: str) -> Iterable[tuple[Task, Completion]]:
        """Tasks of `split`, each with one worked completion in the reply format. Same ones on every call."""
        ...


@runtime_checkable
class Session(Protocol):
    """What answers the model between its turns, for one attempt at one task. An environment makes it: `session(task)`.

    A session may have `tools`, a sequence of functions that the model may call (see `r1sdk.describe_tools`), and
    `outcome() -> dict`, JSON-safe, asked once at the end and kept in `rollout.session.outcome` for the judge.
    """

    def answer(self, reply: str, /) -> str | None | Awaitable[str | None]:
        """What the environment says to a turn of the model that calls no tool; None: the attempt is over.

        May be `async`. An exception stops the run, as one of a judge does; `Unavailable` makes this one attempt unjudged.
        """
        ...


@runtime_checkable
class Interactive(Protocol):
    """An environment whose tasks are attempted over several turns.

    The prompt of a task is all that the model is told before its first turn. The verdict comes from `verify` as always: from
    the messages of the completion and from `rollout.session`, for the session itself is gone by then.
    """

    def session(self, task: Task) -> Session | None:
        """A new session for one attempt at `task`, independent of every other; None: this task has a single turn."""
        ...


@dataclass(frozen=True, slots=True)
class ToolSession:
    """The session of an attempt that has tools and nothing else: it is over with the first turn that calls none."""

    tools: Sequence[Callable[..., Any]]  # functions that the model may call, by their names

    def answer(self, reply: str, /) -> None:
        """Nothing: a turn without a call is the last."""


ExecutionStatus = Literal["ok", "failed", "timeout", "memory", "output"]
"""How a program ended; `Execution` says what each means."""


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """What one execution of a program may use. What it wants beyond is refused it, or ends it."""

    timeout_s: float = 5.0  # of wall-clock time
    memory_bytes: int = 512 << 20  # of the program's own, beside its interpreter
    output_bytes: int = 1 << 20  # of each: stdout, stderr, one file
    disk_bytes: int = 16 << 20  # of all its files together

    def __post_init__(self) -> None:
        for name in ("timeout_s", "memory_bytes", "output_bytes", "disk_bytes"):
            if not 0 < getattr(self, name) <= 1 << 40:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Execution:
    """How one run of a program ended, and what it printed.

    `ok`: exit code 0. `failed`: an exception, another exit code or a signal. `timeout`, `memory`, `output`: it went beyond
    that limit (`output`: of what it may print or write to files) and was ended.
    """

    status: ExecutionStatus
    stdout: str = ""  # what is no UTF-8 is replaced; cut at the limit
    stderr: str = ""  # likewise
    exit_code: int | None = None  # None: it was ended; -9: by signal 9
    seconds: float = 0.0  # of wall-clock time


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing that a program in a sandbox cannot do, and whether that holds on this machine."""

    name: str  # "network", "files"
    holds: bool  # on this machine, now
    how: str  # what was tried and what came of it, in one line


@runtime_checkable
class Sandbox(Protocol):
    """Somewhere to run code that a model wrote. Register a frozen dataclass whose fields are its options.

    The code is hostile. What would tell it the right answer (expected outputs, other cases) is never given to `run`: the
    caller compares what comes back. A sandbox may also have `languages() -> Mapping[str, str]`, the languages by name with
    what runs them, or why it is not there; `r1 sandbox` prints it.
    """

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: ExecutionLimits = ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[Execution]:
        """The execution of `code` on each of `stdins`, in order. Each begins in fresh state and has limits of its own.

        May be called from several threads, and in one event loop after another. Raises: Unavailable where the sandbox
        itself fails, R1Error for a language that it does not have.
        """
        ...

    def check(self, language: str = "python") -> Sequence[Guarantee]:
        """What holds here, by trying. Raises: R1Error that says what to do where programs cannot be run at all.

        Called before training, once for each place that asks for a sandbox.
        """
        ...


SANDBOX = "r1sdk.sandbox"  # the key of a field's metadata that `sandbox_option` sets
SANDBOX_NEEDED = "r1sdk.sandbox.needed"


def sandbox_option(name: str = "local", needed: Callable[[Mapping[str, Any]], bool] | None = None) -> Any:
    """Declare an option that is a sandbox. A recipe names it, with options or without; left out, it is `name`:

        sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option()

        env: {name: code, options: {sandbox: {name: local, options: {workers: 4}}}}

    It is built and checked before the plugin is. One that is built without a registry gets the sandbox itself. `needed` is
    given all the options, defaults included; where it says no, and no sandbox is named, none is built.
    """
    return field(default=None, metadata={SANDBOX: name, SANDBOX_NEEDED: needed})


@dataclass(frozen=True, slots=True)
class Part:
    """One environment of several, by the name it goes by among them."""

    name: str  # as the recipe names it
    weight: float  # its share of the tasks, relative to the others
    environment: Environment


ENVIRONMENTS = "r1sdk.environments"  # the key of a field's metadata that `environments_option` sets


def environments_option() -> Any:
    """Declare an option that is several environments, of the type `tuple[r1sdk.Part, ...]`. A recipe lists them:

        parts: tuple[r1sdk.Part, ...] = r1sdk.environments_option()

        env: {name: mixture, options: {parts: [countdown, {name: maths, weight: 2, options: {level: 1}}]}}

    `as` gives one of them another name. They are built and checked before the plugin is. One that is built without a registry
    gets the parts themselves.
    """
    return field(default=(), metadata={ENVIRONMENTS: True})


@runtime_checkable
class Composite(Protocol):
    """An environment made of others. The parts judge: scoring asks the composite which part a task is of."""

    def part_of(self, task: Task) -> Environment:
        """The environment that judges `task`, isolated as that one asks."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """Compares replies with the gold answers of tasks. Register a frozen dataclass whose fields are its options.

    An environment names a verifier by an option (see `verifier_option`) and calls it by `verify_with`, which reads the gold
    answer of a task once for all replies to it, and turns `Unverifiable` into a verdict with that status.

    Four optional methods have protocols of their own: `ShowsGold`, `HasVariants`, `HasExamples`, and, for verifiers that
    read more columns of a table than the answer, `PosesRows` with `ChecksRows`.
    """

    def read_gold(self, task: Task, /) -> Any:
        """Return the gold answer of `task` in the form that `verify` compares with, from its `answer` and `info`.

        Called once for each task; the result is kept for a while and must not be changed. Raises: Unverifiable, with the
        reason, where the task has no gold answer or it cannot be read. Any other exception is a bug and stops the run.
        """
        ...

    def verify(self, gold: Any, reply: Submission, /) -> Verdict | Awaitable[Verdict]:
        """Return the verdict on `reply`; `gold` is what `read_gold` returned for its task. May be `async`.

        The reply is hostile: parse it, never evaluate it, and bound the time and memory that it can take. A reply without
        an answer is wrong, with the value 0.0. Raises: Unavailable where a service does not respond (status `error`),
        Unverifiable where only the comparison shows that the gold answer cannot be verified.
        """
        ...


@runtime_checkable
class ShowsGold(Protocol):
    """A verifier that knows how its gold answers are written in a reply, where that is not the `answer` of the task."""

    def gold_reply(self, task: Task, /) -> str | None:
        """Return the reply that must earn 1.0 on `task`; None where there is nothing to check."""
        ...


@runtime_checkable
class HasVariants(Protocol):
    """A verifier that can change a gold answer, for the check that a misread gold answer pays nobody."""

    def variants(self, gold: Any, /) -> Iterable[str]:
        """Return wrong answers close to `gold`, which `read_gold` returned: each, in the reply format, must earn less than 1.0."""
        ...


@runtime_checkable
class HasExamples(Protocol):
    """A verifier that `r1 check` can try without an environment, though its tasks are not a question with a short answer."""

    def examples(self) -> Iterable[tuple[Task, str]]:
        """Return tasks, each with a reply that must earn 1.0."""
        ...


class RowView(Protocol):
    """A row of a table, as a verifier sees it. Roles are prompt, answer, choices, tests, solution and category."""

    @property
    def problem(self) -> str:
        """The problem in words, without what the prompt adds to it."""
        ...

    @property
    def row(self) -> Mapping[str, Any]:
        """All columns by their names in the data."""
        ...

    def get(self, role: str, /) -> Any:
        """Return the value of the column that has this role. Raises: R1Error that names the columns of the row."""
        ...

    def find(self, role: str, /) -> Any:
        """Return the value of the column that has this role; None where no column has it and none was named for it."""
        ...


@dataclass(frozen=True, slots=True)
class Posed:
    """A row as a verifier poses it: the words below its problem, and the gold answer and info of its task."""

    added: str = ""  # stands below the problem in the prompt
    answer: str | None = None  # the gold answer
    info: Mapping[str, Any] = field(default_factory=dict)  # JSON-safe


@runtime_checkable
class PosesRows(Protocol):
    """A verifier that makes more of a row than its answer column: lettered options, tests, a list of right answers."""

    reads: ClassVar[Sequence[str]]  # the roles of the columns that it reads; printed at the start of a run

    def pose(self, row: RowView, /) -> Posed:
        """Return how `row` is posed. Raises: R1Error, with the reason, where the row makes no task."""
        ...


@runtime_checkable
class ChecksRows(Protocol):
    """A verifier that can find out before the first task that it cannot verify some rows, as for want of a compiler."""

    def check_rows(self, rows: Iterable[RowView], /) -> None:
        """Look through all rows of a split. None at all are given where the environment knows that they need no look.

        Raises: R1Error that names everything that is missing.
        """
        ...


VERIFIER = "r1sdk.verifier"  # the key of a field's metadata that `verifier_option` sets
VERIFIER_SHARES = "r1sdk.verifier.shares"


def verifier_option(default: str | Mapping[str, Any], shares: Sequence[str] = ()) -> Any:
    """Declare an option that is a verifier. A recipe names it, with options or without; left out, it is `default`:

        verifier: r1sdk.Verifier | None = r1sdk.verifier_option("maths")

        env: {name: file, options: {source: mine.jsonl, verifier: {name: choice, options: {shuffle: true}}}}

    The name is that of any registered verifier. It is built and checked before the plugin is. `shares` names options of the
    plugin, such as `timeout_s` or `sandbox`, whose values go to the verifier too, where it has an option of that name and
    the recipe gives it no other value.

    A plugin that is built without a registry, as in a notebook, may be given the verifier itself
    (`File("mine.jsonl", verifier=r1_verifiers.ChoiceVerifier())`), the name of an installed one, or None for the default.
    `r1sdk.verifier_of(self)` returns the verifier in all these cases.
    """
    return field(default=None, metadata={VERIFIER: default, VERIFIER_SHARES: tuple(shares)})
