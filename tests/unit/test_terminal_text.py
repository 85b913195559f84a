"""Text in a terminal: lines break at words, tables keep their columns, and commands stay whole."""

import io

from r1sdk.terminal_text import columns_of, fitted, labelled, packed

LINE = "warning: load: other processes use 2.0 of 2 cores; end them, or wait"


class Terminal(io.StringIO):
    """A stream that says it is a terminal, of a width that only COLUMNS tells."""

    def isatty(self):
        return True


def test_the_width_is_that_of_the_terminal_and_a_file_has_none(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert columns_of(Terminal()) == 60
    assert columns_of(io.StringIO()) is None
    for unset in ("", "0", "wide"):
        monkeypatch.setenv("COLUMNS", unset)
        assert columns_of(Terminal()) == 80


def test_a_line_breaks_at_words_and_keeps_every_one_of_them():
    lines = fitted(LINE, 40).split("\n")
    assert len(lines) == 2 and lines[1].startswith("  ") and max(map(len, lines)) <= 40
    assert " ".join(line.strip() for line in lines) == LINE
    assert fitted(LINE, None) == fitted(LINE, 68) == LINE
    assert fitted("a  b\n    indented", 40) == "a  b\n    indented"


def test_a_word_that_is_too_long_stays_whole():
    path = "/" + "x" * 70
    assert path in fitted(f"written to {path} now", 40).split("\n  ")


def test_a_command_is_not_broken():
    said = fitted("no runs here; a first one: r1 train --env countdown --rewards accuracy,format", 50)
    assert said == "no runs here; a first one:\n  r1 train --env countdown --rewards accuracy,format"
    said = fitted("not installed; pip install 'r1sdk[quantize]' brings the library that it needs", 40)
    assert "pip install 'r1sdk[quantize]'" in said and max(map(len, said.split("\n"))) <= 40


def test_the_text_of_a_list_stays_in_its_column_or_goes_below_its_label():
    beside = labelled("format", "one think block, then one answer block", 40, width=8, indent=2)
    assert beside == "  format    one think block, then one\n            answer block"
    below = labelled("format", "one think block, then one answer block", 40, width=20, indent=2)
    assert below == "  format\n      one think block, then one answer\n      block"
    assert labelled("format", "a path " + "x" * 31, 40, width=8) == "format\n    a path\n    " + "x" * 31
    assert labelled("format", LINE, None, width=8) == f"format    {LINE}"
    assert labelled("format", "", 40) == "format"


def test_cells_are_packed_and_none_is_broken():
    cells = ("tiny", "0.370 ± 0.022 -> 0.672 ± 0.021", "3 h")
    assert packed(cells, 38, 2, 2) == "  tiny  0.370 ± 0.022 -> 0.672 ± 0.021\n  3 h"
    assert packed(cells, None, 2) == "  tiny  0.370 ± 0.022 -> 0.672 ± 0.021  3 h"
    assert packed(("next: r1 view a,", "r1 eval a"), 20, hang=6, between=" ") == "next: r1 view a,\n      r1 eval a"
