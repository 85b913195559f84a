"""Calls in worker processes: bounded, isolated from one another and from this process, and gone when it is."""

import ast
import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import isolated_functions as f
import pytest

import r1sdk
from r1sdk import R1Error
from r1sdk.workers.pool import WorkerPool, default_workers
from r1sdk.workers.wire import MAX_RESULT_BYTES

pytestmark = pytest.mark.heavy

HANGS = [
    f.sleep_for_ever,
    f.loop_for_ever,
    f.loop_and_block_every_signal,
    f.loop_and_ignore_sigterm,
    f.hold_the_interpreter_in_c,
    f.swallow_every_exception,
]
DIES = {
    f.leave_at_once: "exit status 3",
    f.read_address_zero: "SIGSEGV",
    f.kill_itself: "SIGKILL",
    f.close_every_descriptor: "SIGKILL",
}


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(workers=2) as pool:
        yield pool


def exists(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid, within_s=2.0):
    deadline = time.monotonic() + within_s
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not exists(pid)


def processes_under(pid):
    """Every process that descends from `pid`, with its state."""
    found, parents = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        parents.setdefault(int(parent), []).append((int(stat.parent.name), state))
    waiting = [pid]
    while waiting:
        for child, state in parents.get(waiting.pop(), []):
            found[child] = state
            waiting.append(child)
    return found


# What comes of a call


def test_a_call_returns_what_its_function_returns_from_another_process(pool):
    outcome = pool.call(f.add, 1, 2, timeout_s=30)
    assert (outcome.status, outcome.value, outcome.reason) == ("ok", 3, "")
    assert 0.0 < outcome.seconds < 30.0
    assert pool.call(f.pid, timeout_s=30).value != os.getpid()


def test_a_coroutine_function_is_run_to_its_end_in_the_worker(pool):
    assert pool.call(f.add_later, 1, 2, timeout_s=30).value == 3


def test_a_frozen_dataclass_is_called_with_its_options(pool):
    assert [pool.call(f.Adds(to), 1, timeout_s=30).value for to in (1, 10, 1)] == [2, 11, 2]


def test_more_functions_than_a_worker_keeps_are_each_called_as_they_are():
    with WorkerPool(workers=1) as pool:
        assert [pool.call(f.Adds(to), 1, timeout_s=30).value for to in [*range(100), 0]] == [*range(1, 101), 1]


@pytest.mark.parametrize("function", HANGS)
def test_a_call_that_does_not_end_is_ended_at_its_deadline(pool, function):
    started = time.monotonic()
    outcome = pool.call(function, timeout_s=0.5)
    assert (outcome.status, outcome.value, outcome.reason) == ("timeout", None, "no result within 0.5 s")
    assert 0.5 <= outcome.seconds and time.monotonic() - started < 10
    assert pool.call(f.add, 1, 1, timeout_s=30).value == 2


@pytest.mark.parametrize("function", DIES)
def test_a_call_whose_process_ends_is_lost_and_no_other(pool, function):
    outcomes = [pool.submit(call, *arguments, timeout_s=30) for call, *arguments in [(function,), *[(f.add, 1, 1)] * 6]]
    died, *rest = (outcome.result(timeout=60) for outcome in outcomes)
    assert died.status == "died" and DIES[function] in died.reason
    assert [outcome.value for outcome in rest] == [2] * 6


def test_a_call_that_needs_more_than_its_memory_is_ended_and_its_worker_replaced():
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.pid, timeout_s=30).value
        outcome = pool.call(f.allocate, 10 << 30, timeout_s=30)
        assert outcome.status == "memory" and str(1 << 30) in outcome.reason
        assert pool.call(f.pid, timeout_s=30).value != before and ends(before)


def test_the_memory_of_a_call_is_its_own_limit_or_none_at_all(pool):
    assert pool.call(f.allocate, 300 << 20, timeout_s=30, memory_bytes=100 << 20).status == "memory"
    assert pool.call(f.allocate, 300 << 20, timeout_s=30, memory_bytes=600 << 20).status == "ok"
    assert pool.call(f.allocate, 1200 << 20, timeout_s=30, memory_bytes=None).status == "ok"


