"""Text of models on a screen: nothing acts on it, nothing is invisible, and every script stays readable."""

import unicodedata

import pytest

from r1sdk.visible_text import visible


def test_no_character_that_acts_on_a_screen_or_turns_its_direction_is_left():
    every = "".join(
        map(chr, (*range(0x3400), *range(0xD800, 0xE010), *range(0xFE00, 0xFFFF), *range(0xE0000, 0xE0200)))
    )
    for text in (every, "".join(f"a{c}" for c in every)):
        left = {c for c in visible(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
        left -= {"\u200c", "\u200d"}  # after a letter beyond ASCII
        assert left == {"\n", "\t"}
        assert not left & set(visible(text, lines=False))


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain é 漢 \U0001d54f", "plain é 漢 \U0001d54f"),
        ("שלום مرحبا", "שלום مرحبا"),
        ("RLO \u202etxt.exe\u202c", "RLO ‹RLO›txt.exe‹PDF›"),
        ("\u2066a\u2069\u061c\u200e", "‹LRI›a‹PDI›‹ALM›‹LRM›"),
        ("\x1b[2J\x00\x7f\x9b", "‹ESC›[2J‹NUL›‹DEL›‹U+009B›"),
        ("a\u200bb\u00adc\ufeff", "a‹ZWSP›b‹SHY›c‹BOM›"),
        ("a\u3164b\u2800\u034f", "a‹U+3164›b‹U+2800›‹U+034F›"),
        ("\ud800 \u2028 \ue000", "‹U+D800› ‹U+2028› ‹U+E000›"),
        ("می\u200cخواهم क्\u200dष 👩\u200d🔬 ❤\ufe0f", "می\u200cخواهم क्\u200dष 👩\u200d🔬 ❤\ufe0f"),
        ("a\u200db\ufe0f", "a‹ZWJ›b‹U+FE0F›"),
        ("😀" + "\U000e0100\U000e0101", "😀\U000e0100‹U+E0101›"),
        ("\u00a0\u3000x", "\u00a0\u3000x"),
        ("\U000e0041\U000e0042", "‹U+E0041›‹U+E0042›"),
    ],
)
def test_marks_stand_for_what_cannot_be_seen_and_letters_of_every_script_stay(text, shown):
    assert visible(text) == shown


def test_one_line_stays_one_line():
    assert visible("a\nb\tc\r\n\u2028\x85\x1c", lines=False) == "a b c‹CR› ‹U+2028›‹U+0085›‹FS›"
    assert visible("a\nb\tc") == "a\nb\tc"
