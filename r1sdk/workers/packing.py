"""A function or its arguments as bytes that a worker can read, with the modules that it needs for that."""

import pickle
import types
from io import BytesIO
from typing import Any

from ..errors import R1Error


class _Pickler(pickle.Pickler):
    """Pickles what a worker can find again, and collects the modules that it needs for that."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.modules: set[str] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | types.FunctionType):
            if value.__module__ == "__main__":
                raise pickle.PicklingError(
                    f"{value.__qualname__} is defined in the script that runs, which a worker does not; put it in a module"
                )
            self.modules.add(value.__module__)
        return NotImplemented


def pack(value: Any) -> tuple[bytes, frozenset[str]]:
    """`value` pickled, and the modules that unpickling it imports. Raises: R1Error where a worker could not have it."""
    file = BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except Exception as error:
        raise R1Error(f"{value!r:.100} cannot be sent to a worker process: {error}") from error
    return file.getvalue(), frozenset(pickler.modules)
