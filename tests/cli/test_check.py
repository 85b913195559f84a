"""`r1 check`: each fault that it looks for is found in a plugin that has it, and our own plugins have none."""

import json
import sys
import time
from pathlib import Path

import pytest

from r1_envs.named import NAMED

REWARDS = """
import os, random, re, threading
from dataclasses import dataclass, field
from typing import Any
import r1sdk

HEAD = "1.0 for anything, never below 0.0."

def documented(text):
    def mark(target):
        target.__doc__ = text
        return target
    return mark

def silent(rollout):
    return 1.0

@documented("How good it is.")
def no_range(rollout):
    return 1.0

@dataclass(frozen=True)
class Generated:
    level: int = 1
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
@dataclass
class Thawed:
    level: int = 1
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
@dataclass(frozen=True)
class Anything:
    level: Any = None
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
@dataclass(frozen=True)
class Mistaken:
    level: int = "high"
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
@dataclass(frozen=True)
class Locked:
    lock: Any = field(init=False, compare=False, default_factory=threading.Lock)
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
def wild(rollout):
    return 7.0

@documented(HEAD)
def moody(rollout):
    return random.random()

@documented("0.0 to 0.9.")
def hashed(rollout):
    return hash(rollout.completion.text) % 10 / 10

@documented(HEAD)
def greedy(rollout):
    rollout.task.info["seen"] = True
    return 1.0

@documented(HEAD)
def fragile(rollout):
    return float(rollout.completion.text[0] == "<")

@documented(HEAD)
def backtracking(rollout):
    return float(re.search(r"<answer>(a+)+</answer>", rollout.completion.text) is not None)

@documented(HEAD)
def fatal(rollout):
    if "\\x00" in rollout.completion.text:
        os._exit(7)
    return 1.0

@documented(HEAD)
@dataclass(frozen=True)
class Demanding:
    level: int = 0
    def __post_init__(self):
        if not self.level:
            raise ValueError("level must be given")
    def __call__(self, rollout):
        return 1.0

@documented(HEAD)
def without_service(rollout):
    raise r1sdk.Unavailable("nobody there")

NAMES = dict(silent=silent, no_range=no_range, generated=Generated, thawed=Thawed, anything=Anything, mistaken=Mistaken,
    locked=Locked, wild=wild, moody=moody, hashed=hashed, greedy=greedy, fragile=fragile, backtracking=backtracking,
    fatal=fatal, demanding=Demanding, without_service=without_service)

@r1sdk.hookimpl
def r1_register_rewards(register):
    for name, target in NAMES.items():
        register(name, target)
"""

