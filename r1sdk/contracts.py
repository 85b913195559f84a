"""The protocols that plugins implement. A plugin need not inherit from anything here."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from .records import Completion, RewardGroup, Rollout, Submission, Task, TurnReward, Verdict


class Reward(Protocol):
    """A reward function: it scores one verified rollout.

    Register a function, or a frozen dataclass whose fields are the reward's options. Returns a number, or
    None if the reward does not apply to this rollout. May be `async`; the rewards of a batch run concurrently. An exception
    stops the run, because it is a bug and never a reward of 0.0.
    """

    def __call__(self, rollout: Rollout, /) -> float | None | Awaitable[float | None]: ...


class GroupReward(Protocol):
    """A reward that scores all completions of one prompt together. Mark the function or class with `@r1sdk.group_reward`."""

    def __call__(
        self, rollouts: Sequence[Rollout], /
    ) -> Sequence[float | None] | Awaitable[Sequence[float | None]]: ...


Marked = TypeVar("Marked", bound=Callable[..., Any])


def group_reward(reward: Marked) -> Marked:
    """Mark `reward` as a group reward: it takes the rollouts of one prompt, [G], and returns as many numbers."""
    reward.takes_group = True  # type: ignore[attr-defined]
    return reward


def takes_group(reward: Any) -> bool:
    """True if `reward` is marked with `group_reward`."""
    return bool(getattr(reward, "takes_group", False))


class Advantage(Protocol):
    """An advantage estimator: it turns the rewards of one group into the numbers that weigh the rollouts in the loss.

    Register a function, or a frozen dataclass whose fields are its options. The group holds only rollouts that could be
    scored. Returns one finite number for each of them, [G], or, if it is marked with `@r1sdk.advantage(per_token=True)`, one
    for each of their tokens, [G][T] (`RewardedRollout.spread` makes them from one for each turn).

    An optional attribute `reads` names the rewards that it looks up with `RewardGroup.column`; a run without one of them is
    refused before a model is loaded.
    """

    def __call__(self, group: RewardGroup, /) -> Sequence[float] | Sequence[Sequence[float]]: ...


class BatchAdvantage(Protocol):
    """An advantage estimator that compares the groups of a whole batch. Mark it with `@r1sdk.advantage(over_batch=True)`.

    Returns for each group what an `Advantage` returns.
    """

    def __call__(
        self, groups: Sequence[RewardGroup], /
    ) -> Sequence[Sequence[float]] | Sequence[Sequence[Sequence[float]]]: ...


def advantage(*, per_token: bool = False, over_batch: bool = False) -> Callable[[Marked], Marked]:
    """Mark an advantage estimator that returns one number for each token, or that takes all groups of a batch at once."""

    def mark(estimator: Marked) -> Marked:
        estimator.per_token, estimator.over_batch = per_token, over_batch  # type: ignore[attr-defined]
        return estimator

    return mark


def is_per_token(estimator: Any) -> bool:
    """True if `estimator` is marked as one that returns a number for each token."""
    return bool(getattr(estimator, "per_token", False))


def is_over_batch(estimator: Any) -> bool:
    """True if `estimator` is marked as one that takes all groups of a batch at once."""
    return bool(getattr(estimator, "over_batch", False))


FROM_RECIPE = "r1sdk.from_recipe"  # metadata key of a field, set by `from_recipe`


def from_recipe(key: str) -> Any:
    """Declare an option of a reward or an advantage that defaults to a recipe key, for example the run's own token limit:

        max_tokens: int | None = r1sdk.from_recipe("generation.max_tokens")

    If the option is missing or None, it is filled in before the plugin is built for a run. A plugin that is built without
    a recipe gets None and should refuse it.
    """
    return field(default=None, metadata={FROM_RECIPE: key})


@runtime_checkable
class Environment(Protocol):
    """A source of tasks that also verifies attempts at them. Register the class; its fields are its options.

    Three optional methods serve every run. `summary() -> str` returns one line that describes the tasks; it is printed at the
    start. `gold_reply(task) -> str | None` returns a reply with the task's gold answer. Before training each gold reply must
    earn 1.0, so that no task is trained on that cannot be verified. Without the method the task's `answer` in the reply
    format is tried; None means that there is nothing to check. `wrong_replies(task)` yields replies close to the right one
    that must earn less than 1.0; the same check tries some of them.

    Three more serve work on data. `rows(split)` returns each task with its problem, which is the prompt without added
    instructions, and its source row. `faults(split)` returns the fault of each row that makes no task. `sampling` holds the
    sampling parameters that reports of this benchmark use, as keys of a recipe's `evaluation`; `r1 eval` uses them unless
    you set others.
    """

    def tasks(self, split: str) -> Iterable[Task]:
        """Return the tasks of `split` ("train" or "test"), in the same order on every call. No task is in both splits."""
        ...

    def verify(self, rollout: Rollout) -> float | None | Verdict | Awaitable[float | None | Verdict]:
        """Return the correctness of the attempt, in [0, 1]; None if the task cannot be verified; or a whole `Verdict`."""
        ...


@runtime_checkable
class Demonstrator(Protocol):
    """An environment that can also demonstrate solutions to its tasks, for SFT."""

    def demonstrations(self, split: str) -> Iterable[tuple[Task, Completion]]:
        """Return tasks of `split`, each with one solution in the reply format; the same ones on every call."""
        ...


@runtime_checkable
class Session(Protocol):
    """The environment's side of one attempt at one task: it answers the model between its turns. `session(task)` makes it.

    A session may have `tools`, a sequence of functions that the model may call (see `r1sdk.describe_tools`), and
    `outcome() -> dict`, JSON-safe, which is called once at the end and saved in `rollout.session.outcome` for `verify`.
    """

    def answer(self, reply: str, /) -> str | TurnReward | None | Awaitable[str | TurnReward | None]:
        """Return the answer to a turn of the model that calls no tool, or None to end the attempt.

        A `TurnReward` around the answer gives this turn a reward; so does one that a tool returns around its result.

        May be `async`. An exception stops the run, like one in `verify`; `Unavailable` leaves only this attempt unverified.
        """
        ...


@runtime_checkable
class Interactive(Protocol):
    """An environment whose tasks are attempted over several turns.

    The model knows only the task's prompt before its first turn. `verify` decides from the messages of the completion and
    from `rollout.session`, because the session itself no longer exists by then.
    """

    def session(self, task: Task) -> Session | None:
        """Return a session for one attempt at `task`, independent of all others, or None if this task has a single turn."""
        ...


@dataclass(frozen=True, slots=True)
class ToolSession:
    """A session with tools only. It ends with the first turn that calls no tool."""

    tools: Sequence[Callable[..., Any]]  # functions that the model may call by name

    def answer(self, reply: str, /) -> None:
        """Return None: a turn without a call is the last one."""


ExecutionStatus = Literal["ok", "failed", "timeout", "memory", "output"]
"""The ways a program can end; `Execution` explains each."""


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """The limits of one execution of a program. Exceeding one fails the request or ends the program."""

    timeout_s: float = 5.0  # of wall-clock time
    memory_bytes: int = 512 << 20  # for the program, without its interpreter
    output_bytes: int = 1 << 20  # for each of stdout, stderr and every file
    disk_bytes: int = 16 << 20  # for all files together

    def __post_init__(self) -> None:
        for name in ("timeout_s", "memory_bytes", "output_bytes", "disk_bytes"):
            if not 0 < getattr(self, name) <= 1 << 40:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of one run of a program: its status and its output.

    `ok`: exit code 0. `failed`: an exception, another exit code or a signal. `timeout`, `memory`, `output`: it exceeded that
    limit (`output`: on printed text or file sizes) and was stopped.
    """

    status: ExecutionStatus
    stdout: str = ""  # truncated at the limit; invalid UTF-8 is replaced
    stderr: str = ""  # likewise
    exit_code: int | None = None  # None: it was stopped; -9: by signal 9
    seconds: float = 0.0  # of wall-clock time


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One thing that a program in a sandbox must not be able to do, and the result of testing it on this machine."""

    name: str  # "network", "files"
    holds: bool  # on this machine, now
    how: str  # the test and its result, in one line


@runtime_checkable
class Sandbox(Protocol):
    """A place to run model-written code. Register a frozen dataclass whose fields are its options.

    The code is hostile. Data that reveals the right answer (expected outputs, other test cases) is never passed to `run`:
    the caller compares the results. A sandbox may also have `languages() -> Mapping[str, str]`, which returns each
    language with the program that runs it, or with the reason why it is not available; `r1 sandbox` prints it.
    """

    async def run(
        self,
        code: str,
        stdins: Sequence[str],
        *,
        limits: ExecutionLimits = ExecutionLimits(),
        language: str = "python",
    ) -> Sequence[Execution]:
        """Run `code` on each of `stdins` and return the executions in order, each from a fresh state with its own limits.

        Must work from several threads, and from one event loop after another. Raises: Unavailable if the sandbox itself
        fails, R1Error for an unknown language.
        """
        ...

    def check(self, language: str = "python") -> Sequence[Guarantee]:
        """Test the guarantees on this machine. Raises: R1Error, with a remedy, if no program can be run at all.

        Called before training, once for each option that is a sandbox.
        """
        ...


SANDBOX = "r1sdk.sandbox"  # metadata key of a field, set by `sandbox_option`
SANDBOX_NEEDED = "r1sdk.sandbox.needed"


def sandbox_option(name: str = "local", needed: Callable[[Mapping[str, Any]], bool] | None = None) -> Any:
    """Declare an option that is a sandbox. A recipe names it, with or without options; the default is `name`:

        sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option()

        env: {name: code, options: {sandbox: {name: local, options: {workers: 4}}}}

    The sandbox is built and checked before the plugin. A plugin that you build without a registry takes the sandbox itself.
    `needed` gets all options, defaults included; if it returns False and the recipe names no sandbox, none is built.
    """
    return field(default=None, metadata={SANDBOX: name, SANDBOX_NEEDED: needed})


@dataclass(frozen=True, slots=True)
class Part:
    """One of several environments, with its name among them."""

    name: str  # as in the recipe
    weight: float  # its share of the tasks, relative to the others
    environment: Environment


ENVIRONMENTS = "r1sdk.environments"  # metadata key of a field, set by `environments_option`


def environments_option() -> Any:
    """Declare an option that is several environments, of type `tuple[r1sdk.Part, ...]`. A recipe lists them:

        parts: tuple[r1sdk.Part, ...] = r1sdk.environments_option()

        env: {name: mixture, options: {parts: [countdown, {name: maths, weight: 2, options: {level: 1}}]}}

    `as` gives one of them another name. They are built and checked before the plugin. A plugin that you build without a
    registry takes the parts themselves.
    """
    return field(default=(), metadata={ENVIRONMENTS: True})


@runtime_checkable
class Composite(Protocol):
    """An environment made of others. Scoring asks it for a task's part, and that part verifies the attempt."""

    def part_of(self, task: Task) -> Environment:
        """Return the environment that verifies `task`. Its own isolation applies."""
        ...


