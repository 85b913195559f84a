"""The parts of the report: seeds, evaluations during training, links to samples, turns and rollbacks, large and old runs."""

import json
import random
import shlex
import shutil
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from report_runs import ATTACK, Page, a_run, attempt, evaluation

from r1_cli.viewer.paint import reply
from r1sdk.report import RolloutIndex, write_report
from r1sdk.report.collect_run import collect_run
from r1sdk.report.curves import charts, smooth
from r1sdk.report.failures import COUNTED, Failures, view_command
from r1sdk.report.figures import held_out_rows
from r1sdk.report.scan import report_scanner
from r1sdk.report.seeds import run_folders, seed_groups, spread
from r1sdk.report.turns import turn_rewards
from r1sdk.storage import jsonl
from r1sdk.storage.row_checks import rollout_fault
from r1sdk.storage.run_folder import RunFolder

OLD_RUN = Path(__file__).parents[1] / "data" / "run-0.1.0"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A folder that holds the runs of three seeds: their curves go to 0.4, 0.5 and 0.6, and so do their evaluations."""
    root = tmp_path_factory.mktemp("runs") / "seeds"
    for seed in range(3):
        folder = a_run(root / f"seed-{seed}", seed=seed, steps=4)
        end = 0.4 + 0.1 * seed
        lines = [line | {"verdict/mean": end} for line in folder.metrics()]
        folder.metrics_file.write_bytes(b"".join(map(jsonl.dump, lines)))
        folder.write_evaluation("before", evaluation(0.3, n=100))
        folder.write_evaluation("after", evaluation(end, n=100))
    return root


def collected(root):
    return [collect_run(RunFolder.open(path), path.name) for path in run_folders(root)]


def test_runs_of_one_recipe_with_different_seeds_are_a_group_and_others_are_not(seeds, tmp_path):
    runs = collected(seeds)
    assert [(group.name, list(group.runs)) for group in seed_groups(runs)] == [("seeds", [0, 1, 2])]
    other = collect_run(a_run(tmp_path / "other", seed=7, reward="mine"), "other")
    same = collect_run(RunFolder.open(seeds / "seed-0"), "again")
    groups = seed_groups([*runs[:2], other, same])
    assert [list(group.runs) for group in groups] == [[0, 1], [2], [3]]
    assert [group.is_several for group in groups] == [True, False, False]


def test_curves_of_seeds_have_their_mean_in_a_band_of_one_standard_deviation_and_each_seed_behind(seeds):
    runs = collected(seeds)
    groups = seed_groups(runs)
    chart = next(c for part in charts(runs, groups) for c in part["charts"] if c["key"] == "verdict/mean")
    assert len(chart["lines"]) == 3
    [band] = chart["bands"]
    assert band["x"] == [1, 2, 3, 4] and band["mean"] == [0.5] * 4 and band["std"] == [0.1] * 4
    after = next(point for point in chart["means"] if point["moment"] == "after")
    assert after["y"] == 0.5 and after["n"] == 3 and after["error"] == pytest.approx(0.1 / 3**0.5, rel=1e-4)
    assert not next(c for part in charts(runs[:1], seed_groups(runs[:1])) for c in part["charts"])["bands"]


def test_a_band_covers_only_the_steps_that_every_seed_reached(seeds):
    runs = collected(seeds)
    shorter = [runs[0], collect_run(a_run(seeds.parent / "short", seed=5, steps=2), "short")]
    groups = seed_groups(shorter)
    bands = [band for part in charts(shorter, groups) for chart in part["charts"] for band in chart["bands"]]
    assert bands and all(band["x"] == [1, 2] for band in bands)


def test_held_out_figures_of_seeds_follow_their_mean_with_the_error_over_seeds(seeds):
    runs = collected(seeds)
    rows = held_out_rows(runs, seed_groups(runs))
    mean, *each = rows[:4]
    assert (mean.seeds, mean.label) == (3, "accuracy") and [row.run for row in each] == [0, 1, 2]
    assert mean.after["mean"] == pytest.approx(0.5) and mean.after["stderr"] == pytest.approx(0.1 / 3**0.5)
    assert mean.change == pytest.approx(0.2) and mean.error == pytest.approx(0.1 / 3**0.5)
    assert mean.std == pytest.approx(0.1)
    assert spread([0.4]) is None


def test_a_folder_of_seeds_is_one_page(seeds, r1):
    said = r1("report", seeds)
    assert said.code == 0 and said.out.strip() == str(seeds / "report.html")
    text = Page((seeds / "report.html").read_text()).text
    assert "mean of 3 seeds" in text and "standard error over seeds" in text
    assert "one evaluation alone has a sampling error of 0.100 (n = 100 tasks)" in text
    assert "sampling alone would give 0.000" in text  # every seed has the same verdicts in its evaluation file


def test_a_moving_mean_keeps_the_length_and_the_ends_of_a_line():
    assert list(smooth([1.0, 2.0])) == [1.0, 2.0]
    found = smooth([float(at) for at in range(100)])
    assert len(found) == 100 and found[50] == 50.0 and found[0] == 1.5


def test_evaluations_during_training_are_points_with_the_error_of_their_few_tasks(tmp_path):
    folder = a_run(tmp_path / "run")
    (folder.evaluations / "during.jsonl").unlink()
    for value in (1.0, 0.0, 0.0, 1.0, None):
        folder.append_evaluation("during", [attempt(f"test/{value}{random.random()}", value=value)], [None], step=5)
    folder.append_evaluation("during", [attempt("test/x", value=None)], [None], step=7)
    (folder.evaluations / "checkpoints.jsonl").write_text(
        json.dumps({"step": 6, "accuracy": 0.5, "n": 2, "values": {"a": 1.0, "b": 0.0}}) + "\nnonsense\n"
    )
    run = collect_run(folder, "run")
    points = next(c for part in charts([run]) for c in part["charts"] if c["key"] == "verdict/mean")["points"]
    assert [(p["moment"], p["x"], p["n"]) for p in points] == [
        ("before", 0, 4),
        ("after", 10, 4),
        ("during", 5, 4),
        ("checkpoint", 6, 2),
    ]  # no verdict at step 7 is no point, and not 0
    assert points[2]["y"] == 0.5 and points[2]["error"] == pytest.approx((1 / 3 / 4) ** 0.5, rel=1e-4)
    assert any("checkpoints.jsonl, line 2" in fault for fault in run.faults)


def test_every_link_of_the_page_leads_to_a_place_of_the_page(tmp_path):
    folder = a_run(tmp_path / "run")
    folder.append_rollouts(10, [attempt("train/9", reason="equals 4, not 5")], [None])
    page = Page(write_report([folder.path]).read_text())
    places = {a["id"] for _, a in page.elements if "id" in a}
    links = [a["href"].removeprefix("#") for tag, a in page.elements if tag == "a"]
    assert set(links) <= places
    assert {"kind-1", "kind-2", "lost", "learned"} <= set(links)


def test_kinds_of_failure_and_lost_tasks_have_samples_and_the_command_that_lists_them_all(tmp_path, r1):
    folder = a_run(tmp_path / "a run")
    for step in (9, 10):
        folder.append_rollouts(
            step, [attempt(f"train/{step}", "<answer>seventeen</answer>", reason="it isn't 4")], [None]
        )
    run = collect_run(folder, "run")
    assert [one.when for one in run.examples["it isn't N"]] == ["step 9", "step 10"]
    assert [(b.task, a.task) for b, a in run.changed["lost"]] == [("test/3", "test/3")]
    assert [b.task for b, _ in run.changed["learned"]] == ["test/0", "test/1"]
    text = Page(write_report([folder.path]).read_text()).text
    assert "seventeen" in text
    command = view_command(str(folder.path), "it isn't N")
    assert command in text and f"r1 view '{folder.path}' --filter change:lost" in text
    said = r1(*shlex.split(command)[1:], "--export", tmp_path / "two.jsonl")
    assert said.code == 0 and said.err.startswith("2 of ")
    assert view_command("runs/a", "both \" and '") is None


def test_reasons_that_never_repeat_fill_no_memory_and_frequent_ones_are_still_counted():
    failures = Failures(10)
    rng = random.Random(0)
    for at in range(12_000):
        reason = (
            "uses 3 twice"
            if at % 10 == 0
            else f"never {rng.getrandbits(64):x} again".translate(str.maketrans("0123456789", "ghijklmnop"))
        )
        failures.add({"step": 1, "verdict": {"value": 0.0, "status": "ok", "reason": reason}})
    found = failures.found()
    assert len(found) <= COUNTED and found["uses N twice"].first == pytest.approx(0.1)


def test_no_character_of_a_model_acts_on_the_page(tmp_path):
    text = ATTACK + "\u202eevil\u2066\u200b\x00\x9b שלום"
    folder = a_run(tmp_path / "run", text)
    folder.append_rollouts(10, [attempt("train/\u202e", text, reason="\u202ereason \x1b[2J")], [None])
    folder.append_metrics({"kind": "warning", "step": 10, "name": "x", "text": "\u202ewarning"})
    page = write_report([folder.path]).read_text(encoding="utf-8")
    acting = {c for c in Page(page).text if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    assert acting == {"\n"}
    for shown in ("‹RLO›evil‹LRI›‹ZWSP›‹NUL›‹U+009B› שלום", "‹RLO›reason ‹ESC›[NJ", "‹RLO›warning", "train/‹RLO›"):
        assert shown in Page(page).text, shown
    assert "\\u202e" not in page  # in the data of the curves


GOOD = {
    "step": 1,
    "task": {"prompt": [{"role": "user", "content": "x"}], "id": "a", "info": {}},
    "completion": {"messages": [{"role": "assistant", "content": "y"}], "tokens": 3, "finish": "stop"},
    "verdict": {"value": 1.0, "status": "ok", "reason": "", "extracted": None, "seconds": 0.1, "marks": {}},
    "rewards": {"accuracy": 1.0, "format": None},
    "total": 1.0,
    "statuses": {"format": "error"},
    "reasons": {"format": "no"},
    "session": {"turns": 1, "turn_rewards": [1.0, None]},
}
VALUES = [None, True, -1, 7, 1e301, 0.5, "x", "\ud800", [], [1], {}, {"role": 3}, [{"role": "user"}], {"value": "x"}]


def test_the_fast_reader_refuses_the_lines_that_the_full_check_refuses_and_reads_the_others_alike():
    rng = random.Random(0)
    scanned = report_scanner()
    refused = 0
    for _ in range(3000):
        row = json.loads(json.dumps(GOOD))
        for _ in range(rng.randint(0, 2)):
            inner = rng.choice([row, row, *(part for part in row.values() if isinstance(part, dict) and part)])
            key = rng.choice([*inner])
            if rng.random() < 0.25:
                del inner[key]
            elif rng.random() < 0.1:
                inner["unknown"] = 1
            else:
                inner[key] = rng.choice(VALUES)
        data = jsonl.dump(row)
        if rng.random() < 0.1:
            data = data[: rng.randrange(len(data))] + rng.choice([b"", b"\xff", b"}", b"NaN"])
        try:
            wanted = jsonl.parse(data, rollout_fault)
        except jsonl.DamagedLine as error:
            refused += 1
            with pytest.raises(jsonl.DamagedLine) as raised:
                scanned(data)
            assert str(raised.value) == str(error)
            continue
        found = scanned(data)
        assert (found.get("step") or 0) == (wanted.get("step") or 0)
        assert (found["verdict"] or {}).get("value") == (wanted.get("verdict") or {}).get("value")
        assert (found["completion"].get("tokens") or 0) == (wanted["completion"].get("tokens") or 0)
    assert 300 < refused < 2700


def test_the_memory_of_a_report_does_not_grow_with_its_rollouts(tmp_path):
    folder = a_run(tmp_path / "run", steps=4)
    line = jsonl.dump(GOOD | {"verdict": GOOD["verdict"] | {"value": 0.0, "reason": "wrong"}})
    line = line.replace(b'"content": "y"', b'"content": "' + b"y" * 10_000 + b'"')
    with folder.rollouts_file.open("ab") as file:
        file.writelines(line.replace(b'"step": 1', b'"step": %d' % (1 + at % 4)) for at in range(2000))
    collect_run(folder, "run")
    tracemalloc.start()
    run = collect_run(folder, "run")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run.rollouts == 2004 and peak < 5e6  # of 20 MB


def turned(step, rewards, verdict=()):
    line = json.loads(json.dumps(GOOD)) | {"step": step}
    line["completion"]["messages"] = [{"role": "assistant", "content": f"<answer>{at}</answer>"} for at in range(3)]
    return line | {
        "session": {"turns": 3, "turn_rewards": rewards},
        "verdict": GOOD["verdict"] | {"turn_rewards": [*verdict]},
    }


def test_rewards_of_turns_have_a_table_and_stand_with_their_turns(tmp_path):
    folder = a_run(tmp_path / "run")
    assert "Rewards of single turns" not in write_report([folder.path]).read_text()
    lines = [turned(1, [0.5, None, -1.0]), turned(1, [0.25, None]), turned(10, [1.0, None, None], [0.5, 2.0])]
    with folder.rollouts_file.open("ab") as file:
        file.writelines(map(jsonl.dump, lines))
    assert turn_rewards(lines[2]) == [1.5, 2.0, None]
    run = collect_run(folder, "run")
    assert [(row.turn, row.first, row.last) for row in run.turns] == [
        ("1", 0.375, 1.5),
        ("2", None, 2.0),
        ("3", -1.0, None),
    ]
    assert "Rewards of single turns" in write_report([folder.path]).read_text()
    shown = [str(getattr(part, "plain", "")) for part in reply(lines[2])]
    assert "reward of this turn: 1.5" in shown and "reward of this turn: 2" in shown


def test_rollbacks_have_a_table_and_the_steps_that_they_gave_up(tmp_path):
    folder = a_run(tmp_path / "run")
    assert "Rollbacks" not in write_report([folder.path]).read_text()
    record = {
        "at": 8,
        "to": 4,
        "reason": "the reward fell \u202eto 0",
        "learning_rate": 0.5,
        "ends": False,
        "done": True,
    }
    folder.note("rollbacks", [record])
    (folder.path / "rollback-1.jsonl").write_bytes(
        b"".join(jsonl.dump({"kind": "step", "step": step, "reward": 0.1}) for step in range(5, 9))
    )
    with (folder.path / "rollback-1.jsonl").open("a") as file:
        file.write("nonsense\n")
    run = collect_run(folder, "run")
    [reward] = [c for part in charts([run]) for c in part["charts"] if c["key"] == "reward"]
    assert [line["x"] for line in reward["given_up"]] == [[5, 6, 7, 8]]
    text = Page(write_report([folder.path]).read_text()).text
    assert "× 0.5" in text and "the reward fell ‹RLO›to 0" in text
    assert any("rollback-1.jsonl, line 5" in fault for fault in run.faults)


def test_a_checkpoint_that_was_clearly_better_than_the_end_is_named(tmp_path):
    folder = a_run(tmp_path / "run")
    (folder.evaluations / "after.jsonl").unlink()
    for at in range(20):
        folder.append_evaluation("after", [attempt(f"test/{at}", value=0.0)], [None])
    (folder.checkpoints / "checkpoint-6").mkdir()
    for values, is_named in (({f"test/{at}": float(at % 2) for at in range(20)}, True), ({"test/0": 0.0}, False)):
        (folder.evaluations / "checkpoints.jsonl").write_bytes(
            jsonl.dump({"step": 6, "accuracy": 0.5, "n": len(values), "values": values})
        )
        text = Page(write_report([folder.path]).read_text()).text
        assert ("The checkpoint of step 6 was better than the model at the end: 0.500 on 20 tasks" in text) == is_named


def test_a_run_folder_of_the_last_version_has_its_page_and_its_list(tmp_path, r1):
    run = tmp_path / "run"
    shutil.copytree(OLD_RUN, run)
    said = r1("report", run)
    assert said.code == 0 and "warning" not in said.err
    text = Page((run / "report.html").read_text()).text
    for told in ("0.370 ± 0.022", "0.392 ± 0.022", "uses N, which is not given", "trl 1.16.0"):
        assert told in text, told
    index = RolloutIndex.open(run)
    index.refresh()
    assert len(index.rows) == 40 and not index.unreadable


def test_a_recipe_is_named_where_runs_share_neither_name_nor_folder(tmp_path):
    runs = [collect_run(a_run(tmp_path / name / "x", seed=at), f"{name}/x") for at, name in enumerate(("one", "two"))]
    assert [group.name for group in seed_groups(runs)] == ["tiny on countdown"]