ENVIRONMENTS = '''
import random, time
from dataclasses import dataclass, replace
import r1sdk

@dataclass(frozen=True)
class Right:
    """Double a number."""
    def question(self, split, n):
        return f"Double {2 * n + (split == 'test')}."
    def info(self, n):
        return {"n": n}
    def name(self, split, n):
        return f"{split}/{n}"
    def splits(self, split):
        if split not in ("train", "test"):
            raise r1sdk.R1Error("train and test")
    def tasks(self, split):
        self.splits(split)
        for n in range(20):
            number = 2 * n + (split == "test")
            prompt = [{"role": "user", "content": self.question(split, n)}]
            yield r1sdk.Task(prompt, str(2 * number), self.info(n), self.name(split, n))
    def verify(self, rollout):
        return float(r1sdk.extract_answer(rollout.completion.text) == rollout.task.answer)

class Shifting(Right):
    """Other numbers each time."""
    def question(self, split, n):
        return f"{super().question(split, n)} {random.random()}"

class Leaking(Right):
    """The same questions in both splits."""
    def question(self, split, n):
        return f"Double {n}."

class Tupled(Right):
    """Info that JSON changes."""
    def info(self, n):
        return {"n": (n, n)}

class Anonymous(Right):
    """One id for all."""
    def name(self, split, n):
        return "task"

class Obliging(Right):
    """Any split."""
    def splits(self, split):
        pass

class Unjust(Right):
    """Its own answers are wrong."""
    def verify(self, rollout):
        return 0.5 * super().verify(rollout)

class Lenient(Right):
    """An answer that begins well is right."""
    def verify(self, rollout):
        return float((r1sdk.extract_answer(rollout.completion.text) or "").startswith(rollout.task.answer))

class Generous(Right):
    """Silence is right."""
    def verify(self, rollout):
        return 1.0 if not rollout.completion.text else super().verify(rollout)

class Evaluating(Right):
    """Runs what the model writes."""
    def verify(self, rollout):
        return float(eval(r1sdk.extract_answer(rollout.completion.text) or "0") == int(rollout.task.answer))

def halve(number: str) -> str:
    """Halve a number."""
    return str(int(number) / 2) if len(number) < 20 else "too long"

def loop(number: str) -> str:
    """Look at each letter."""
    while len(number) > 1000:
        time.sleep(0.1)
    return number

def unsaid(number: str) -> str:
    return number

class WithTool(Right):
    """Double a number; a tool halves."""
    tool = staticmethod(halve)
    def tasks(self, split):
        for task in super().tasks(split):
            yield replace(task, prompt=r1sdk.with_tools(task.prompt, [halve]))
    def session(self, task):
        return r1sdk.ToolSession((type(self).tool,))

class Untold(WithTool):
    """The prompt names another tool."""
    tool = staticmethod(loop)

class Undescribed(WithTool):
    """A tool that the model is told nothing of."""
    tool = staticmethod(unsaid)

class Stuck(WithTool):
    """A tool that takes long over long texts."""
    tool = staticmethod(loop)
    def tasks(self, split):
        for task in Right.tasks(self, split):
            yield replace(task, prompt=r1sdk.with_tools(task.prompt, [loop]))

class Echo:
    def __init__(self, heard):
        self.heard = heard
    def answer(self, reply):
        self.heard.append(reply)
        return f"turn {len(self.heard)}" if len(self.heard) < 3 else None

HEARD = []

class Shared(Right):
    """All sessions are one."""
    def session(self, task):
        return Echo(HEARD)

class Picky(Right):
    """Takes numbers only."""
    def session(self, task):
        return type("Numbers", (), {"answer": lambda self, reply: None if int(r1sdk.extract_answer(reply)) else "more"})()

class Secretive(Right):
    """Leaves what is no JSON."""
    def session(self, task):
        return type("Secret", (Echo,), {"outcome": lambda self: {"heard": {1, 2}}})([])

@r1sdk.hookimpl
def r1_register_environments(register):
    for kind in (Right, Shifting, Leaking, Tupled, Anonymous, Obliging, Unjust, Lenient, Generous, Evaluating):
        register(kind.__name__.lower(), kind)
    for kind in (WithTool, Untold, Undescribed, Stuck, Shared, Picky, Secretive):
        register(kind.__name__.lower(), kind)
'''

VERIFIERS = """
import random, threading, time
from dataclasses import dataclass, field
import r1sdk

HEAD = "1.0 for the gold answer, else 0.0."

def documented(text):
    def mark(target):
        target.__doc__ = text
        return target
    return mark

@documented(HEAD)
@dataclass(frozen=True)
class Right:
    def read_gold(self, task):
        if not task.answer:
            raise r1sdk.Unverifiable("no gold answer")
        return task.answer
    def verify(self, gold, reply):
        return r1sdk.Verdict(float(reply.answer == gold))
    def variants(self, gold):
        return [gold + "7", "-" + gold]

@documented("Compares.")
@dataclass(frozen=True)
class Rangeless(Right):
    pass

@documented(HEAD)
@dataclass(frozen=True)
class Misread(Right):  # a gold answer is right by itself, and so is all that begins as it does
    def verify(self, gold, reply):
        return r1sdk.Verdict(float((reply.answer or "").startswith(gold[:1])))

@documented(HEAD)
@dataclass(frozen=True)
class Blind(Right):
    def verify(self, gold, reply):
        return r1sdk.Verdict(0.0)

@documented(HEAD)
@dataclass(frozen=True)
class Generous(Right):
    def verify(self, gold, reply):
        return r1sdk.Verdict(float(reply.answer in (gold, None, "")))

@documented(HEAD)
@dataclass(frozen=True)
class Careless(Right):
    def read_gold(self, task):
        return task.answer.strip()

@documented(HEAD)
@dataclass(frozen=True)
class Numeric(Right):
    def verify(self, gold, reply):
        return float(reply.answer == gold)

@documented(HEAD)
@dataclass(frozen=True)
class Drawing(Right):
    def verify(self, gold, reply):
        return r1sdk.Verdict(float(reply.answer == gold), reason=str(random.random()))

@documented(HEAD)
@dataclass(frozen=True)
class Hanging(Right):
    def verify(self, gold, reply):
        if len(reply.text) > 900_000:
            time.sleep(60)
        return r1sdk.Verdict(float(reply.answer == gold))

@documented(HEAD)
@dataclass(frozen=True)
class Locked(Right):
    lock: object = field(init=False, repr=False, compare=False, default_factory=threading.Lock)

@documented(HEAD)
@dataclass(frozen=True)
class Halved:
    def read_gold(self, task):
        return task.answer

@r1sdk.hookimpl
def r1_register_verifiers(register):
    register("right_verifier", Right)
    register("rangeless_verifier", Rangeless)
    register("misread", Misread)
    register("blind", Blind)
    register("generous_verifier", Generous)
    register("careless", Careless)
    register("numeric", Numeric)
    register("drawing", Drawing)
    register("hanging_verifier", Hanging)
    register("locked_verifier", Locked)
    register("halved", Halved)
"""

