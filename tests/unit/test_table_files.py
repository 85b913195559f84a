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


def test_zstandard_is_read_where_it_is_installed(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(LINES.encode()))
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