@runtime_checkable
class Verifier(Protocol):
    """A comparison of replies with the gold answers of tasks. Register a frozen dataclass whose fields are its options.

    An environment names a verifier in an option (see `verifier_option`) and calls it with `verify_with`, which reads the
    gold answer of a task once for all replies, and turns `Unverifiable` into a verdict with that status.

    Four optional extensions have their own protocols: `ShowsGold`, `HasVariants`, `HasExamples`, and `PosesRows` with
    `ChecksRows` for verifiers that read more columns of a table than the answer.
    """

    def read_gold(self, task: Task, /) -> Any:
        """Return the gold answer of `task` in the form that `verify` compares with, read from its `answer` and `info`.

        Called once per task; the result is cached for a while and must not be changed. Raises: Unverifiable, with the
        reason, if the task has no gold answer or it cannot be read. Any other exception is a bug and stops the run.
        """
        ...

    def verify(self, gold: Any, reply: Submission, /) -> Verdict | Awaitable[Verdict]:
        """Return the verdict on `reply`. `gold` is the result of `read_gold` for its task. May be `async`.

        The reply is hostile: parse it, never evaluate it, and bound the time and memory it can take. A reply without an
        answer is wrong, with the value 0.0. Raises: Unavailable if a service does not respond (status `error`),
        Unverifiable if only the comparison reveals that the gold answer cannot be verified.
        """
        ...