SANDBOXES = '''
import asyncio, contextlib, io
from dataclasses import dataclass
import r1sdk

@dataclass(frozen=True)
class Naive:
    """Runs programs right here."""
    async def run(self, code, stdins, *, limits=r1sdk.ExecutionLimits(), language="python"):
        found = []
        for stdin in reversed(stdins):
            out = io.StringIO()
            lines = iter(stdin.splitlines())
            try:
                if "while True" in code or "sleep" in code:
                    raise TimeoutError
                with contextlib.redirect_stdout(out):
                    exec(code, {"input": lambda: next(lines)})
            except BaseException as error:
                found.append(r1sdk.Execution("failed", out.getvalue(), repr(error), 1))
            else:
                found.append(r1sdk.Execution("ok", out.getvalue(), "", 0))
        return found
    def check(self, language="python"):
        return [r1sdk.Guarantee(name, True, "so it is said") for name in ("files", "environment", "network")]

@r1sdk.hookimpl
def r1_register_sandboxes(register):
    register("naive", Naive)
'''

HOOK = (
    "import r1sdk\n{first}\ndef it(rollout):\n    '''0.0 always.'''\n    return 0.0\n"
    "@r1sdk.hookimpl\ndef r1_register_rewards(register):\n    register({name!r}, it)\n"
)

FAULTS = [  # name, check, what is said
    ("silent", "docstring", "it has none"),
    ("no_range", "docstring", "no range"),
    ("generated", "docstring", "it has none"),
    ("thawed", "options", "frozen=True"),
    ("anything", "options", "level: Any"),
    ("mistaken", "options", "'high' is not of its type"),
    ("locked", "pickles", "cannot pickle"),
    ("wild", "range", "returned 7, 7, 7, but the docstring states 0 to 1"),
    ("moody", "repeats", "different values for the same replies"),
    ("hashed", "processes", "different in another process"),
    ("greedy", "scores", "what a plugin is given cannot be changed"),
    ("fragile", "scores", "IndexError"),
    ("backtracking", "hostile", "letters before the end: more than 3 s"),
    ("fatal", "hostile", "control characters: the process ended with 7"),
    ("demanding", "builds", "level must be given"),
    ("shifting", "same tasks", "train task 0 differs on the second call"),
    ("shifting", "processes", "tasks: different in another process"),
    ("leaking", "splits", "20 tasks are in both train and test"),
    ("tupled", "tasks", "use lists and texts instead of tuples"),
    ("anonymous", "tasks", "several tasks have one id"),
    ("obliging", "splits", "must raise R1Error"),
    ("unjust", "gold", "32 of 32 gold answers do not earn 1.0"),
    ("lenient", "altered", "altered answers earn 1.0"),
    ("generous", "altered", "the reply '' earns 1.0"),
    ("evaluating", "hostile", "powers of powers: more than 3 s"),
    ("untold", "sessions", "the prompt does not name the tool loop"),
    ("undescribed", "sessions", "tool 'unsaid' needs a docstring"),
    ("stuck", "calls", "gave no result in 3 s"),
    ("shared", "independent", "answers differently while another one of the same task is played"),
    ("picky", "independent", "Numbers.answer failed: TypeError"),
    ("picky", "ends", "Numbers.answer failed: TypeError"),
    ("picky", "calls", "Numbers.answer failed"),
    ("secretive", "ends", "outcome must be JSON"),
    ("naive", "runs", "int(input()) * 2 for 1, 2, 3"),
    ("naive", "fresh", "are still there"),
    ("naive", "ends", "must be 'timeout'"),
    ("naive", "claims", "read a file of the host"),
    ("naive", "claims", "read an environment variable"),
    ("naive", "claims", "connected to a port of this machine"),
    ("naive", "languages", "must raise r1sdk.R1Error"),
    ("heavy", "loading", "loads vllm"),
    ("slow", "loading", "s of processor time"),
    ("rangeless_verifier", "docstring", "no range"),
    ("misread", "near gold", "1 of 2 near answers earn 1.0"),
    ("blind", "gold", "1 of 1 right replies do not earn 1.0"),
    ("generous_verifier", "no answer", "a reply without an answer must earn 0.0"),
    ("careless", "no gold", "AttributeError"),
    ("numeric", "gold", "must return an r1sdk.Verdict, got 1.0"),
    ("drawing", "repeats", "then ok"),
    ("drawing", "processes", "gold"),
    ("hanging_verifier", "hostile", "more than"),
    ("locked_verifier", "pickles", "TypeError"),
    ("halved", "builds", "must have read_gold(task) and verify(gold, reply)"),
]


