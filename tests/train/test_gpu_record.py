"""What benchmarks/gpu_all.sh writes down: parts that passed, failed, ran out of time or compared no weights."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def record():
    spec = importlib.util.spec_from_file_location("gpu_record", BENCHMARKS / "gpu_record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def metrics(folder, **more):
    folder.mkdir()
    step = {"kind": "step", "sampler_difference": 1e-6, "receipts/seconds": 0.1, "step_seconds": 2.0, **more}
    lines = [json.dumps({**step, "step": at}) for at in range(3)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def test_one_file_holds_every_part_and_says_which_failed(record, tmp_path, capsys):
    work, out, log = tmp_path, tmp_path / "out.json", tmp_path / "log"
    log.write_text("Traceback: it broke")
    metrics(tmp_path / "run", **{"receipts/tensors": 38.0})
    assert record.main("run", str(work), str(tmp_path / "run")) == 0
    assert record.main("part", str(work), "colocate", "0", "30", str(log)) == 0
    (work / "figures.json").unlink()
    record.main("part", str(work), "server", "1", "9", str(log))
    record.main("part", str(work), "step-1.5b", "124", "0", "/dev/null")
    record.main("result", str(work), str(out), "1", "700")
    found = json.loads(out.read_text())
    assert not found["is_result"] and found["seconds"] == 700 and found["versions"]["torch"]
    good, broken, late = found["parts"]
    assert good["passed"] and good["figures"]["tensors_compared"] == [38.0] * 3 and "log" not in good
    assert good["figures"]["step_s"] == 2.0 and good["figures"]["receipt_s"] == 0.1
    assert not broken["passed"] and broken["log"] == "Traceback: it broke" and "figures" not in broken
    assert late["reason"] == "no time was left"
    assert record.main("status", str(out)) == 1
    said = capsys.readouterr().out
    assert (
        "colocate     passed, 30 s" in said
        and "server       FAILED (status 1), 9 s" in said
        and "no result of a GPU" in said
    )


def test_a_run_whose_weights_were_not_compared_fails(record, tmp_path):
    metrics(tmp_path / "none")
    assert record.main("run", str(tmp_path), str(tmp_path / "none")) == 1
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metrics.jsonl").write_text("")
    with pytest.raises(Exception, match=r"median|data"):
        record.main("run", str(tmp_path), str(tmp_path / "empty"))


def test_the_script_is_sound_and_refuses_what_it_does_not_know():
    script = BENCHMARKS / "gpu_all.sh"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    done = subprocess.run([script, "--nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "unknown option --nonsense" in done.stderr