@runtime_checkable
class ShowsGold(Protocol):
    """A verifier that can write its gold answers as replies, for tasks whose `answer` in the reply format is not right."""

    def gold_reply(self, task: Task, /) -> str | None:
        """Return the reply that must earn 1.0 on `task`, or None if there is nothing to check."""
        ...


@runtime_checkable
class HasVariants(Protocol):
    """A verifier that can alter a gold answer, so that a misread gold answer is found before it rewards wrong replies."""

    def variants(self, gold: Any, /) -> Iterable[str]:
        """Return wrong answers close to `gold`, a result of `read_gold`. In the reply format each must earn less than 1.0."""
        ...


@runtime_checkable
class HasExamples(Protocol):
    """A verifier with its own examples, so that `r1 check` can try it without an environment."""

    def examples(self) -> Iterable[tuple[Task, str]]:
        """Return tasks, each with a reply that must earn 1.0."""
        ...


class RowView(Protocol):
    """A row of a table, as a verifier sees it. The roles of columns are prompt, answer, choices, tests, solution, category."""

    @property
    def problem(self) -> str:
        """The problem as text, without added instructions."""
        ...

    @property
    def row(self) -> Mapping[str, Any]:
        """All columns, by their names in the data."""
        ...

    def get(self, role: str, /) -> Any:
        """Return the value of the column with this role. Raises: R1Error, naming the columns of the row."""
        ...

    def find(self, role: str, /) -> Any:
        """Return the value of the column with this role, or None if no column has it and none was named for it."""
        ...


