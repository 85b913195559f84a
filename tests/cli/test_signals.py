"""SIGTERM stops a command as Ctrl-C does: what there is is saved, the message says how to go on, and the status is 143."""

import signal
import time

import pytest

EVAL = ("eval", "tiny", "--env", "countdown", "--tasks", "500")
GENERATE = ("generate", "tiny", "--env", "countdown", "--tasks", "500")
TRAIN = ("train", "--env", "countdown", "--model", "tiny_blank", "--quick", "--steps", "1000")


@pytest.mark.parametrize(
    ("command", "out", "begun", "said"),
    [
        (EVAL, "e", "e/tiny/countdown", "stopped; the attempts so far are in"),
        (GENERATE, "g.jsonl", "g.jsonl.work/settings.json", "the same command goes on from there"),
        (TRAIN, "run", "run/status.json", "continue with: r1 train --resume"),
    ],
    ids=["eval", "generate", "train"],
)
@pytest.mark.parametrize(
    ("number", "code", "ctrl_c"),
    [
        (signal.SIGTERM, 143, signal.default_int_handler),
        (signal.SIGINT, 130, signal.default_int_handler),
        (signal.SIGTERM, 143, signal.SIG_IGN),
    ],
    ids=["SIGTERM", "SIGINT", "SIGTERM in the background"],
)
def test_a_signal_stops_a_command_and_the_message_says_how_to_go_on(
    start_r1, tmp_path, command, out, begun, said, number, code, ctrl_c
):
    before = signal.signal(signal.SIGINT, ctrl_c)  # a process inherits that it is ignored
    try:
        process = start_r1(*command, "--out", tmp_path / out)
    finally:
        signal.signal(signal.SIGINT, before)
    end = time.monotonic() + 60
    while not (tmp_path / begun).exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(number)
    _, rest = process.communicate(timeout=120)
    assert process.returncode == code and said in rest and "Traceback" not in rest
