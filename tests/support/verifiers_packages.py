"""Environment packages for verifiers, as their authors write them: sources, laid into a folder as modules."""

from pathlib import Path

V0 = '''
import asyncio

import verifiers as vf
from datasets import Dataset


def rows(start, count):
    numbers = range(start, start + count)
    return Dataset.from_list(
        [{"question": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1), "info": {"n": n}} for n in numbers]
    )


def correct(parser, completion, answer, **kwargs):
    return float((parser.parse_answer(completion) or "") == answer)


async def near(completion, info, state):
    await asyncio.sleep(0)
    assert state["trajectory"] and completion[-1]["role"] == "assistant"
    return 1.0 if str(info["n"]) in completion[-1]["content"] else 0.0


def brittle(completion, **kwargs):
    if "raise" in completion[-1]["content"]:
        raise KeyError("no such thing")
    if "hang" in completion[-1]["content"]:
        while True:
            pass
    return 0.0


def load_environment(count=40, held_out=True, kind="single"):
    parser = vf.XMLParser(["think", "answer"], answer_field="answer")
    funcs, weights = [correct, parser.get_format_reward_func(), near, brittle], [1.0, 0.25, 0.0, 0.0]
    if kind == "group":
        def best(completions: list, **kwargs) -> list[float]:
            return [1.0 for _ in completions]
        funcs, weights = [*funcs, best], [*weights, 1.0]
    rubric = vf.Rubric(funcs=funcs, weights=weights, parser=parser)
    settings = {"dataset": rows(0, count), "system_prompt": "Answer in tags.", "parser": parser, "rubric": rubric}
    if held_out:
        settings["eval_dataset"] = rows(count - 2, 12)  # two of them are training rows too
    if kind == "tool":
        return vf.ToolEnv(tools=[add], **settings)
    return vf.SingleTurnEnv(**settings)


def add(a: int, b: int) -> int:
    """The sum of a and b."""
    return a + b
'''

V1 = """
from collections.abc import Iterator

import verifiers.v1 as vf

__all__ = ["SumsTaskset"]


class SumsData(vf.TaskData):
    answer: str


class SumsTask(vf.Task[SumsData]):
    @vf.reward
    async def correct(self, trace: vf.Trace) -> float:
        if "raise" in trace.last_reply:
            raise KeyError("no such thing")
        if "hang" in trace.last_reply:
            while True:
                pass
        return float(trace.last_reply.rpartition("=")[2].strip() == self.data.answer)

    @vf.reward(weight=0.25)
    async def short(self, task, trace: vf.Trace) -> float:
        assert task is self.data and trace.num_turns == 1
        return float(len(trace.last_reply) < 40)

    @vf.metric
    async def length(self, trace: vf.Trace) -> float:
        return float(len(trace.last_reply))


class SumsConfig(vf.TasksetConfig):
    count: int = 40


class SumsTaskset(vf.Taskset[SumsTask, SumsConfig]):
    def load(self) -> Iterator[SumsTask]:
        for n in range(self.config.count):
            data = SumsData(idx=n, prompt=f"What is {n} + {n + 1}?", system_prompt="Say x=...", answer=str(2 * n + 1))
            yield SumsTask(data, self.config.task)
"""

MACHINE = V1.replace("async def short(self, task, trace", "async def short(self, task, runtime, trace")
TOOLS = V1.replace(
    "class SumsTask(vf.Task[SumsData]):",
    '''class Adding(vf.Toolset[vf.ToolsetConfig]):
    @vf.tool
    def add(self, a: int, b: int) -> int:
        """The sum of a and b."""
        return a + b


class SumsTask(vf.Task[SumsData]):
    @classmethod
    def toolsets(cls, config):
        return [Adding(vf.ToolsetConfig())]
''',
)
SETUP = V1.replace(
    "class SumsTask(vf.Task[SumsData]):",
    """class SumsTask(vf.Task[SumsData]):
    async def setup(self, trace, runtime):
        pass
""",
)


def lay(folder: Path, **sources: str) -> None:
    """Modules of these names and texts in `folder`."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
