"""The environment of a table: its rows as tasks, judged by a verifier that is chosen by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import r1sdk
from r1_verifiers import cell_text

from ..table_io import Origin, Row, read_each, read_rows, test_split_in
from .columns import Columns, TableRow
from .conditions import Condition, read_condition
from .prompts import as_messages, filled, template_faults
from .splits import Splits


def _only_if_named(options: Mapping[str, Any]) -> bool:
    """A verifier that runs programs uses the sandbox named here, unless it names its own."""
    return False


TEST_SHARE = 0.1


class Read(NamedTuple):
    """One row and the task that it makes."""

    task: r1sdk.Task
    problem: str  # the problem alone, without additions of the prompt
    row: Row  # as it was read


@dataclass(frozen=True)
class Table:
    """Tasks from the rows of a file, a folder or a data set on the Hub. The base of `file`, `hub` and every named data set."""

    source: str = ""  # JSON, CSV, parquet or Arrow, a folder in the layout of a data set, or OWNER/NAME on the Hub
    config: str | None = None  # of a data set
    revision: str | None = None  # of a data set on the Hub
    files: str | None = None  # of a data set: only the files of this pattern, as they stand
    train_split: str | None = "train"  # of a data set: where training tasks come from; None: it is for evaluation only
    test_split: str | None = None  # of a data set; None: a folder's file named test, validation or dev, else test_share
    test_source: str | None = None  # where the test tasks come from, if not from `source`
    test_share: float | None = (
        None  # of the problems, by their words: a problem belongs to one split for ever; None: 0.1
    )
    prompt_column: str | None = (
        None  # None: the first that is there of problem, question, prompt, description, text, messages
    )
    answer_column: str | None = (
        None  # answer, final_answer, solution, expected_answer, ground_truth, reward_model.ground_truth
    )
    choices_column: str | None = None  # choices, options
    tests_column: str | None = None  # tests, test_list, verification_info, test_cases and more: docs/code.md
    solution_column: str | None = None  # a program that passes: solution, code, gold_standard_solution and more
    category_column: str | None = None  # for tables by category: category, subject, topic
    keep: tuple[str, ...] = ()  # columns that go into each task's info
    where: tuple[str, ...] = ()  # conditions on columns, as `level >= 4`; all must hold
    system: str = r1sdk.SYSTEM_PROMPT  # empty: none
    template: str = "{prompt}"  # of the question; {COLUMN} is any column
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option("maths", shares=("sandbox",))  # any registered one
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option(needed=_only_if_named)  # None: the verifier's, if it has one
    _verifier: r1sdk.Verifier = field(init=False, repr=False, compare=False)
    _conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)
    _checked: set[str] = field(
        init=False, repr=False, compare=False, default_factory=set
    )  # splits whose rows the verifier has looked through

    sampling: ClassVar[Mapping[str, Any]] = {}  # as `evaluation` of a recipe: the sampling of its published reports
    heavy: ClassVar[tuple[str, ...]] = ()  # columns that are never needed
    is_python: ClassVar[bool] = False  # no row has programs in another language
    leaves_out_unreadable: ClassVar[bool] = False  # rows that make no task, instead of stopping at the first

    def __post_init__(self) -> None:
        faults = [*self._source_faults(), *template_faults(self.template)]
        if self.test_share is not None and not 0.0 <= self.test_share <= 1.0:
            faults.append(f"test_share is from 0 to 1, got {self.test_share}")
        conditions: list[Condition] = []
        for text in self.where:
            try:
                conditions.append(read_condition(text))
            except ValueError as error:
                faults.append(str(error))
        try:
            object.__setattr__(self, "_verifier", r1sdk.verifier_of(self))
        except r1sdk.R1Error as error:
            if not faults:
                raise
            faults.append(str(error))
        if faults:
            raise ValueError("; ".join(faults))
        object.__setattr__(self, "_conditions", tuple(conditions))
        if self.sandbox is None:
            object.__setattr__(self, "sandbox", getattr(self._verifier, "sandbox", None))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the table has."""
        return ("test",) if self.train_split is None else ("train", "test")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """The tasks of "train" or "test", in the order of the rows. The id of each ends in its row. Raises: R1Error at a fault."""
        for found in self._all(split):
            if isinstance(found, Read):
                yield found.task
            elif not self.leaves_out_unreadable:
                raise found

    def rows(self, split: str) -> Iterator[tuple[r1sdk.Task, str, Row]]:
        """Each task with its problem as it is without the prompt's additions, and the row that it came from."""
        for found in self._all(split):
            if isinstance(found, Read):
                yield found
            elif not self.leaves_out_unreadable:
                raise found

    def readable(self, split: str) -> Iterator[tuple[r1sdk.Task, str, Row]]:
        """As `rows`, without the rows that make no task."""
        yield from (found for found in self._all(split) if isinstance(found, Read))

    def faults(self, split: str) -> Iterator[str]:
        """Yield the fault of each row that makes no task."""
        yield from (str(found) for found in self._all(split) if not isinstance(found, Read))

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """The verdict of the chosen verifier."""
        found = r1sdk.verify_with(self._verifier, rollout)
        return found if isinstance(found, r1sdk.Verdict) else await found

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """The reply that must earn 1.0; None where there is nothing to check."""
        return r1sdk.gold_reply_of(self._verifier, task)

    def wrong_replies(self, task: r1sdk.Task) -> Iterator[str]:
        """Replies close to the right one, which must earn less than 1.0."""
        return r1sdk.wrong_replies_of(self._verifier, task)

    def summary(self) -> str:
        """Return a summary: the tasks, the columns by role, the verifier, and the rows left out."""
        reads = self._verifier.reads if isinstance(self._verifier, r1sdk.PosesRows) else ("answer",)
        first = next((row for raw in read_rows(self._splits().first()) if (row := self.adapt(raw)) is not None), None)
        taken = "no rows" if first is None else self._columns().describe(first, reads)
        parts = [f"{self.source}: {taken}; verified by {type(self._verifier).__name__}"]
        if self.sandbox is not None and hasattr(self._verifier, "sandbox"):
            parts.append(next((f"run in {g.how}" for g in self.sandbox.check() if g.name == "jail"), ""))
        if self.where:
            parts.append(f"where {' and '.join(self.where)}")
        if self.test_split is None and (found := self._test_split()) is not None:
            parts.append(f"test tasks from the split {found!r} of the folder (else set test_split, or test_share)")
        if self.leaves_out_unreadable:
            faults = [fault for origin in self._splits().origins() for fault in self._unreadable(origin)]
            if faults:
                parts.append(f"{len(faults)} rows left out, the first: {faults[0]}")
        return "; ".join(filter(None, parts))

    def why_empty(self, split: str) -> str:
        """Return the reason why `split` has no tasks. Raises: R1Error."""
        splits = self._splits()
        origin, _ = splits.of(split)
        if not (count := sum(1 for _ in read_each(origin))):
            return f"{origin} has no rows"
        rule = f"where {' and '.join(self.where)}" if self.where else f"test_share is {splits.test_share:g}"
        return f"none of the {count} rows of {origin} belongs to it: {rule}"

    def adapt(self, row: Row) -> Row | None:
        """The row with the columns that this data set lacks; None where it is no task of it. Raises: R1Error."""
        return row

    def _all(self, split: str) -> Iterator[Read | r1sdk.R1Error]:
        """Every row of `split`, as a task or as the error that it makes."""
        origin, is_wanted = self._splits().of(split)
        if isinstance(self._verifier, r1sdk.ChecksRows) and split not in self._checked:
            columns = self._columns()
            readable = (row for row in read_each(origin) if not isinstance(row, r1sdk.R1Error))
            rows = () if self.is_python else (TableRow(row, columns) for row in readable)
            self._verifier.check_rows(rows)
            self._checked.add(split)
        for number, row in enumerate(read_each(origin), 1):
            if isinstance(row, r1sdk.R1Error):
                yield row
                continue
            try:
                found = self._read(row, number, split)
            except r1sdk.R1Error as error:
                yield r1sdk.R1Error(f"{origin}, row {number}: {error}")
                continue
            if found is None or not is_wanted(found.problem):
                continue
            yield found

    def _read(self, raw: Row, number: int, split: str) -> Read | None:
        row = self.adapt(raw)
        if row is None or not all(condition.holds(row) for condition in self._conditions):
            return None
        r1sdk.check_text_only(row)
        columns = self._columns()
        asked = columns.get("prompt", row)
        messages = as_messages(asked)
        problem = "\n".join(str(message["content"]) for message in messages if message["role"] != "system")
        view = TableRow(row, columns, problem)
        if isinstance(self._verifier, r1sdk.PosesRows):
            posed = self._verifier.pose(view)
        else:
            posed = r1sdk.Posed(answer=cell_text(view.get("answer")))
        last = messages[-1]
        question = filled(self.template, {**row, "prompt": last["content"]})
        messages[-1] = {**last, "content": "\n\n".join(filter(None, [question, posed.added]))}
        if self.system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": self.system})
        info: dict[str, Any] = {"row": number, **posed.info}
        if (category := columns.find("category", row)) is not None:
            info["category"] = category if isinstance(category, str) else json.dumps(category, ensure_ascii=False)
        for name in self.keep:
            if name not in row:
                raise r1sdk.R1Error(f"no column {name!r} to keep; found {', '.join(map(str, row))}")
            info[name] = row[name]
        info = json.loads(json.dumps(info, default=str))  # dates and the like as text
        return Read(r1sdk.Task(messages, posed.answer, info, f"{split}/row {number}"), problem, raw)

    def _columns(self) -> Columns:
        return Columns(
            *(
                getattr(self, f"{what}_column")
                for what in ("prompt", "answer", "choices", "tests", "solution", "category")
            )
        )

    def _splits(self) -> Splits:
        def origin(source: str, split: str | None) -> Origin:
            return Origin(source, self.config, split or "train", self.revision, self.files, self.heavy)

        share = TEST_SHARE if self.test_share is None else self.test_share
        return Splits(self.source, self.test_source, self.train_split, self._test_split(), share, origin)

    def _test_split(self) -> str | None:
        """The split of the test tasks: the option `test_split`, or the test files of a folder."""
        if self.test_split is not None or self.test_share is not None or self.test_source is not None:
            return self.test_split
        return test_split_in(self.source) if self.files is None and self.config is None else None

    def _unreadable(self, origin: Origin) -> Iterator[str]:
        for number, row in enumerate(read_each(origin), 1):
            try:
                if isinstance(row, r1sdk.R1Error):
                    raise row
                self._read(row, number, "")
            except r1sdk.R1Error as error:
                yield f"row {number}: {str(error).partition(chr(10))[0]}"

    def _source_faults(self) -> Iterator[str]:
        if not self.source:
            yield "source: name a JSON lines, CSV or parquet file, a folder, or a data set on the Hub"