NEEDS_MORE = {  # of ours: what a check without a service, a model, a key or the right tasks cannot try in full
    *(("reward", name) for name in ("model_judge", "reward_model", "code", "binary_code", "countdown", "narrowing")),
    ("verifier", "judge"),
    *(("sandbox", name) for name in ("e2b", "unsafe")),
    *(("environment", name) for name in ("hub", "openenv", "reasoning_gym", "verifiers", *NAMED)),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory, install):
    folder = tmp_path_factory.mktemp("site")
    install(folder, "r1-bad-rewards", REWARDS)
    install(folder, "r1-bad-environments", ENVIRONMENTS)
    install(folder, "r1-bad-verifiers", VERIFIERS)
    install(folder, "r1-bad-sandboxes", SANDBOXES)
    (folder / "vllm.py").write_text("# stands for the library of that name, which no plugin may load\n")
    install(folder, "r1-heavy", HOOK.format(first="import vllm", name="heavy"))
    busy = "import time\nwhile time.process_time() < 0.6:\n    pass"
    install(folder, "r1-slow", HOOK.format(first=busy, name="slow"))
    return folder


@pytest.fixture(scope="module")
def checked(run_r1, site):
    """What `r1 check` says of every plugin of `site`: name -> check -> its finding."""
    distributions = [f"r1-bad-{kind}" for kind in ("rewards", "environments", "verifiers", "sandboxes")]
    said = run_r1("check", *distributions, "r1-heavy", "r1-slow", "--timeout-s", "3", "--json", path=[site])
    assert said.code == 1, said.err
    found = json.loads(said.out)
    assert found["conform"] is False
    return {plugin["name"]: {f["check"]: f for f in plugin["findings"]} for plugin in found["plugins"]}


@pytest.mark.parametrize(("name", "check", "reason"), FAULTS)
def test_a_fault_is_found_with_its_reason(checked, name, check, reason):
    finding = checked[name][check]
    assert finding["outcome"] == "fails" and reason in finding["detail"], checked[name]


@pytest.mark.parametrize("name", sorted({name for name, _, _ in FAULTS}))
def test_nothing_else_is_held_against_a_plugin(checked, name):
    expected = {check for other, check, _ in FAULTS if other == name}
    excused = {
        "moody": {"processes"},
        "fragile": {"range", "repeats", "hostile"},
        "shifting": {"altered"},
        "evaluating": {"altered", "splits", "gold"},
        "lenient": {"hostile"},
        "greedy": {"hostile"},
        "numeric": {"near gold", "no answer", "repeats", "hostile"},
        "generous_verifier": {"hostile"},
    }
    failed = {check for check, finding in checked[name].items() if finding["outcome"] == "fails"}
    assert expected <= failed <= expected | excused.get(name, set())


def test_a_plugin_without_a_fault_passes_every_check(checked):
    assert {
        finding["outcome"] for name in ("right", "withtool", "right_verifier") for finding in checked[name].values()
    } == {"ok"}


def test_a_service_that_is_not_there_is_no_fault_and_no_success(checked):
    finding = checked["without_service"]["scores"]
    assert finding["outcome"] == "skipped" and "nobody there" in finding["detail"]


def test_with_its_options_a_plugin_is_built_and_checked(run_r1, site):
    said = run_r1("check", "demanding", "--set", "demanding.level=3", path=[site])
    assert said.code == 0, said.out
    assert "1 plugin, 11 checks: 11 ok, 0 failed, 0 skipped" in said.out


def test_a_reward_is_tried_on_the_tasks_of_an_environment(run_r1):
    said = run_r1("check", "countdown", "--kind", "reward", "--env", "countdown")
    assert said.code == 0 and "32 replies: 0 to 0" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fromat"], "unknown plugin 'fromat'; did you mean 'format'?"),
        (["format", "--env", "countdwn"], "unknown environment 'countdwn'; did you mean 'countdown'?"),
        (["format", "--kind", "rewards"], "unknown kind 'rewards'; did you mean 'reward'?"),
        (["format", "--set", "length.unit=tokens"], "for a plugin that is not checked: 'length'"),
        (["format", "--set", "strict_newlines=1"], "--set takes NAME.OPTION=VALUE"),
    ],
)
def test_a_mistyped_command_is_an_error_with_the_nearest_name(r1, arguments, message):
    said = r1("check", *arguments)
    assert said.code == 1 and message in said.err