@dataclass(frozen=True, slots=True)
class Posed:
    """A row turned into a task by a verifier: text to add below its problem, and the task's gold answer and info."""

    added: str = ""  # text below the problem in the prompt
    answer: str | None = None  # the gold answer
    info: Mapping[str, Any] = field(default_factory=dict)  # JSON-safe


@runtime_checkable
class PosesRows(Protocol):
    """A verifier that uses more of a row than its answer column: lettered options, tests, a list of right answers."""

    reads: ClassVar[Sequence[str]]  # roles of the columns it reads; printed at the start of a run

    def pose(self, row: RowView, /) -> Posed:
        """Return the parts of the task that `row` makes. Raises: R1Error, with the reason, if it makes no task."""
        ...


@runtime_checkable
class ChecksRows(Protocol):
    """A verifier that can find out before the first task that it cannot verify some rows, for example without a compiler."""

    def check_rows(self, rows: Iterable[RowView], /) -> None:
        """Check all rows of a split. `rows` is empty if the environment knows that they need no check.

        Raises: R1Error, naming everything that is missing.
        """
        ...


VERIFIER = "r1sdk.verifier"  # metadata key of a field, set by `verifier_option`
VERIFIER_SHARES = "r1sdk.verifier.shares"


def verifier_option(default: str | Mapping[str, Any], shares: Sequence[str] = ()) -> Any:
    """Declare an option that is a verifier. A recipe names it, with or without options; the default is `default`:

        verifier: r1sdk.Verifier | None = r1sdk.verifier_option("maths")

        env: {name: file, options: {source: mine.jsonl, verifier: {name: choice, options: {shuffle: true}}}}

    Any registered verifier may be named. It is built and checked before the plugin. `shares` names options of the plugin,
    such as `timeout_s` or `sandbox`, whose values the verifier also gets if it has an option of that name and the recipe
    does not set it.

    If you build the plugin without a registry, for example in a notebook, you can pass the verifier itself
    (`File("mine.jsonl", verifier=r1_verifiers.ChoiceVerifier())`), the name of an installed one, or None for the default.
    `r1sdk.verifier_of(self)` returns the verifier in each case.
    """
    return field(default=None, metadata={VERIFIER: default, VERIFIER_SHARES: tuple(shares)})
