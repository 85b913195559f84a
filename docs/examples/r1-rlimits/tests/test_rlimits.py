"""How programs end in `rlimits`, and that it says no more than it holds."""

import asyncio

import pytest

import r1sdk
from r1_rlimits import Rlimits
from r1sdk.testing import CheckPlugin

SMALL = r1sdk.ExecutionLimits(timeout_s=5.0, memory_bytes=64 << 20, output_bytes=64 << 10)


def run(code: str, *stdins: str, limits: r1sdk.ExecutionLimits = SMALL) -> list[r1sdk.Execution]:
    return list(asyncio.run(Rlimits().run(code, stdins or ("",), limits=limits)))


def test_each_stdin_has_an_execution_in_order() -> None:
    assert [e.stdout for e in run("print(int(input()) * 2)", "1", "2", "3")] == ["2\n", "4\n", "6\n"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("x = bytearray(256 << 20)", "memory"),
        ("print('x' * (1 << 20))", "output"),
        ("open('f', 'wb').write(b'x' * (1 << 20))", "failed"),
        ("1 / 0", "failed"),
    ],
)
def test_a_program_that_wants_too_much_is_ended(code: str, status: str) -> None:
    assert run(code)[0].status == status


def test_what_a_program_started_ends_with_it() -> None:
    limits = r1sdk.ExecutionLimits(timeout_s=0.5)
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    (execution,) = run(code, limits=limits)
    assert execution.status == "timeout" and execution.seconds < 10


def test_it_does_not_claim_to_guard_files_or_the_network() -> None:
    assert {g.name: g.holds for g in Rlimits().check()} == {
        "time": True,
        "memory": True,
        "output": True,
        "files": False,
        "network": False,
    }


def test_it_keeps_the_contract(check_plugin: CheckPlugin) -> None:
    check_plugin("sandbox", "rlimits")
