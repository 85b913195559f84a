"""A table of hostile and tricky completions over all rewards: each earns what it should, in time and in bounded memory.

The rows are `data/hostile.jsonl`. They are priced one after the other in one process, as the trainer would, under a watch
that kills it where a row takes longer than its deadline and half a second.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import hostile_table
import pytest

import r1_rewards

pytestmark = pytest.mark.heavy

TABLE = Path(__file__).parents[1] / "data" / "hostile.jsonl"
ROWS = [json.loads(line) for line in TABLE.read_text(encoding="ascii").splitlines()]
DEADLINE_S = 5.0  # of what has none of its own: it is done in milliseconds, and hangs if it is not done by then
GRACE_S = 0.5
START_S = 120.0  # for imports, and the first worker
MAX_GROWTH = 200 * 2**20
ELSEWHERE = {
    "model_judge",
    "reward_model",
    "narrowing",
}  # the first two need a server and a model, and have their hostile texts in their own tests; the third reads no text


@dataclass
class Priced:
    """What the process said of each row, by its number; "hung" where it was killed."""

    rows: dict[int, dict] = field(default_factory=dict)
    growth: list[int] = field(default_factory=list)  # bytes, of each process that came to its end


def patience(row: dict) -> float:
    """Seconds after which a row is said to hang: its deadline, and half a second."""
    return hostile_table.DEADLINES.get(row.get("environment", ""), DEADLINE_S) + GRACE_S


def run(first: int, priced: Priced) -> int | None:
    """Price the rows from `first` on in one process. Returns the row that hung, or None at the end."""
    process = subprocess.Popen(
        [sys.executable, hostile_table.__file__, TABLE, str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    lines: queue.Queue[dict | None] = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    at, before = None, 0
    try:
        while True:
            try:
                said = lines.get(timeout=START_S if at is None else patience(ROWS[at]))
            except queue.Empty:
                assert at is not None, "the table does not load"
                priced.rows[at] = {"value": "hung", "status": "", "reason": f"more than {patience(ROWS[at])} s"}
                return at
            if said is None:
                assert process.wait() == 0, f"the process ended at row {at}: {ROWS[at]['id'] if at is not None else ''}"
                return None
            if "memory" in said:
                before = said["memory"]
            elif "start" in said:
                at = said["start"]
            elif "row" in said:
                priced.rows[said["row"]] = said
            else:
                priced.growth.append(said["peak"] - before)
                at = None  # it may take its time to leave
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def priced():
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is read from /proc")
    found, first = Priced(), 0
    while (hung := run(first, found)) is not None:
        first = hung + 1
    return found


def test_the_table_is_large_has_every_reward_and_gives_a_reason_for_each_row():
    assert len(ROWS) >= 200 and len({row["id"] for row in ROWS}) == len(ROWS)
    assert all(row["why"] for row in ROWS)
    names: list[str] = []
    r1_rewards.r1_register_rewards(lambda name, _: names.append(name))
    found = {row.get("reward") for row in ROWS} | ({"accuracy"} if any("environment" in row for row in ROWS) else set())
    assert found - {None} == {*names} - ELSEWHERE


@pytest.mark.parametrize("nth", range(len(ROWS)), ids=lambda nth: ROWS[nth]["id"])
def test_each_row_earns_what_it_should_in_time(priced, nth):
    row, got = ROWS[nth], priced.rows[nth]
    said = f"{row['id']}: {row['why']}; got {got}"
    expected = row["expected"]
    assert got["value"] != "hung", said
    assert (got["value"] is None) == (expected is None), said
    if expected is not None:
        assert got["value"] == pytest.approx(expected, abs=1e-9), said
    if "status" in row:
        assert got["status"] == row["status"], said


def test_memory_grows_by_less_than_two_hundred_megabytes_over_all_rows(priced):
    assert priced.growth, "the last rows hung"
    assert max(priced.growth) < MAX_GROWTH
