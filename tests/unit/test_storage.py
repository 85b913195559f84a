"""Storage: JSON lines with one policy for torn and damaged lines, one atomic write, one lock."""

import os
import subprocess
import sys
import threading

import pytest

from r1sdk import RunError
from r1sdk.storage import jsonl
from r1sdk.storage.atomic import drop_leftovers, replace_file, replace_folder, replacing
from r1sdk.storage.lock import FolderLock, claim_folder

TEXTS = [
    "",
    "a\nb",
    "\u2028",
    "\u2029",
    "\x85",
    "\r",
    "\r\n",
    "\x0b\x0c\x1c\x1d\x1e",
    "\x00",
    "\ud800",
    "\udfff\\u0000",
    "𝕏",
    "\ufeff",
]


def rows(*numbers):
    return [{"n": number} for number in numbers]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_one_line_that_reads_back(tmp_path, text):
    file = tmp_path / "a.jsonl"
    jsonl.append(file, [{"text": text, text: 1}, {"text": "next"}])
    assert file.read_bytes().count(b"\n") == 2
    assert list(jsonl.read(file)) == [{"text": text, text: 1}, {"text": "next"}]
    assert jsonl.last(file) == {"text": "next"}
    tail = jsonl.Tail(file)
    assert [row["text"] for row in tail.more()] == [text, "next"]


@pytest.mark.parametrize("torn", [b'{"n": 3', b'{"n": 3}', '{"n": "é'.encode()[:-1], b"\x00" * 9, b"[", b"\xff"])
def test_a_torn_last_line_is_left_out_by_readers_and_cut_off_by_writers(tmp_path, torn):
    file = tmp_path / "a.jsonl"
    jsonl.append(file, rows(1, 2))
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    assert list(jsonl.read(file)) == rows(1, 2) and jsonl.last(file) == {"n": 2}
    assert list(jsonl.Tail(file).more()) == rows(1, 2)
    assert jsonl.repair(file) == len(torn) and file.read_bytes() == whole
    assert jsonl.repair(file) == 0
    jsonl.append(file, rows(3))
    assert list(jsonl.read(file)) == rows(1, 2, 3)