def test_a_worker_that_holds_on_to_memory_is_replaced_before_it_costs_a_later_call_its_own():
    with WorkerPool(workers=1) as pool:
        pids = [pool.call(f.keep, 60 << 20, timeout_s=30, memory_bytes=100 << 20) for _ in range(6)]
    assert {outcome.status for outcome in pids} == {"ok"}
    assert len({outcome.value for outcome in pids}) == 3


def test_recursion_without_end_is_ended_one_way_or_another(pool):
    outcome = pool.call(f.recurse_without_end, timeout_s=3, memory_bytes=200 << 20)
    noticed = outcome.status == "raised" and isinstance(
        outcome.value, RecursionError | SystemError
    )  # by the interpreter
    assert noticed or outcome.status in ("memory", "died", "timeout")
    assert pool.call(f.add, 1, 1, timeout_s=30).value == 2


def test_an_exception_comes_back_with_the_place_where_it_was_raised(pool):
    outcome = pool.call(f.fail, "solution", timeout_s=30)
    assert outcome.status == "raised" and type(outcome.value) is KeyError and outcome.value.args == ("solution",)
    assert "isolated_functions.py" in outcome.reason and "in fail" in outcome.reason


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (f.exit_by_exception, "2"),
        (f.service_is_down, "no answer from the service"),
        (f.fail_stubbornly, "Stubborn: one and two"),
        (f.fail_without_a_text, "BadText: its text is not available"),
        (f.return_a_lambda, "lambda"),
        (f.return_what_cannot_be_read, "its return value cannot be unpickled: KeyError: 'only there'"),
    ],
)
def test_whatever_is_raised_or_returned_there_is_an_exception_here_and_costs_no_worker(function, text):
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.pid, timeout_s=30).value
        outcome = pool.call(function, timeout_s=30)
        assert outcome.status == "raised" and text in str(outcome.value)
        assert pool.call(f.pid, timeout_s=30).value == before


def test_a_result_that_would_fill_the_memory_of_this_process_is_refused(pool):
    assert len(pool.call(f.return_bytes, MAX_RESULT_BYTES - 4096, timeout_s=30).value) == MAX_RESULT_BYTES - 4096
    outcome = pool.call(f.return_bytes, MAX_RESULT_BYTES, timeout_s=30)
    assert outcome.status == "raised" and "returned" in str(outcome.value)


@pytest.mark.parametrize("function", [lambda: 1, f.return_a_lambda()])
def test_what_cannot_be_sent_is_said_before_a_worker_is_asked(pool, function):
    with pytest.raises(R1Error, match="cannot be sent to a worker process"):
        pool.submit(function, timeout_s=1)
    with pytest.raises(R1Error, match="cannot be sent to a worker process"):
        pool.submit(f.add, function, timeout_s=1)


def test_a_function_of_the_script_that_runs_is_refused_with_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, r1sdk\ndef mine(): pass\n"
        "try: asyncio.run(r1sdk.call_isolated(mine, timeout_s=1))\nexcept r1sdk.R1Error as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "mine is defined in the running script" in done.stdout and "move it to a module" in done.stdout


# Deadlines


def test_the_deadline_runs_from_when_a_call_starts_and_not_from_when_it_was_queued():
    with WorkerPool(workers=1) as pool:
        outcomes = [pool.submit(f.wait, 0.5, timeout_s=1.5) for _ in range(5)]
        assert [outcome.result(timeout=60).status for outcome in outcomes] == ["ok"] * 5


