"""LiveCodeBench's hidden tests: JSON, or JSON in a pickle in zlib in base64. A pickle may run code: this one may hold a text only."""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from typing import Any, NoReturn

MAX_BYTES = 1 << 30  # of the tests of one problem, unpacked


class _Texts(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise ValueError(f"the pickle asks for {module}.{name}")


def unpacked(tests: str) -> list[Any]:
    """The tests. Raises: ValueError, TypeError where they are something else."""
    try:
        read = json.loads(tests)
    except ValueError:
        read = json.loads(_text(tests))
    if not isinstance(read, list):
        raise TypeError(f"a list of tests is needed, got {read!r:.60}")
    return read


def _text(packed: str) -> str:
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(base64.b64decode(packed.encode(), validate=True), MAX_BYTES)
        if stream.unconsumed_tail:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        text = _Texts(io.BytesIO(plain)).load()
    except (binascii.Error, zlib.error, pickle.UnpicklingError, EOFError, IndexError, UnicodeError) as error:
        raise ValueError(f"neither JSON nor packed JSON: {type(error).__name__}: {error}") from None
    if not isinstance(text, str | bytes):
        raise TypeError(f"the pickle holds no text: {type(text).__name__}")
    return text if isinstance(text, str) else text.decode()
