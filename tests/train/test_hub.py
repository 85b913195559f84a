"""A hub that is away: known in bounded time, said clearly, and done without where its cache has what is asked for.

The hub is a socket on this machine that refuses, hangs, sends slowly, fails or answers: the far side of a network cannot be had here.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from r1sdk import R1Error
from r1sdk.data.demonstrations import FromHub
from r1sdk.plugins.loading import load_plugins
from r1sdk.servers import hub

pytest.importorskip("transformers")

ANSWERS = {
    "fails": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "has none of it": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Error-Code: RepoNotFound\r\n\r\n",
}


@pytest.fixture
def away(monkeypatch):
    """Makes the hub one that does as it is told; returns its address."""
    from huggingface_hub import constants

    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    held, ended = [], threading.Event()

    def serve(manner):
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                if manner == "sends slowly":
                    threading.Thread(target=drip, args=(connection,), daemon=True).start()
                elif manner in ANSWERS:
                    connection.recv(65536)
                    connection.sendall(ANSWERS[manner])

    def drip(connection):
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                connection.sendall(b"X-Wait: 1\r\n")

    def start(manner):
        if manner == "refuses":
            listener.close()
        else:
            threading.Thread(target=serve, args=(manner,), daemon=True).start()
        return address

    for name, value in (("ENDPOINT", address), ("HF_HUB_OFFLINE", False)):
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(hub, "SECONDS", 0.5)
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    hub.reach_hub.cache_clear()
    yield start
    ended.set()
    hub.reach_hub.cache_clear()
    for one in (listener, *held):
        one.close()


@pytest.mark.parametrize("manner", ["refuses", "hangs", "sends slowly", "fails"])
def test_a_model_of_a_hub_that_is_away_is_an_error_in_bounded_time_that_says_why(away, manner, capsys):
    from r1sdk.training.models import check_lengths, load_model, load_tokenizer

    address = away(manner)
    started = time.monotonic()
    for load in (load_tokenizer, load_model, lambda where: check_lengths([], None, where, 1)):
        with pytest.raises(R1Error) as raised:
            load("owner/name")
        assert f"cannot load model 'owner/name': the hub does not answer ({address}: " in str(raised.value)
        assert str(raised.value).endswith(", and its cache does not have it all")
    assert time.monotonic() - started < 60  # asked once, three times half a second; the rest is what the libraries take
    assert capsys.readouterr().err.count("warning: the hub does not answer") == 1


def test_a_hub_that_answers_is_there_and_what_it_says_is_for_its_library(away):
    from huggingface_hub import constants

    away("has none of it")
    assert hub.reach_hub("owner/name") is None
    assert not constants.HF_HUB_OFFLINE


def test_a_process_that_works_offline_asks_nobody(away, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    away("hangs")
    started = time.monotonic()
    assert hub.reach_hub("owner/name") is None
    assert time.monotonic() - started < 0.4


def test_a_data_set_of_a_hub_that_is_away_is_an_error_in_bounded_time_too(away, tmp_path):
    from r1sdk.training.sft.hub_rows import hub_rows

    address = away("refuses")
    with pytest.raises(R1Error, match="cannot load data 'owner/rows': the hub does not answer"):
        hub_rows(FromHub("owner/rows", None, "train", 0, 0))
    environment = load_plugins().build("environment", "hub", {"source": "owner/rows"})
    with pytest.raises(R1Error) as raised:
        list(environment.tasks("train"))
    assert f"the hub does not answer ({address}" in str(raised.value)
    assert "name a local copy of the data set" in str(raised.value)


def test_what_the_cache_has_is_used_where_the_hub_is_away(tmp_path):
    stored = tmp_path / "hub" / "models--owner--name"
    shutil.copytree(load_plugins().get("model", "tiny").target, stored / "snapshots" / "0123abcd")
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text("0123abcd")
    program = (
        "from r1sdk.training.models import load_model, load_tokenizer, context_length\n"
        "print(load_model('owner/name').num_parameters(), len(load_tokenizer('owner/name')), context_length('owner/name'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert [int(word) > 100 for word in found.stdout.split()] == [True] * 3
    assert "warning: the hub does not answer (http://127.0.0.1:9" in found.stderr
