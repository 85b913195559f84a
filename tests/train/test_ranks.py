"""How the processes of a run agree: one alone, and two real ones over gloo."""

import json
import subprocess
import sys

import pytest

from r1sdk import R1Error, RewardError, UnknownName
from r1sdk.training.process_group import SINGLE_PROCESS

pytest.importorskip("torch")

PROGRAM = """
import json, sys
from pathlib import Path
from r1sdk import R1Error, RewardError, UnknownName
from r1sdk.training.process_group import join

processes = join()


def told(work):
    try:
        return work()
    except R1Error as error:
        return [type(error).__name__, str(error)]


def only(rank, error):
    def work():
        if processes.rank == rank:
            raise error
        return rank
    return work


found = {
    "lead": processes.run_on_main(lambda: f"from {processes.rank}"),
    "gather": processes.gather_on_main(lambda: processes.rank * 10),
    "any": [processes.any(False), processes.any(processes.rank == 1)],
    "fails in the second": told(lambda: processes.gather_on_main(only(1, RewardError("the second cannot")))),
    "fails in the first": told(lambda: processes.run_on_main(only(0, UnknownName("reward", "acuracy", ["accuracy"])))),
    "goes on": processes.run_on_main(lambda: "together"),
}
processes.barrier()
Path(sys.argv[1], f"{processes.rank}.json").write_text(json.dumps(found))
processes.close()
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, folder / "program.py", folder], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_all_have_what_the_main_one_found(two):
    assert [found["lead"] for found in two] == ["from 0", "from 0"]


def test_the_main_one_has_what_all_found_in_their_order(two):
    assert [found["gather"] for found in two] == [[0, 10], []]


def test_what_is_asked_of_one_is_asked_of_all(two):
    assert [found["any"] for found in two] == [[False, True], [False, True]]


def test_an_error_of_one_is_raised_in_all_and_they_can_go_on(two):
    for found in two:
        assert found["fails in the second"] == ["RewardError", "the second cannot"]
        kind, message = found["fails in the first"]
        assert kind == "UnknownName" and message.startswith("unknown reward 'acuracy'; did you mean 'accuracy'?")
        assert found["goes on"] == "together"


def test_a_process_alone_does_the_work_and_nothing_else():
    assert (
        SINGLE_PROCESS.main
        and SINGLE_PROCESS.run_on_main(lambda: 1) == 1
        and SINGLE_PROCESS.gather_on_main(lambda: 2) == [2]
    )
    assert (SINGLE_PROCESS.any(True), SINGLE_PROCESS.any(False)) == (True, False)
    with pytest.raises(RewardError, match="not judged"):
        SINGLE_PROCESS.gather_on_main(lambda: (_ for _ in ()).throw(RewardError("not judged")))
    with pytest.raises(R1Error) as raised:
        SINGLE_PROCESS.run_on_main(lambda: (_ for _ in ()).throw(UnknownName("reward", "a", ["b"])))
    assert isinstance(raised.value, UnknownName)