def test_what_a_function_needs_to_import_is_not_counted_against_its_time(pool, tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1.5)\ndef one(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import slow_to_import

    outcome = pool.call(slow_to_import.one, timeout_s=0.75)
    assert (outcome.status, outcome.value) == ("ok", 1)


def test_a_hanging_call_costs_a_batch_its_deadline_and_no_more(pool):
    pool.call(f.add, 1, 1, timeout_s=30)
    started = time.monotonic()
    outcomes = [pool.submit(f.loop_for_ever, timeout_s=2), *(pool.submit(f.add, n, 1, timeout_s=2) for n in range(63))]
    hung, *rest = (outcome.result(timeout=60) for outcome in outcomes)
    assert hung.status == "timeout" and [outcome.value for outcome in rest] == [*range(1, 64)]
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("seconds", [1e9, float("inf")])
def test_a_deadline_may_be_as_far_away_as_anyone_likes(pool, seconds):
    assert pool.call(f.add, 1, 1, timeout_s=seconds).value == 2


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_deadline_is_a_time_above_zero(pool, seconds):
    with pytest.raises(ValueError, match="timeout_s"):
        pool.submit(f.add, 1, 1, timeout_s=seconds)


# Where it may be called from


def test_calls_come_from_any_thread_at_the_same_time(pool):
    results = {}

    def calls(thread):
        results[thread] = [pool.call(f.add, thread, n, timeout_s=30).value for n in range(20)]

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results == {number: [number + n for n in range(20)] for number in range(8)}


async def several():
    outcomes = await asyncio.gather(*(r1sdk.call_isolated(f.add, 1, n, timeout_s=30) for n in range(10)))
    return [outcome.value for outcome in outcomes]


def test_calls_come_from_several_event_loops_one_after_the_other():
    for _ in range(3):
        assert asyncio.run(several()) == [*range(1, 11)]


def test_calls_come_from_event_loops_in_several_threads():
    results = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(several()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results == [[*range(1, 11)]] * 4


def test_a_loop_that_was_left_while_a_call_ran_does_not_disturb_the_next():
    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(r1sdk.call_isolated(f.wait, 1.0, timeout_s=30), timeout=0.1)

    asyncio.run(give_up())
    assert asyncio.run(several()) == [*range(1, 11)]


def test_calls_come_from_a_child_that_was_forked_and_the_parent_keeps_its_own():
    assert asyncio.run(several()) == [*range(1, 11)]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            values = asyncio.run(several())
            os.write(writer, repr(values).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        assert said.read() == repr([*range(1, 11)])
    os.waitpid(child, 0)
    assert asyncio.run(several()) == [*range(1, 11)]


@pytest.mark.parametrize("daemon", [False, True])
def test_calls_come_from_a_process_that_was_spawned(daemon):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=f.add_in_a_child, args=(queue,), daemon=daemon)
    process.start()
    assert queue.get(timeout=120) == [("ok", 2), ("ok", 3)]
    process.join(timeout=60)
    assert process.exitcode == 0


def test_a_call_inside_a_worker_is_made_in_place(pool):
    status, value, failed, pid = pool.call(f.isolated_again, timeout_s=30).value
    assert (status, value, failed) == ("ok", 3, "raised")
    assert not processes_under(pid)


def test_the_ranks_of_a_machine_share_its_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8), raising=False)
    for processes, workers in {"1": 8, "2": 4, "3": 2, "16": 1}.items():
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert default_workers() == workers


# What a worker has and keeps


def test_a_worker_has_no_secrets_of_this_process(monkeypatch):
    secrets = ["HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_PAT", "DB_PASSWORD", "WANDB_API_KEY"]
    secrets += ["HUGGING_FACE_HUB_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "mytoken", "SENTRY_DSN", "SSH_AUTH_SOCK"]
    for name in secrets:
        monkeypatch.setenv(name, "sesame-open")
    monkeypatch.setenv("DATABASE", "postgres://me:sesame-open@host/db")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("R1_HARMLESS", "kept")
    with WorkerPool(workers=1) as pool:
        variables, at_start = pool.call(f.environment, timeout_s=30).value
    assert not {*secrets, "DATABASE"} & set(variables)
    assert "sesame-open" not in at_start and "sesame-open" not in str(variables)
    assert variables["R1_HARMLESS"] == "kept" and variables["TOKENIZERS_PARALLELISM"] == "false"
    assert variables["OMP_NUM_THREADS"] == "1"


def test_what_a_function_prints_goes_nowhere_and_there_is_nothing_to_read(pool, capfd):
    outcome = pool.call(f.print_much, timeout_s=60)
    assert (outcome.status, outcome.value) == ("ok", "done")
    assert pool.call(f.read_stdin, timeout_s=30).value == ""
    assert capfd.readouterr() == ("", "")


def test_a_worker_leaves_no_core_dumps(pool):
    assert pool.call(f.core_dump_limit, timeout_s=30).value == (0, 0)


def test_what_a_call_changes_in_its_process_is_put_back():
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.state_of_the_process, timeout_s=30).value
        pool.call(f.change_the_process, timeout_s=30)
        assert pool.call(f.state_of_the_process, timeout_s=30).value == before
        time.sleep(1.2)  # the alarm that it set
        assert pool.call(f.add, 1, 1, timeout_s=30).status == "ok"


