"""Faults in the words of a command line, all of them at once, and the command as it was meant."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

FREE = {"system", "prompt", "text", "answer", "filter", "by", "settings", "sets", "info"}  # may be empty texts
LISTS = {"rewards", "by", "seeds", "report_to", "against"}  # options whose value is a list with commas


@dataclass
class CommandLine:
    """The words of one command, read as its options and arguments: what is wrong with them, and the words as they were meant."""

    command: str  # r1 train
    faults: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # as they were meant
    is_whole: bool = True  # False: a fault has no remedy, so `words` is no command to run

    def refuse(self, fault: str, *instead: str) -> None:
        """Add a fault, and the words to write instead; without any the command has no remedy."""
        self.faults.append(fault)
        self.words += instead
        self.is_whole &= bool(instead)

    @property
    def message(self) -> str:
        """The faults, and the command as it was meant."""
        told = "\n".join(self.faults)
        return f"{told}\n  {self.command} {shlex.join(self.words)}" if self.is_whole else told


@dataclass(frozen=True)
class _Word:
    """A word of the line: an option with its value, or an argument."""

    text: str
    param: Any = None  # None: an argument, or an unknown option
    value: str | None = None
    is_option: bool = False
    written: tuple[str, ...] = ()


def checked(command: str, params: Sequence[Any], words: Sequence[str]) -> CommandLine:
    """Check `words` against the options and arguments of a command, before they are parsed."""
    line = CommandLine(command)
    for text in words:
        if not _is_text(text):
            line.refuse(f"{text!r} is not valid UTF-8: rename the file or folder")
    options = {name: param for param in params for name in (*param.opts, *param.secondary_opts) if _is_option(param)}
    arguments = [param for param in params if not _is_option(param)]
    room = sum(param.nargs for param in arguments) if all(param.nargs > 0 for param in arguments) else len(words)
    given: dict[str, list[str]] = {}
    for word in _read(words, options):
        if word.param is not None:
            _known(line, word, given)
        elif word.is_option:
            _unknown(line, word, options, arguments)
        else:
            room -= _argument(line, word, room, options)
    return line


def _known(line: CommandLine, word: _Word, given: dict[str, list[str]]) -> None:
    """Check an option that the command has: that it has a value, and that a list is given once.

    Of another option that is given twice the last one counts, as scripts that add to a command expect.
    """
    param = word.param
    if word.value == "" and param.name not in FREE:
        line.refuse(f"{word.text} is empty: is a variable of the shell not set?")
        return
    earlier = given.setdefault(param.name, [])
    if earlier and param.name in LISTS and word.value is not None:
        values = ",".join([*earlier, word.value])
        at = next(i for i, one in enumerate(line.words) if one.partition("=")[0] in (*param.opts, word.text))
        del line.words[at : at + (1 if "=" in line.words[at] else 2)]
        line.refuse(f"{word.text} is given twice: write {word.text} {values}", word.text, values)
        earlier[:] = [values]
        return
    earlier.append(word.value or "")
    line.words += word.written


def _unknown(line: CommandLine, word: _Word, options: dict[str, Any], arguments: Sequence[Any]) -> None:
    from .meant import meant_option

    meant = meant_option(line.command, options, [param.name for param in arguments], word.text, word.value)
    if meant is None:
        line.refuse(f"{line.command} has no option {word.text}: {line.command} --help lists them")
    else:
        line.refuse(f"{line.command} has no option {word.text}{meant.said}", *meant.words)


def _argument(line: CommandLine, word: _Word, room: int, options: dict[str, Any]) -> int:
    """Check an argument. Returns the places that it takes."""
    key, equals, value = word.text.partition("=")
    if word.text == "":
        line.refuse("an argument is empty: is a variable of the shell not set?")
    elif equals and "--set" in options and key.replace(".", "").replace("_", "").isalnum() and "/" not in key:
        setting = f"{key.removeprefix('+')}={value}"
        line.refuse(f"a setting follows --set: write --set {setting}", "--set", setting)
        return 0
    elif room < 1:
        from .meant import meant_argument

        line.refuse(*meant_argument(line.command, word.text, options))
        return 0
    else:
        line.words.append(word.text)
    return 1


def _read(words: Sequence[str], options: dict[str, Any]) -> Iterator[_Word]:
    """Yield the options, each with its value, and the arguments."""
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            yield from (_Word(rest) for rest in words[at + 1 :])
            return
        name, equals, value = word.partition("=")
        if not _looks_like_option(word):
            yield _Word(word)
        elif name in options or word[:2] in options:
            param = options.get(name) or options[word[:2]]
            takes = not param.is_flag and not equals and name in options
            follows = words[at + 1] if takes and at + 1 < len(words) else None
            at += follows is not None
            written = (word,) if follows is None else (word, follows)
            yield _Word(name, param, value if equals else follows, True, written)
        else:
            follows = words[at + 1] if not equals and at + 1 < len(words) else None
            follows = None if follows is not None and _looks_like_option(follows) else follows
            at += follows is not None
            yield _Word(name, None, value if equals else follows, True)
        at += 1


def _looks_like_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not word[1].isdigit() and word[1] != "."


def _is_option(param: Any) -> bool:
    return bool(param.param_type_name == "option")


def _is_text(word: str) -> bool:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
