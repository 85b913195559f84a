"""Tables as files: each format gives the same rows, and what cannot be read is named with its row."""

import gzip
import json

import pytest

from r1sdk import R1Error
from r1sdk.data.demonstrations import FromFile, check_file
from r1sdk.data.table_files import read_table

ROWS = [{"prompt": "2+2?", "completion": "4"}, {"prompt": "naïve\n数?", "completion": "é"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def rows_of(path):
    return [row if isinstance(row, R1Error) else row[1] for row in read_table(path)]


CSV = 'prompt,completion\n2+2?,4\n"naïve\n数?",é\n'
TEXTS = {
    "lines.jsonl": LINES,
    "UPPER.JSONL": LINES,
    "windows.jsonl": LINES.replace("\n", "\r\n"),
    "bom.jsonl": "\ufeff" + LINES,
    "list.json": json.dumps(ROWS),
    "bom.json": "\ufeff" + json.dumps(ROWS),
    "wrapped.json": json.dumps({"data": ROWS}),
    "lines.json": LINES,
    "table.csv": CSV,
    "bom.csv": "\ufeff" + CSV,
    "table.tsv": CSV.replace(",", "\t"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_each_text_format_gives_the_same_rows_packed_or_not(name, tmp_path):
    raw = TEXTS[name].encode()
    (tmp_path / name).write_bytes(raw)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(raw))
    assert rows_of(tmp_path / name) == rows_of(tmp_path / f"{name}.gz") == ROWS


def test_zstandard_is_read(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.output_stream(str(tmp_path / "a.jsonl.zst"), compression="zstd") as packed:
        packed.write(LINES.encode())
    assert rows_of(tmp_path / "a.jsonl.zst") == ROWS


def test_columnar_files_and_folders_give_the_same_rows(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "a.parquet")
    for name, opened in (("stream", pyarrow.ipc.new_stream), ("file", pyarrow.ipc.new_file)):
        with pyarrow.OSFile(str(tmp_path / f"{name}.arrow"), "wb") as sink, opened(sink, table.schema) as writer:
            writer.write_table(table)
        assert rows_of(tmp_path / f"{name}.arrow") == ROWS
    assert rows_of(tmp_path / "a.parquet") == ROWS
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "README.md").write_text("not rows")
    for part in ("a", "b"):
        (folder / f"{part}.jsonl").write_text(LINES, encoding="utf-8")
    assert rows_of(folder) == ROWS + ROWS
    twice = pyarrow.Table.from_arrays([pyarrow.array(["p"])] * 2, names=["prompt", "prompt"])
    parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(R1Error, match="has the column 'prompt' twice"):
        rows_of(tmp_path / "twice.parquet")


def test_bytes_that_are_no_utf8_name_the_row_and_are_never_replaced(tmp_path):
    file = tmp_path / "latin.jsonl"
    file.write_bytes(LINES.encode() + '{"prompt": "café?", "completion": "x"}\n'.encode("latin-1") + LINES.encode())
    read = rows_of(file)
    assert [row for row in read if isinstance(row, dict)] == ROWS + ROWS
    (bad,) = [str(row) for row in read if isinstance(row, R1Error)]
    assert "latin.jsonl, line 3: byte" in bad and "is not UTF-8" in bad
    for name, raw in {
        "latin.csv": b"prompt,completion\ncaf\xe9,x\n",
        "latin.json": b'[{"prompt": "caf\xe9"}]',
        "utf16.jsonl": LINES.encode("utf-16"),
    }.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(R1Error, match="UTF"):
            rows_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "prompt,prompt\n1,2\n", "has the column 'prompt' twice"),
        ("a.csv", "prompt,completion\n1\n", "has 1 cells"),
        ("a.jsonl", "[1]\n", "line 1 must be an object"),
        ("a.jsonl", "{\n", "line 1 is not JSON"),
        ("a.jsonl.gz", "not packed", "cannot read"),
        ("a.txt", "x", "can be read"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(R1Error, match=said):
        for row in rows_of(tmp_path / name):
            if isinstance(row, R1Error):
                raise row


def test_a_bad_row_far_into_a_file_is_found_and_may_be_skipped(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROWS[0]) + "\n")
    with file.open("a") as out:
        out.writelines(json.dumps(ROWS[0]) + "\n" for _ in range(998))
        out.write('{"prompt": "?", "completion": ""}\n')
    with pytest.raises(R1Error, match=r"line 1000: the reply is empty"):
        FromFile(file).check()
    forgiving = FromFile(file, skip_bad=1)
    forgiving.check()
    assert sum(1 for _ in forgiving.train()) == 999
    report = check_file(FromFile(file))
    assert report.rows == 1000 and report.demonstrations == 999 and len(report.bad) == 1
    assert report.columns.endswith("read from `prompt` -> `completion`")


def test_a_test_file_beside_a_training_file_is_no_row_to_learn_from(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": name, "completion": "x"}) + "\n")
    assert [row["prompt"] for row in rows_of(tmp_path)] == ["train"]
    (tmp_path / "train.jsonl").rename(tmp_path / "part.jsonl")
    assert [row["prompt"] for row in rows_of(tmp_path)] == ["train"]
    (tmp_path / "part.jsonl").unlink()
    assert [row["prompt"] for row in rows_of(tmp_path)] == ["test"]


BAD_ROWS = [
    ({"prompt": "a", "completion": "b", "images": ["x.png"]}, "column 'images' is no text"),
    ({"prompt": "a", "completion": float("nan")}, "a text or a list"),
    ({"prompt": "a\ud800", "completion": "b"}, "one half of a character"),
    ({"prompt": "a", "completion": "b\udc00"}, "one half of a character"),
    ({"prompt": [{"role": "user", "content": [{"type": "image"}]}], "completion": "b"}, "a part of type 'image'"),
]


@pytest.mark.parametrize(("row", "said"), BAD_ROWS)
def test_a_row_that_no_text_model_can_learn_from_is_bad(tmp_path, row, said):
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    (bad,) = check_file(FromFile(tmp_path / "a.jsonl")).bad
    assert said in bad and "line 1" in bad


def test_a_media_column_that_is_empty_and_a_whole_character_are_no_fault(tmp_path):
    row = {"prompt": "a\U0001f600", "completion": "b", "images": [], "image": None, "audio": {"bytes": None}}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    assert not check_file(FromFile(tmp_path / "a.jsonl")).bad