@pytest.mark.parametrize("function", [f.leave_a_child, f.leave_a_daemon])
def test_processes_that_a_call_leaves_behind_are_ended_with_its_worker(function):
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.pid, timeout_s=30).value
        left = pool.call(function, timeout_s=30).value
        assert pool.call(f.pid, timeout_s=30).value != before
        assert ends(left) and ends(before)


def test_a_daemon_of_a_call_that_hangs_is_ended_too(tmp_path):
    with WorkerPool(workers=1) as pool:
        assert pool.call(f.leave_a_daemon_and_hang, str(tmp_path / "pid"), timeout_s=2).status == "timeout"
        assert ends(int((tmp_path / "pid").read_text()))


def test_a_worker_with_a_thread_of_an_earlier_call_is_replaced():
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.leave_a_thread, timeout_s=30).value
        assert pool.call(f.pid, timeout_s=30).value != before


def test_a_module_that_starts_a_thread_is_imported_by_the_workers_and_not_where_they_are_forked(tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "def one(): return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import threaded

    with WorkerPool(workers=1) as pool:
        assert [pool.call(threaded.one, timeout_s=30).value for _ in range(2)] == [1, 1]
        assert pool.call(f.add, 1, 1, timeout_s=30).value == 2


def test_a_module_that_cannot_be_imported_there_is_reported_with_the_call(pool, tmp_path, monkeypatch):
    file = tmp_path / "here_only.py"
    file.write_text("def one(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import here_only

    file.write_text("import no_such_module\n")
    outcome = pool.call(here_only.one, timeout_s=30)
    assert outcome.status == "raised" and "no_such_module" in str(outcome.value)


# Workers and servers that end


def test_a_worker_killed_from_outside_while_it_works_loses_its_call(pool, tmp_path):
    outcome = pool.submit(f.leave_a_daemon_and_hang, str(tmp_path / "pid"), timeout_s=60)
    while not (tmp_path / "pid").exists():
        time.sleep(0.02)
    hanging = [pid for pid in processes_under(os.getpid()) if pool_worker(pid)]
    for pid in hanging:
        os.kill(pid, signal.SIGKILL)
    died = outcome.result(timeout=30)
    assert died.status == "died" and "SIGKILL" in died.reason
    assert pool.call(f.add, 1, 1, timeout_s=30).value == 2


def pool_worker(pid):
    """Whether `pid` is a worker: a child of a fork server, which is a child of this process."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    grandparent = Path(f"/proc/{stat[1]}/stat").read_text().rpartition(")")[2].split()[1]
    return int(grandparent) == os.getpid() and b"fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_worker_killed_from_outside_between_calls_costs_nothing():
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.pid, timeout_s=30).value
        os.kill(before, signal.SIGKILL)
        assert ends(before)
        outcome = pool.call(f.pid, timeout_s=30)
        assert outcome.status == "ok" and outcome.value != before


def test_a_fork_server_that_is_killed_is_started_again():
    with WorkerPool(workers=1) as pool:
        before = pool.call(f.pid, timeout_s=30).value
        server = int(Path(f"/proc/{before}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        assert ends(before)  # the kernel ends its workers
        assert pool.call(f.add, 1, 1, timeout_s=30).value == 2


def test_no_zombie_is_left_while_the_pool_works_and_no_process_after_it_is_closed():
    with WorkerPool(workers=2) as pool:
        futures = [pool.submit(function, timeout_s=0.5) for function in [*HANGS[:2], *DIES] * 2]
        assert {future.result(timeout=60).status for future in futures} <= {"timeout", "died"}
        alive = pool.call(f.pid, timeout_s=30).value
        server = int(Path(f"/proc/{alive}/stat").read_text().rpartition(")")[2].split()[1])
        deadline = time.monotonic() + 5
        while "Z" in processes_under(server).values() and time.monotonic() < deadline:
            time.sleep(0.05)  # the last ones are buried after their outcome is known
        processes = processes_under(server)
        assert "Z" not in processes.values() and 1 <= len(processes) <= 2
    assert not any(map(exists, [server, *processes]))


def test_closing_ends_what_runs_and_cancels_what_waits():
    pool = WorkerPool(workers=1)
    running = pool.submit(f.sleep_for_ever, timeout_s=1000)
    waiting = pool.submit(f.add, 1, 1, timeout_s=1000)
    while not running.running():
        time.sleep(0.01)
    pool.close()
    error = running.exception(timeout=30)  # it may have been before its start
    assert isinstance(error, R1Error) if error else running.result().status == "died"
    assert waiting.cancelled()
    with pytest.raises(R1Error, match="closed"):
        pool.submit(f.add, 1, 1, timeout_s=1)


HOLD = """
import sys, time, isolated_functions as f
from r1sdk.workers.pool import WorkerPool
pool = WorkerPool(workers=2)
print(pool.call(f.pid, timeout_s=60).value, flush=True)
for function in (f.loop_and_block_every_signal, f.leave_a_daemon_and_hang):
    pool.submit(function, *sys.argv[1:] if function is f.leave_a_daemon_and_hang else (), timeout_s=1000)
{then}
time.sleep(1000)
"""


def hold(tmp_path, then=""):
    """A process with a pool whose workers hang, and every process under it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1] / "support"), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(then=then), str(tmp_path / "pid")], env=environment, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    under = processes_under(process.pid)
    assert len(under) >= 4  # the server, two workers, a daemon
    return process, under


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_process_that_uses_the_pool_is_killed_nothing_is_left_after_two_seconds(tmp_path, number):
    process, under = hold(tmp_path)
    process.send_signal(number)
    process.wait()
    deadline = time.monotonic() + 2
    assert all(ends(pid, deadline - time.monotonic()) for pid in under)


