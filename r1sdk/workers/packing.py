"""Pickle a function or its arguments for a worker, and list the modules needed to unpickle them."""

import pickle
import types
from io import BytesIO
from typing import Any

from ..errors import R1Error


class _Pickler(pickle.Pickler):
    """A pickler that accepts only values a worker can import, and collects the modules needed for that."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.modules: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | types.FunctionType):
            if value.__module__ == "__main__":
                raise pickle.PicklingError(
                    f"{value.__qualname__} is defined in the running script, which a worker cannot import; move it to a module"
                )
            self.modules.add(value.__module__)
        return NotImplemented


def pack(value: Any) -> tuple[bytes, frozenset[str]]:
    """Return `value` pickled, and the modules that unpickling imports. Raises: R1Error if a worker could not unpickle it."""
    file = BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except Exception as error:
        raise R1Error(f"{value!r:.100} cannot be sent to a worker process: {error}") from error
    return file.getvalue(), frozenset(pickler.modules)