def test_a_distribution_that_does_not_load_fails_with_its_reason(run_r1, install, tmp_path):
    install(tmp_path, "r1-broken", "import no_such_module\n")
    said = run_r1("check", "r1-broken", path=[tmp_path])
    assert said.code == 1 and "No module named 'no_such_module'" in said.err


def test_a_name_that_is_taken_fails(run_r1, install, tmp_path):
    install(tmp_path, "r1-taken", HOOK.format(first="", name="format"))
    said = run_r1("check", "r1-taken", path=[tmp_path])
    assert said.code == 1 and "registered by r1-taken 0.1 (mine) and by r1sdk" in said.out


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends it")
def test_when_the_check_is_killed_nothing_of_it_goes_on(start_r1, install, tmp_path):
    told = tmp_path / "told"
    hangs = HOOK.replace(
        "    return 0.0",
        f"    import os, time, pathlib; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(600)",
    )
    site = install(tmp_path / "site", "r1-hanging", hangs.format(first="", name="hanging"))
    checking = start_r1("check", "hanging", path=[site])
    try:
        assert waited(lambda: told.exists() and told.read_text()), "no trial began"
        trial = Path(f"/proc/{told.read_text()}")
        assert "r1sdk" in (trial / "cmdline").read_text()
        checking.kill()
        assert waited(lambda: not trial.exists() or "State:\tZ" in (trial / "status").read_text()), "it goes on"
    finally:
        checking.kill()
        checking.communicate()


def waited(ready):
    """What `ready` says in the end, within a time that is enough for a busy machine."""
    for _ in range(1200):
        if found := ready():
            return found
        time.sleep(0.1)
    return False


def test_every_plugin_of_ours_conforms(run_r1, tmp_path):
    problems = tmp_path / "problems.jsonl"
    rows = [
        ("6 * 7?", "42"),
        ("1/2 + 1/3?", r"\frac{5}{6}"),
        ("Solve x^2 = 4.", r"\{-2, 2\}"),
        ("Half of 7?", "3.5"),
        ("Which comes first: (A) B (B) A?", "B"),
        ("How many metres are 3 km?", "3000"),
        ("From 0 to 1, closed?", "[0, 1]"),
        ("Factor x^2 - 1.", "(x-1)(x+1)"),
    ]
    problems.write_text("\n".join(json.dumps({"problem": problem, "answer": answer}) for problem, answer in rows))
    options = [f"file.source={problems}", "file.test_share=0.4", "mixture.parts=[countdown, maths]"]
    said = run_r1("check", *(word for option in options for word in ("--set", option)), "--json")
    found = json.loads(said.out)
    amiss = [
        f"{plugin['kind']} {plugin['name']}: {finding['check']}: {finding['detail']}"
        for plugin in found["plugins"]
        for finding in plugin["findings"]
        if finding["outcome"] == "fails"
    ]
    assert amiss == []
    tried = {(plugin["kind"], plugin["name"]): plugin for plugin in found["plugins"]}
    assert {("environment", "maths"), ("reward", "format"), ("sandbox", "local")} <= tried.keys()
    skipped = [
        f"{name}: {finding['check']}: {finding['detail']}"
        for name, plugin in tried.items()
        if name not in NEEDS_MORE
        for finding in plugin["findings"]
        if finding["outcome"] == "skipped"
    ]
    assert skipped == []


FOREIGN = """
import r1sdk
def of_trl(prompts, completions, **kwargs):
    "0 to 1."
    return [1.0 for _ in completions]
@r1sdk.hookimpl
def r1_register_rewards(register):
    register("of_trl", of_trl)
"""


def test_a_dry_run_and_r1_check_say_the_same_of_a_reward_in_another_signature(run_r1, install, tmp_path):
    plugin = install(tmp_path, "r1-foreign", FOREIGN)
    checked = run_r1("check", "of_trl", path=[plugin])
    planned = run_r1("train", "--env", "countdown", "--rewards", "of_trl", "--dry-run", path=[plugin])
    for said in (checked.out, planned.err):
        assert "reward 'of_trl' must take (rollout)" in said and "r1sdk.from_trl(of_trl)" in said
    assert (checked.code, planned.code) == (1, 1)
