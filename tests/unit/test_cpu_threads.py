"""The number of threads follows the load of the machine, and what the user has set stays."""

import os
import sys
import time
from subprocess import Popen

import pytest

from r1sdk.doctor.machine_checks import check_load
from r1sdk.rollout.cpu_threads import SPINS, Load, ThreadCount, busy_cores, read_load, wait_briefly


def counted(count, *spans):
    """Feed spans of (seconds, idle cores, our cores, share of waiting); return the number of threads after each."""
    at = idle = ours = waited = 0.0
    count.decide(Load(at, idle, ours, waited))
    found = []
    for seconds, idle_cores, our_cores, share in spans:
        at, idle = at + seconds, idle + seconds * idle_cores
        ours, waited = ours + seconds * our_cores, waited + seconds * share
        found.append(count.decide(Load(at, idle, ours, waited)))
    return found


def test_idle_cores_are_all_used():
    assert counted(ThreadCount(2), *[(1, 0.1, 1.9, 0.0)] * 5) == [2] * 5


@pytest.mark.parametrize(("ours", "waited"), [(1.0, 0.5), (1.3, 0.3)], ids=["two loops", "one loop"])
def test_others_on_the_cores_leave_one_thread(ours, waited):
    assert counted(ThreadCount(2), (1, 0.0, ours, waited), (1, 0.0, 0.7, 0.3)) == [1, 1]


def test_a_step_with_one_thread_on_an_idle_machine_changes_nothing():
    assert counted(ThreadCount(2), (1, 1.0, 1.0, 0.0)) == [2]


def test_others_of_low_priority_take_no_thread():
    assert counted(ThreadCount(2), (1, 0.0, 1.4, 0.01)) == [2]


def test_threads_come_back_after_a_calm_that_grows():
    busy, calm = (1, 0.0, 1.0, 0.5), (1, 1.0, 1.0, 0.0)
    assert counted(ThreadCount(2), busy, calm, calm, busy, *[calm] * 4) == [1, 1, 2, 1, 1, 1, 1, 2]


def test_many_cores_lose_only_those_that_others_use():
    assert counted(ThreadCount(16), (1, 0.0, 9.8, 0.3), (1, 0.0, 10.0, 0.0)) == [10, 10]


def test_the_wait_is_short_unless_the_user_chose():
    environment = {}
    wait_briefly(environment)
    assert environment == {"GOMP_SPINCOUNT": SPINS}
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS"):
        chosen = {name: "7"}
        wait_briefly(chosen)
        assert chosen == {name: "7"}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_counters_are_those_of_this_thread():
    first, started = read_load(), time.process_time()
    while time.process_time() - started < 0.1:
        pass
    then = read_load()
    assert then.ours - first.ours >= 0.1
    assert then.at > first.at and then.idle >= first.idle and then.waited >= first.waited


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.heavy
def test_doctor_sees_a_loaded_machine():
    loops = [Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        time.sleep(0.2)
        busy = busy_cores(0.5)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    finding = check_load(busy, len(loops))
    assert finding.status == "warning"
    assert f"of {len(loops)} cores" in finding.text
    assert check_load(0.1, 2).status == "ok"
    assert check_load(None, 2).status == "ok"
