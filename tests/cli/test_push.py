"""Pushing a data set, against a server on loopback that speaks the four requests of a hub which an upload makes.

The far side is faked, and only that: the real hub is not reached from here.
"""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("huggingface_hub")

from r1sdk import R1Error
from r1sdk.generation import LocalSource, collect, plan_of
from r1sdk.generation.push import check_push, push, push_model
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.records import Completion


class Hub:
    """Takes commits; `files` is what it holds, `made` the requests to make a repository."""

    def __init__(self, refuses=False, private=True):
        self.files, self.made, self.private = {}, [], private
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if refuses:
                    return self.answer({"error": "Repository not found"}, 404)
                return self.answer({"id": "me/set", "private": hub.private})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/api/repos/create":
                    if refuses:
                        return self.answer({"error": "Forbidden"}, 403)
                    hub.made.append(json.loads(body))
                    return self.answer({"url": f"{hub.url}/datasets/me/set", "id": "me/set"})
                if "/preupload/" in self.path:
                    files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
                    return self.answer({"files": [{**file, "shouldIgnore": False} for file in files]})
                if "/commit/" not in self.path:
                    return self.answer({"errors": [], "warnings": []})  # of the card's header
                for line in body.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        hub.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                return self.answer(
                    {"commitUrl": f"{hub.url}/datasets/me/set/commit/0", "commitOid": "0" * 40, "hookOutput": ""}
                )

            def answer(self, said, status=200):
                payload = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def hub(monkeypatch):
    """Starts a hub, where huggingface_hub then goes: `hub(refuses=True)`."""
    started = []

    def start(**options):
        found = Hub(**options)
        started.append(found)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        return found

    yield start
    for found in started:
        found.server.shutdown()
        found.server.server_close()


class Same:
    """A Generator that says one thing."""

    def generate(self, prompts, sampling):
        return [[Completion([{"role": "assistant", "content": "<answer>1</answer>"}], [1])] for _ in prompts]


def test_rows_and_card_are_pushed_private_unless_public(hub, tmp_path):
    found = hub()
    recipe = Recipe(method="generate", model="tiny_blank", env="countdown", collect={"tasks": 2})
    plan = plan_of(plan_run(recipe, load_plugins()), tmp_path / "made.jsonl")
    collect(plan, LocalSource(Same(), plan.sampling))
    push(plan.out, plan.card, "me/set")
    assert found.files["made.jsonl"] == plan.out.read_bytes()
    assert found.files["README.md"] == plan.card.read_bytes() and b"path: made.jsonl" in found.files["README.md"]
    push(plan.out, plan.card, "me/set", public=True)
    assert [(made["visibility"], made["type"]) for made in found.made] == [
        ("private", "dataset"),
        ("public", "dataset"),
    ]
    found.private, found.files = False, {}
    with pytest.raises(R1Error, match="me/set exists and is public: confirm with --public"):
        push(plan.out, plan.card, "me/set")
    assert found.files == {}


def test_a_hub_that_refuses_is_an_error_that_says_so(hub, tmp_path):
    hub(refuses=True)
    recipe = Recipe(method="generate", model="tiny_blank", env="countdown", collect={"tasks": 1})
    plan = plan_of(plan_run(recipe, load_plugins()), tmp_path / "made.jsonl")
    collect(plan, LocalSource(Same(), plan.sampling))
    with pytest.raises(R1Error, match="cannot push to me/set: .*403"):
        push(plan.out, plan.card, "me/set")
    with pytest.raises(R1Error, match="cannot push to a//b"):
        push(plan.out, plan.card, "a//b")


def test_a_model_is_pushed_private_with_its_card(hub, tmp_path):
    found = hub()
    for name in ("README.md", "config.json"):
        (tmp_path / name).write_text(f"{name} of a model")
    assert "me/set" in push_model(tmp_path, "me/set")
    assert set(found.files) == {"README.md", "config.json"} and found.made[0]["visibility"] == "private"
    found.private, found.files = False, {}
    with pytest.raises(R1Error, match="exists and is public"):
        push_model(tmp_path, "me/set")
    assert found.files == {}


@pytest.mark.parametrize("name", ["model", "a//b", "a/b/c", "../x", "https://hf.co/a/b", ""])
def test_a_name_that_is_no_repository_is_refused(name):
    with pytest.raises(R1Error, match="OWNER/NAME"):
        check_push(name)


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_token")
@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--env", "countdown", "--push-to-hub", "me/set"),
        ("generate", "tiny", "--env", "countdown", "--push", "me/set"),
    ],
    ids=["train", "generate"],
)
def test_without_a_token_nothing_begins(r1, tmp_path, monkeypatch, arguments):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    said = r1(*arguments)
    assert said.code == 1 and "without a token: hf auth login, or set HF_TOKEN" in said.err
    assert not list(folder.iterdir())


@pytest.mark.parametrize("more", [("--launcher", "none"), ("--seeds", "0,1")])
def test_a_run_that_leaves_no_single_model_here_is_not_pushed(r1, tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    said = r1("train", "--env", "countdown", "--push-to-hub", "me/set", *more)
    assert said.code == 1 and "hf upload OWNER/NAME RUN/model" in said.err and "hf_secret" not in said.err + said.out
    assert not list(tmp_path.iterdir())
