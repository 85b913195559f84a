"""The sandbox `monty`: a part of Python, for where no jail can be had."""

import asyncio

import pytest

import r1sdk
from r1_rewards.code.programs import check_program
from r1_sandboxes import MontySandbox
from r1sdk.plugins import load_plugins

pytest.importorskip("pydantic_monty")
SHORT = r1sdk.ExecutionLimits(timeout_s=1.0, memory_bytes=64 << 20, output_bytes=10_000)


def execute(code, *stdins, limits=SHORT):
    return asyncio.run(MontySandbox().run(code, stdins or [""], limits=limits))


def test_programs_that_read_and_print_are_judged():
    tests = {"tests": [{"input": f"{a} {b}\n", "output": f"{a + b}\n"} for a, b in ((1, 2), (-5, 5), (10, 20))]}
    for code, value in (("print(sum(map(int, input().split())))", 1.0), ("print(3)", 1 / 3)):
        verdict = asyncio.run(check_program(f"```python\n{code}\n```", tests, MontySandbox()))
        assert verdict.value == pytest.approx(value), verdict


def test_each_case_begins_afresh():
    code = "try:\n    seen\n    print('seen')\nexcept NameError:\n    print('new')\nseen = input()"
    assert [e.stdout for e in execute(code, "1", "2", "3")] == ["new\n"] * 3


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("while True: pass", "timeout"),
        ("x = []\nwhile True: x.append('x' * 100000)", "memory"),
        ("while True: print('x' * 1000)", "output"),
        ("raise ValueError('no')", "failed"),
        ("this is ( no program", "failed"),
        ("print(input(), input())", "failed"),
        ("9 ** 9 ** 9", "failed"),
        ("(" * 100000, "failed"),
        ("def f(): return f()\nf()", "failed"),
    ],
)
def test_how_a_program_ends_is_its_status_and_the_next_one_runs(code, status):
    done = execute(code, "1")[0]
    assert done.status in (status, "memory", "timeout") if status == "failed" else done.status == status, done
    assert len(done.stdout) <= SHORT.output_bytes and done.seconds < 10
    assert execute("print(input())", "1")[0].stdout == "1\n"


@pytest.mark.parametrize(
    "code",
    [
        "print('GOT', open('/etc/passwd').read())",
        "import os\nprint('GOT', os.listdir('/'))",
        "import os\nprint('GOT', os.environ['PATH'])",
        "import subprocess\nprint('GOT', subprocess.run(['id']))",
        "import socket\nprint('GOT', socket.socket())",
        "import ctypes\nprint('GOT', ctypes.CDLL(None))",
        "print('GOT', ().__class__.__base__.__subclasses__())",
        "from pathlib import Path\nprint('GOT', Path('/etc/passwd').read_text())",
        "print('GOT', input.__globals__)",
    ],
)
def test_an_attack_gets_nothing(code):
    assert "GOT" not in execute(code)[0].stdout


def test_it_is_only_had_by_name_and_says_what_it_is():
    sandbox = load_plugins().build("sandbox", "monty")
    found = {guarantee.name: guarantee for guarantee in sandbox.check()}
    assert all(guarantee.holds for guarantee in found.values()) and "a part of Python" in found["jail"].how
    with pytest.raises(r1sdk.R1Error, match="runs python, not 'cpp'"):
        sandbox.check("cpp")
