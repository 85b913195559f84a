"""Names of languages, as tags of fenced blocks, data sets and judges write them."""

import re

LINE_END = re.compile(r"\r\n?|\n")  # Markdown's; `splitlines` knows eight more
_NAMES = {
    "py": "python",
    "js": "javascript",
    "node": "javascript",
    "nodejs": "javascript",
    "node.js": "javascript",
    "ecmascript": "javascript",
    "mjs": "javascript",
    "ts": "typescript",
    "c++": "cpp",
    "cc": "cpp",
    "cxx": "cpp",
    "c#": "csharp",
    "cs": "csharp",
    "sh": "bash",
    "shell": "bash",
    "rs": "rust",
    "golang": "go",
    "rb": "ruby",
    "kt": "kotlin",
}
# Names with a version: "python3.11", "PyPy 3-64", "GNU G++17 7.3.0", "C++20 (GCC 13-64)", "Node.js 15.8.0".
_VERSIONED = (
    (re.compile(r"(?:c?python|i?py|pypy|ipython)[ _-]?3?(?:[.-][\w.]+)?(?: ?\(.*\))?"), "python"),
    (re.compile(r"(?:python|py|pypy)[ _-]?2.*"), "python2"),
    (re.compile(r"(?:gnu |ms |microsoft )?(?:clang\+\+|g\+\+|c\+\+|cpp|cxx)[ -]?(?:\d\w?)*(?:[ .(].*)?"), "cpp"),
    (re.compile(r"(?:gnu |gnu gcc )?c[ -]?(?:89|90|99|11|17|18|23)(?:[ .(].*)?"), "c"),
    (re.compile(r"(?:javascript|js|node(?:\.?js)?|ecmascript)[ -]?(?:es)?v?\d[\w.]*(?: ?\(.*\))?"), "javascript"),
    (re.compile(r"(?:rust|rs)[ -]?\d[\w.]*(?: ?\(.*\))?"), "rust"),
    (re.compile(r"(?:bash|sh)[ -]?\d[\w.]*(?: ?\(.*\))?"), "bash"),
)
_EXTENSIONS = {".py": "python", ".cpp": "cpp", ".cc": "cpp", ".rs": "rust", ".js": "javascript", ".sh": "bash"}
_MAX_NAME = 80  # characters of a name that are looked at


def language_name(tag: str) -> str:
    """Return the one name of a language: `cpp` for `C++`, `python` for `PyPy 3-64`.

    An unknown name is returned as it is, in lower case.
    """
    tag = " ".join(tag.strip().lower()[:_MAX_NAME].split())
    if tag in _NAMES:
        return _NAMES[tag]
    return next((name for pattern, name in _VERSIONED if pattern.fullmatch(tag)), tag)


def tag_language(info: str) -> str:
    """Return the language that the text behind an opening fence names, "" where it names none.

    Read are the first word, and its part before a colon, a comma or an equals sign: `python`, `{.python}`, `python:main.py`,
    `python title="a"`, `cpp17`, `Python 3`. The name of a file stands for its language.
    """
    info = info.strip()[:_MAX_NAME].strip("{}")
    whole = language_name(info)
    if whole in ("python", "cpp", "javascript", "rust", "bash", "c"):
        return whole
    word = re.split(r"[\s:,;={]", info.lstrip("."), maxsplit=1)[0]
    stem, dot, ending = word.rpartition(".")
    if stem and (named := _EXTENSIONS.get(dot + ending.lower())):
        return named
    return language_name(word)