def test_a_forked_child_that_outlives_the_process_does_not_keep_its_workers(tmp_path):
    process, under = hold(tmp_path, "import os\nif os.fork() == 0: time.sleep(8); os._exit(0)")
    assert len(children := [pid for pid in under if b"fork_server" in cmdline(pid)]) >= 4
    process.kill()
    process.wait()
    deadline = time.monotonic() + 2
    assert all(ends(pid, deadline - time.monotonic()) for pid in children)


def cmdline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_process_that_ends_by_itself_ends_its_workers(tmp_path):
    process, under = hold(tmp_path, "time.sleep(1); raise SystemExit")
    assert process.wait(timeout=30) == 0
    assert all(map(ends, under))


def test_a_worker_that_cannot_be_started_is_an_error_that_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with WorkerPool(workers=1) as pool, pytest.raises(R1Error, match="no worker process could be started"):
        pool.call(f.add, 1, 1, timeout_s=1)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with WorkerPool(workers=1) as pool, pytest.raises(R1Error, match="no worker process could be started"):
        pool.call(f.add, 1, 1, timeout_s=1)


RANK = """
import asyncio, os, sys, torch
import torch.distributed as dist
import isolated_functions as f, r1sdk
from r1sdk.workers.pool import default_workers
dist.init_process_group("gloo")
torch.ones(512, 512) @ torch.ones(512, 512)  # its threads are there before the workers are

async def calls():
    outcomes = await asyncio.gather(*(r1sdk.call_isolated(f.add, dist.get_rank(), n, timeout_s=60) for n in range(20)))
    hung = await r1sdk.call_isolated(f.loop_for_ever, timeout_s=0.5)
    return [o.value for o in outcomes], hung.status

values, hung = asyncio.run(calls())
found = [None, None]
dist.all_gather_object(found, [os.getpid(), default_workers(), values, hung])
if dist.get_rank() == 0:
    print("found", found)
dist.destroy_process_group()
"""


def test_the_ranks_of_a_distributed_run_have_workers_of_their_own(tmp_path):
    (tmp_path / "rank.py").write_text(RANK)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", tmp_path / "rank.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1] / "support"), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    (first, *zero), (second, *one) = ast.literal_eval(line.removeprefix("found "))
    workers = max(1, len(os.sched_getaffinity(0)) // 2)
    assert first != second
    assert zero == [workers, [*range(20)], "timeout"] and one == [workers, [*range(1, 21)], "timeout"]
