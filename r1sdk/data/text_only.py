"""Refuse what no text model reads: images and the like in a message or in a column, and characters that are none."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import R1Error

MEDIA = ("image", "images", "video", "videos", "audio", "audios")  # columns, in any case


def check_text_only(row: Mapping[str, Any]) -> None:
    """Raises: R1Error where a column of images, videos or sounds holds something: the problem would be posed without it."""
    held = [str(name) for name, value in row.items() if str(name).lower() in MEDIA and _holds_something(value)]
    if held:
        raise R1Error(
            f"the column {', '.join(map(repr, held))} is no text, and only texts are read: "
            "remove the column if the rows make sense without it"
        )


def content_text(content: Any) -> str:
    """Return the text of a message's content: a text, or a list of parts that are texts. Raises: R1Error for an image and the like."""
    if isinstance(content, str):
        return check_characters(content)
    if isinstance(content, Sequence) and not isinstance(content, bytes):
        return "".join(part_text(part) for part in content)
    raise R1Error(
        f"a message has {'no content' if content is None else f'the content {content!r:.60}'}: a text is needed"
    )


def part_text(part: Any) -> str:
    """Return the text of one part of a content. Raises: R1Error where it is no text."""
    if isinstance(part, str):
        return check_characters(part)
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
        raise R1Error(f"a message has a part of type {kind!r}: only texts can be trained on")
    return check_characters(text)


def check_characters(text: str) -> str:
    """Return the text. Raises: R1Error where half of a pair of surrogates stands alone: no tokenizer takes it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise R1Error(
            f"character {error.start + 1} of a text is {text[error.start]!a}, one half of a character: the text was cut or "
            "decoded wrongly"
        ) from None
    return text


def _holds_something(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_something, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return any(map(_holds_something, value))
    return value is not None and value not in ("", b"")
