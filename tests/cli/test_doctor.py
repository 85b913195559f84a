"""`r1 doctor`: what is amiss is found, and named with what to do."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from r1sdk.doctor import Finding, examine
from r1sdk.doctor.machine_checks import check_disk
from r1sdk.doctor.version_checks import OPTIONAL, TESTED, compared

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def said(run_r1):
    return run_r1("doctor", "countdown/tiny", "--json")


@pytest.fixture(scope="module")
def findings(said):
    return {finding["name"]: finding for finding in json.loads(said.out)["findings"]}


def test_a_machine_that_can_train_has_no_failure(said, findings):
    assert said.code == 0, said.out
    assert {finding["status"] for finding in findings.values()} <= {"ok", "warning"}


@pytest.mark.parametrize(
    "name",
    ["python", "torch", "trl", "cpu", "memory", "disk", "port 29500", "HF_TOKEN", "E2B_API_KEY", "sandbox local"],
)
def test_each_part_has_its_line(findings, name):
    assert findings[name]["status"] in ("ok", "warning") and findings[name]["text"]


@pytest.mark.parametrize("name", ["chat template", "end token", "pad token", "lengths", "memory of the run"])
def test_a_recipe_has_its_own(findings, name):
    assert findings[name]["status"] == "ok"


def test_whatever_is_not_ok_says_what_to_do(findings):
    assert all(finding["todo"] for finding in findings.values() if finding["status"] != "ok")


def test_a_token_is_never_printed(r1, monkeypatch):
    monkeypatch.setenv("E2B_API_KEY", "e2b_this_is_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_this_is_secret")
    said = r1("doctor")
    assert "secret" not in said.out + said.err
    assert re.search(r"^ok +E2B_API_KEY +set; ", said.out, re.MULTILINE)


def test_a_recipe_that_cannot_be_trained_fails_with_its_reason_and_the_rest_is_still_told(r1):
    said = r1("doctor", "countdown/tiny", "--rewards", "acuracy")
    assert said.code == 1
    assert re.search(r"^failure +recipe +unknown reward 'acuracy'; did you mean 'accuracy'\?", said.out, re.MULTILINE)
    assert re.search(r"^ok +torch +", said.out, re.MULTILINE)


def test_a_model_whose_weights_are_no_numbers_or_not_whole_fails(r1, tmp_path):
    from r1sdk.plugins.loading import load_plugins

    tiny, folder = load_plugins().get("model", "tiny").target, tmp_path / "model"
    shutil.copytree(tiny, folder)
    assert re.search(r"^ok +weights ", r1("doctor", "--model", str(folder)).out, re.MULTILINE)
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-4] + b"\0\0\xc0\x7f")  # the last value is NaN
    said = r1("doctor", "--model", str(folder))
    assert said.code == 1 and "NaN" in said.out
    (folder / "model.safetensors").write_bytes(content[:-4])
    said = r1("doctor", "--model", str(folder))
    assert said.code == 1 and "model.safetensors is damaged" in said.out


def test_a_model_without_a_chat_template_fails(r1, tmp_path):
    from r1sdk.plugins.loading import load_plugins

    folder = tmp_path / "model"
    shutil.copytree(load_plugins().get("model", "tiny").target, folder)
    (folder / "chat_template.jinja").unlink()
    said = r1("doctor", "--model", str(folder))
    assert said.code == 1
    assert "has no chat template" in said.out


def test_the_tested_versions_are_those_that_the_package_asks_for():
    extras = PROJECT["optional-dependencies"]
    lines = [line for extra in {"train", *(extra for extra, _ in OPTIONAL.values())} for line in extras[extra]]
    asked = {re.split(r"[=<>\[]", line)[0]: line for line in lines}
    for package, wanted in {**TESTED, **{name: version for name, (_, version) in OPTIONAL.items()}}.items():
        assert re.search(rf"[=>]={re.escape(wanted)}(\D|$)", asked[package]) or f">={wanted}." in asked[package], (
            package
        )


@pytest.mark.parametrize(
    ("found", "status"),
    [("1.16.0", "ok"), ("1.16", "ok"), ("1.16.0+cpu", "ok"), ("1.17.0", "warning"), ("1.160", "warning")],
)
def test_a_version_beside_the_tested_ones_is_a_warning(found, status):
    assert compared("trl", found, "1.16", "train").status == status


def test_a_full_disk_is_a_failure(monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100 << 20))
    (found,) = check_disk(tmp_path / "runs" / "new")
    assert (found.status, "make room" in found.todo) == ("failure", True)


def test_training_does_not_begin_on_a_full_disk(r1, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20 << 20))
    said = r1("train", "--env", "countdown", "--out", str(tmp_path / "run"))
    assert said.code == 1
    assert "disk: 20 MB free" in said.err
    assert not (tmp_path / "run").exists()


def test_a_check_that_fails_itself_does_not_hide_the_others():
    def broken():
        raise OSError("no such device")
        yield

    found = list(examine([("gpus", broken), ("cpu", lambda: iter([Finding("cpu", "ok", "2 cores")]))]))
    assert [(f.name, f.status) for f in found] == [("gpus", "failure"), ("cpu", "ok")]
    assert "OSError: no such device" in found[0].text
