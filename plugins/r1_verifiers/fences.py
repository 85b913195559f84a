"""What the readers of fenced code blocks share: where lines end, and the names of languages."""

import re

LINE_END = re.compile(r"\r\n?|\n")  # Markdown's; `splitlines` knows eight more
_NAMES = {
    "py": "python",
    "py3": "python",
    "python3": "python",
    "js": "javascript",
    "node": "javascript",
    "nodejs": "javascript",
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


def language_name(tag: str) -> str:
    """The one name of a language: `cpp` for `C++`. A tag that is not known is its own name, in lower case."""
    tag = tag.strip().lower()
    return _NAMES.get(tag, tag)
