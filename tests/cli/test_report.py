"""The report page: what it must hold, what it must never let through, and that a run leaves one."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest
from report_runs import ATTACK, Page, a_run, evaluation

from r1_cli.ui.summary import tell_report
from r1sdk import R1Error
from r1sdk.recipe.schema import load_recipe
from r1sdk.report import PAGE, leave_report, write_report
from r1sdk.report.collect_run import collect_run, short_names
from r1sdk.report.curves import POINTS, charts
from r1sdk.report.failures import failure_kind
from r1sdk.report.figures import differences, held_out_rows
from r1sdk.report.reply_view import shortened, split_reply
from r1sdk.storage.run_folder import RunFolder

VENDOR = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return a_run(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def page(folder):
    return write_report([folder.path]).read_text(encoding="utf-8")


def test_the_page_of_a_run_says_what_was_trained_what_came_of_it_and_how_to_do_it_again(page):
    text = Page(page).text
    for told in (
        "one",
        "GRPO",
        "finished",
        "Held out",
        "0.500 ± 0.100",
        "0.750 ± 0.100",
        "the reward is flat",
        "model: tiny",
        "trl 1.16",
    ):
        assert told in text, told
    assert "2 learned" in text and "1 lost" in text  # of the four tasks, before and after
    for moment in ("before", "step 5", "after"):
        assert moment in text
    assert "uses N twice" in text


def test_the_page_fetches_nothing_and_lets_no_script_run_but_its_own(page):
    found = Page(page)
    assert not [e for e in found.elements if e[0] in ("link", "img", "iframe", "object", "embed", "base", "form")]
    assert not [
        value
        for _, attributes in found.elements
        for name, value in attributes.items()
        if name in ("src", "srcset", "action")
    ]
    assert all(value.startswith("#") for tag, a in found.elements if tag == "a" for value in [a["href"]])
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|WebSocket", page)
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert (
        policy.startswith("default-src 'none'") and policy.count("sha256-") == 2 and "script-src 'unsafe" not in policy
    )


def test_whatever_a_model_wrote_arrives_as_text(tmp_path, page):
    folder = a_run(tmp_path / "hostile", ATTACK)
    folder.append_metrics({"kind": "warning", "step": 10, "name": "x", "text": ATTACK.replace("\ud800", "")})
    hostile = write_report([folder.path]).read_text(encoding="utf-8")
    tags = [{tag for tag, _ in Page(text).elements} for text in (hostile, page)]
    assert tags[0] == tags[1]
    assert sum(tag == "script" for tag, _ in Page(hostile).elements) == 3  # the data, uPlot, ours
    assert not [a for _, a in Page(hostile).elements if any(name.startswith("on") for name in a)]
    assert "alert(1)" in Page(hostile).text and "{{7*7}}" in Page(hostile).text


def test_several_runs_share_axes_and_what_their_recipes_differ_in_is_listed(tmp_path, folder):
    other = a_run(tmp_path / "two", seed=1)
    runs = [
        collect_run(one, name)
        for one, name in zip((folder, other), short_names([folder.path, other.path]), strict=True)
    ]
    assert [run.name for run in runs] == ["one", "two"]
    assert differences(runs) == {"seed": ["0", "1"]}
    learning = charts(runs)[0]
    assert learning["title"] == "Learning"
    assert all([line["run"] for line in chart["lines"]] == [0, 1] for chart in learning["charts"])
    text = write_report([folder.path, other.path], tmp_path / "both.html").read_text(encoding="utf-8")
    assert "2 runs" in Page(text).text


def test_runs_of_one_name_are_told_apart_by_the_folders_above(tmp_path):
    assert short_names([tmp_path / "a" / "run", tmp_path / "b" / "run"]) == ["a/run", "b/run"]


def test_the_change_on_the_same_tasks_has_the_error_of_paired_differences(folder):
    row = held_out_rows([collect_run(folder, "one")])[0]
    assert row.change == pytest.approx(0.25)
    # Differences 1, 1, 0, -1: mean 0.25, mean of squares 0.75.
    assert row.error == pytest.approx(((0.75 - 0.25**2) / 4) ** 0.5)


def test_several_samples_and_categories_have_rows_of_their_own(tmp_path):
    folder = a_run(tmp_path / "run")
    for name, right in (("before", 0.25), ("after", 0.5)):
        one = {"mean": right, "stderr": None, "n": 4}
        more = {"pass_at": {"1": one, "4": one}, "samples": 4, "majority": one, "categories": {"level": {"hard": one}}}
        folder.write_evaluation(name, evaluation(right) | more)
    rows = held_out_rows([collect_run(folder, "run")])
    assert [row.label for row in rows] == ["accuracy", "pass@4", "maj@4", "level hard", "reward format"]
    assert rows[1].change == 0.25 and rows[1].error is None


def test_a_long_run_makes_no_large_page(tmp_path):
    folder = a_run(tmp_path / "run", steps=2)
    with folder.metrics_file.open("a") as file:
        file.writelines(
            json.dumps({"kind": "step", "step": s, "time": s, "reward": s / 3, "loss": 0.123456789}) + "\n"
            for s in range(3, 3000)
        )
    with folder.rollouts_file.open("a") as file:
        line = folder.rollouts_file.read_text().splitlines()[0]
        file.writelines(line.replace('"step": 1', f'"step": {step}', 1) + "\n" for step in range(3, 1000))
    [reward] = [c for g in charts([collect_run(folder, "run")]) for c in g["charts"] if c["key"] == "reward"]
    assert len(reward["lines"][0]["x"]) <= POINTS
    assert reward["lines"][0]["x"][-1] == 2999
    assert write_report([folder.path]).stat().st_size < 250_000


def test_a_run_that_has_only_begun_and_one_of_an_older_kind_have_a_page(tmp_path):
    begun = RunFolder.create(tmp_path / "begun", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    assert "prepared" in write_report([begun.path]).read_text()
    older = a_run(tmp_path / "older")
    for file in older.evaluations.glob("*.jsonl"):
        file.unlink()
    assert "at different tasks" in Page(write_report([older.path]).read_text()).text


def test_a_message_of_a_failed_run_is_on_its_page(tmp_path):
    folder = a_run(tmp_path / "run")
    folder.set_status("failed", message="reward 'mine' raised <ValueError>")
    assert "reward 'mine' raised <ValueError>" in Page(write_report([folder.path]).read_text()).text


def test_what_is_no_run_is_an_error(tmp_path, r1):
    with pytest.raises(R1Error, match="is no run folder"):
        write_report([tmp_path])
    said = r1("report", tmp_path / "none")
    assert said.code == 1 and "is no run folder" in said.err


def test_without_the_extra_a_run_ends_well_and_says_how_to_have_its_page(tmp_path, monkeypatch, capsys):
    folder = a_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(R1Error, match=r"pip install 'r1sdk\[report\]'"):
        write_report([folder.path])
    leave_report(folder)
    assert not (folder.path / PAGE).exists()
    tell_report(folder.path)
    said = capsys.readouterr()
    assert "no report: the report needs jinja2" in said.out
    assert f"pip install 'r1sdk[report]' && r1 report {folder.path}" in said.err


def test_a_page_that_cannot_be_made_does_not_fail_the_run(tmp_path, capsys, monkeypatch):
    folder = a_run(tmp_path / "run")
    monkeypatch.setattr("r1sdk.report.page.render", lambda runs: 1 / 0)
    leave_report(folder)
    assert "no report, and this is a bug" in capsys.readouterr().out


def test_the_command_writes_the_page_and_says_where(folder, r1, tmp_path):
    said = r1("report", folder.path)
    assert said.code == 0 and said.out.strip() == str(folder.path / PAGE)
    said = r1("report", folder.path, folder.path, "--out", tmp_path / "deep" / "page.html")
    assert said.code == 0 and (tmp_path / "deep" / "page.html").is_file()


@pytest.mark.parametrize(
    "verdict, finish, kind",
    [
        ({"value": 1.0, "status": "ok", "reason": ""}, "stop", None),
        ({"value": 0.0, "status": "ok", "reason": "uses 89, which is not given"}, "stop", "uses N, which is not given"),
        ({"value": 0.0, "status": "ok", "reason": "unknown name 'x'; 3/4 left"}, "stop", "unknown name …; N left"),
        ({"value": 0.0, "status": "ok", "reason": "no answer"}, "length", "truncated by the token limit"),
        ({"value": 0.0, "status": "ok", "reason": ""}, "stop", "wrong"),
        ({"value": 0.5, "status": "ok", "reason": ""}, "stop", "partly correct"),
        ({"value": None, "status": "error", "reason": "server 503"}, "stop", "error: server N"),
        ({"value": 0.0, "status": "timeout", "reason": ""}, "stop", "timeout"),
        (None, "stop", None),
    ],
)
def test_failures_of_one_kind_count_as_one(verdict, finish, kind):
    assert failure_kind({"verdict": verdict, "completion": {"finish": finish}}) == kind


@pytest.mark.parametrize(
    "text, found",
    [
        ("<think>a</think>\n<answer>b</answer>", [("think", "a", True), ("answer", "b", True)]),
        ("plain", [("other", "plain", True)]),
        ("", []),
        ("x<think>a", [("other", "x", True), ("think", "a", False)]),
        ("a</think><answer>b", [("think", "a", True), ("answer", "b", False)]),
        (
            "<think>a</think>b<answer>c</answer>d",
            [("think", "a", True), ("other", "b", True), ("answer", "c", True), ("other", "d", True)],
        ),
        ("<think></think><answer></answer>", [("think", "", True), ("answer", "", True)]),
    ],
)
def test_a_reply_is_taken_apart_whatever_it_is(text, found):
    assert [tuple(part) for part in split_reply(text)] == found


def test_a_long_text_keeps_both_ends():
    text = shortened("a" * 5000 + "b" * 5000, 100)
    assert text.startswith("a" * 50) and text.endswith("b" * 50) and "9,900 characters left out" in text


def test_uplot_lies_here_as_its_authors_published_it():
    folder = Path(__file__).parents[2] / "r1sdk" / "report" / "vendor"
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()} == VENDOR
