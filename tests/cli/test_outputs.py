"""A disk that refuses, a file that cannot be read, Ctrl-C: one message on every command, and nothing half written."""

import errno
import os
import signal
import threading

import pytest

from r1_cli.interrupts import interrupts_that_arrive
from r1_cli.outputs import disk_message, write_folder, written_file


@pytest.mark.parametrize(
    "command",
    [
        ("eval", "tiny", "--env", "countdown", "--tasks", "2", "--out", "/proc/x"),
        ("generate", "tiny", "--env", "countdown", "--tasks", "2", "--out", "/proc/x.jsonl"),
        ("new", "reward", "foo", "--out", "/proc/foo"),
        ("export", "verifiers", "countdown", "--out", "/proc/foo"),
        ("recipes", "copy", "countdown/tiny", "/proc/x.yaml"),
        ("score", "--text", "hi", "--rewards", "format", "--out", "/proc/x"),
        ("score", "--text", "hi", "--rewards", "format", "--out", "/dev/full"),
        (
            "data",
            "decontaminate",
            "--env",
            "countdown",
            "--set",
            "countdown.train_size=50",
            "--against",
            "countdown",
            "--out",
            "/proc/x.jsonl",
        ),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_place_that_cannot_be_written_is_one_message(r1, command):
    said = r1(*command)
    assert said.code == 1
    assert said.err.count("error: ") == 1
    assert command[-1] in said.err or "no space left" in said.err
    assert ".new" not in said.err


def test_a_file_that_cannot_be_read_is_one_message(r1, tmp_path):
    loop = tmp_path / "loop.jsonl"
    loop.symlink_to(loop)
    for command in (("score", loop, "--rewards", "format"), ("train", tmp_path / "no.yaml"), ("report", loop)):
        said = r1(*command)
        assert said.code == 1 and said.err.count("error: ") == 1, command


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    place = tmp_path / "rows.jsonl"
    place.write_text("old")
    with pytest.raises(OSError, match="full"), written_file(place) as file:
        file.write("new")
        raise OSError(errno.ENOSPC, "full")
    assert place.read_text() == "old" and os.listdir(tmp_path) == ["rows.jsonl"]


def test_a_folder_is_whole_or_not_there(tmp_path):
    with pytest.raises(OSError):
        write_folder(tmp_path / "new", {"a.txt": "a", "a.txt/b.txt": "b"})
    assert os.listdir(tmp_path) == []
    write_folder(tmp_path / "new", {"a.txt": "a", "deep/b.txt": "b"})
    assert (tmp_path / "new/deep/b.txt").read_text() == "b"


def test_a_file_being_written_is_named_by_its_place():
    said = disk_message(OSError(errno.ENOSPC, "No space left on device", "/big/.rows.jsonl.123.new"))
    assert said.startswith("/big/rows.jsonl: no space left on device\n  free some space")
    assert disk_message(OSError(errno.ECHILD, "No child processes")) is None, "a bug keeps its traceback"


def test_ctrl_c_ends_with_one_line(r1):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell has it ignored
    try:
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        said = r1("data", "check", "--env", "countdown", "--set", "countdown.train_size=200000")
    finally:
        signal.signal(signal.SIGINT, before)
    assert said.code == 130
    assert "run the same command again" in said.err and "Aborted" not in said.err


def test_ctrl_c_in_a_finalizer_is_not_dropped():
    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_that_arrive():
            Dropping()
            threading.Event().wait(20.0)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_evaluation_says_that_there_are_fewer_tasks_than_asked(r1, tmp_path):
    flags = ("--set", "countdown.test_size=3", "--set", "generation.max_tokens=2")
    said = r1("eval", "tiny_blank", "--env", "countdown", "--tasks", "5", *flags, "--out", tmp_path / "few")
    assert said.code == 0
    assert (
        "5 tasks asked for, and split test of countdown has 3; make more with --set countdown.test_size=5" in said.err
    )
    said = r1("eval", "tiny_blank", "--env", "countdown", "--tasks", "3", *flags, "--out", tmp_path / "enough")
    assert "asked for" not in said.err