def test_a_file_that_is_one_long_torn_line_is_repaired_to_nothing(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x" * 200_000)
    assert jsonl.repair(file) == 200_000 and file.read_bytes() == b""
    assert jsonl.repair(tmp_path / "none") == 0 and list(jsonl.read(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b'{"n": 2', "is not JSON"),
        (b'{"n": 2}{"n": 3}', "is not JSON"),
        (b"\xff{}", "is not UTF-8 at its byte 0"),
        (b"\x00\x00", "is not JSON"),
        (b"[1]", r"must be an object, got \[1\]"),
        (b"null", "must be an object"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nests too deep"),
        (b'{"m": 1}', "has the wrong shape: no n"),
    ],
)
def test_a_damaged_line_is_an_error_that_names_it_or_is_counted_never_passed_over(tmp_path, bad, said):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\n' + bad + b'\n{"n": 4}\n')

    def check(row):
        return None if "n" in row else "no n"

    with pytest.raises(RunError, match=rf"a\.jsonl, line 2 .*{said}"):
        list(jsonl.read(file, check=check))
    damage = jsonl.Damage()
    assert list(jsonl.read(file, damage=damage, check=check)) == rows(1, 4)
    assert damage.count == 1 and "line 2" in str(damage)
    tail = jsonl.Tail(file, check)
    assert list(tail.more()) == rows(1, 4) and tail.damage.count == 1
    assert jsonl.keep_rows(file, lambda row: True, jsonl.Damage(), check) == 2
    assert list(jsonl.read(file)) == rows(1, 4)


def test_a_long_list_of_damaged_lines_is_counted_and_the_first_are_described(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"?\n" * 50)
    damage = jsonl.Damage()
    assert list(jsonl.read(file, damage=damage)) == []
    assert damage.count == 50 and str(damage).endswith("and 47 more")


def test_files_of_others_may_lack_the_last_newline_and_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n\n{"n": 2}')
    assert list(jsonl.read(file, torn=True)) == rows(1, 2)


def test_rows_that_stay_keep_their_bytes_whether_the_end_goes_or_the_middle(tmp_path):
    file = tmp_path / "a.jsonl"
    lines = [b'{"n":1,   "x": "\\u00e9"}\n', b'{"n": 2}\n', b'{"n": 3}\n']
    file.write_bytes(b"".join(lines) + b'{"n"')
    assert jsonl.keep_rows(file, lambda row: row["n"] < 3) == 2
    assert file.read_bytes() == lines[0] + lines[1]
    file.write_bytes(b"".join(lines))
    assert jsonl.keep_rows(file, lambda row: row["n"] != 2) == 2
    assert file.read_bytes() == lines[0] + lines[2]
    assert jsonl.keep_rows(tmp_path / "none", lambda row: True) == 0
    assert not (tmp_path / "none").exists() and [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_followed_file_gives_each_line_once_and_begins_anew_when_it_was_rewound(tmp_path):
    file = tmp_path / "a.jsonl"
    tail = jsonl.Tail(file)
    assert list(tail.more()) == [] and not tail.restarted()
    jsonl.append(file, rows(1, 2))
    with file.open("ab") as handle:
        handle.write(b'{"n": ')
    assert list(tail.more()) == rows(1, 2) and list(tail.more()) == []
    with file.open("ab") as handle:
        handle.write(b"3}\n")
    assert list(tail.more()) == rows(3)
    jsonl.keep_rows(file, lambda row: row["n"] < 2)
    assert tail.restarted() and list(tail.more()) == rows(1) and not tail.restarted()
    jsonl.append(file, rows(2))
    assert list(tail.more()) == rows(2)
    jsonl.keep_rows(file, lambda row: row["n"] < 2)
    jsonl.append(file, rows(7, 8, 9))  # longer than before: its size does not tell
    assert tail.restarted() and list(tail.more()) == rows(1, 7, 8, 9)
    file.unlink()
    assert tail.restarted() and list(tail.more()) == []


READER = """
import resource, sys
from pathlib import Path
from r1sdk.storage import jsonl
file = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(1 for _ in jsonl.read(file)) == int(sys.argv[2])
jsonl.repair(file)
assert jsonl.keep_rows(file, lambda row: row["n"] % 2 == 0) == int(sys.argv[2]) // 2
list(zip(range(3), jsonl.Tail(file).more()))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.heavy
def test_memory_does_not_grow_with_a_file_that_is_streamed(tmp_path):
    file = tmp_path / "a.jsonl"
    count = 4000
    jsonl.append(file, ({"n": n, "text": "x" * 10_000} for n in range(count)))  # 40 MB
    said = subprocess.run([sys.executable, "-c", READER, file, str(count)], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 8_000, "kB"


def test_a_replaced_file_is_the_old_one_or_the_new_one(tmp_path):
    file = tmp_path / "a.json"
    replace_file(file, "old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as new:
        new.write(b"half")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["a.json"]
    replace_file(file, "new \ud800")
    assert file.read_text() == "new \\ud800"


def test_a_replaced_file_and_its_name_reach_the_disk_before_the_writer_goes_on(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def watched(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), (tmp_path / "a").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    replace_file(tmp_path / "a", "text")
    assert [is_there for _, is_there in synced] == [False, True]  # the content before the rename, the folder after it
    assert synced[1][0] == str(tmp_path)


def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path; from r1sdk.storage.atomic import replace_file\n"
        "file = Path(sys.argv[1]); replace_file(file, 'old')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: replace_file(file, 'x' * 100_000)\n"
        "except OSError: print('refused')"
    )
    said = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert said.stdout == "refused\n" and (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_kill_leaves_of_a_replaced_file_is_dropped(tmp_path):
    (tmp_path / ".status.json.4711.new").write_text("half")
    (tmp_path / "kept.new").write_text("not ours")
    drop_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.new"]


WRITER = """
import os, sys
from pathlib import Path
from r1sdk.storage.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print(flush=True)
    sys.stdin.read()
"""


def test_the_next_writer_deletes_the_unfinished_file_of_a_dead_one_and_leaves_that_of_a_living_one(tmp_path):
    file = tmp_path / "a.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for writer in writers:
        writer.stdout.readline()
    writers[0].kill()
    writers[0].wait()
    (tmp_path / ".a.json.backup.new").write_text("not ours")
    assert len(list(tmp_path.glob(".a.json.*.new"))) == 3
    replace_file(file, "new")
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.json",
        f".a.json.{writers[1].pid}.new",
        ".a.json.backup.new",
    }
    writers[1].communicate()
    assert file.read_text() == "half"


def test_a_replaced_folder_is_the_new_one(tmp_path):
    for name, text in (("model", "old"), (".model.new", "new")):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "weights").write_text(text)
    replace_folder(tmp_path / ".model.new", tmp_path / "model")
    assert (tmp_path / "model" / "inner" / "weights").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_held_by_one_until_it_lets_go_or_dies(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    with pytest.raises(RunError, match=rf"in use by another process \(pid {os.getpid()}\)"):
        second.acquire(wait_s=0.05)
    first.release()
    first.release()
    second.acquire()
    second.release()
    code = "import sys, time; from pathlib import Path; from r1sdk.storage.lock import FolderLock\nl = FolderLock(Path(sys.argv[1])); l.acquire(); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"pid {holder.pid}"):
        first.acquire()
    holder.kill()
    holder.wait()
    first.acquire()
    first.release()
    with pytest.raises(RunError, match="cannot lock"):
        FolderLock(tmp_path / "none").acquire()


def test_folders_that_are_claimed_at_the_same_moment_have_different_names(tmp_path):
    barrier, claimed = threading.Barrier(8), []

    def claim():
        barrier.wait()
        claimed.append(claim_folder(tmp_path / "runs" / "run"))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {path.name for path in claimed}
    assert names == {"run", *(f"run-{n}" for n in range(2, 9))}
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot make"):
        claim_folder(tmp_path / "file" / "run")
