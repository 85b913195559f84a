"""Random states for plugins, apart from the trainer's: a plugin that draws or seeds changes no number of the run.

Putting the trainer's states back after each call would give a reward that draws the same number each time. So plugins have
states of their own, which go on from call to call, and which a run seeds at each step: a resumed run draws the same.
"""

import hashlib
import random
import sys
from typing import Any

States = tuple[Any, Any, Any, Any]
"""The states of Python, NumPy, torch on the CPU and torch on each GPU; None for a library that is not in use."""

_own: States | None = None  # while no plugin runs


def enter() -> States:
    """Make the plugins' states current and return the trainer's."""
    theirs = _current()
    if _own is not None:  # the first call begins with a copy of the trainer's
        _make_current(_own)
    return theirs


def leave(theirs: States) -> None:
    """Keep the plugins' states and make the trainer's current again."""
    global _own
    _own = _current()
    _make_current(theirs)


def seed(*key: Any) -> None:
    """Begin the plugins' states anew, from `key`: the seed of the run and its step. Call it while no plugin runs."""
    number = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big")
    theirs = enter()
    random.seed(number)
    if (numpy := _numpy()) is not None:
        numpy.random.seed(number)
    if (torch := _torch()) is not None:
        torch.default_generator.manual_seed(number)
        for generator in _gpus(torch) or ():
            generator.manual_seed(number)
    leave(theirs)


def _current() -> States:
    numpy, torch = _numpy(), _torch()
    gpus = None if torch is None else _gpus(torch)
    return (
        random.getstate(),
        None if numpy is None else numpy.random.get_state(legacy=False),
        None if torch is None else torch.default_generator.get_state(),
        None if gpus is None else [generator.get_state() for generator in gpus],
    )


def _make_current(states: States) -> None:
    python, of_numpy, of_torch, of_gpus = states
    random.setstate(python)
    if of_numpy is not None:
        sys.modules["numpy"].random.set_state(of_numpy)
    if of_torch is not None:
        torch = sys.modules["torch"]
        torch.default_generator.set_state(of_torch)
        for generator, state in zip(_gpus(torch) or (), of_gpus or (), strict=False):
            generator.set_state(state)


def _numpy() -> Any:
    return _whole("numpy", "random")


def _torch() -> Any:
    return _whole("torch", "default_generator")


def _whole(name: str, needs: str) -> Any:
    """Return a module that is imported, or None; one that is being imported may lack the part that is needed."""
    module = sys.modules.get(name)
    return module if hasattr(module, needs) else None


def _gpus(torch: Any) -> Any:
    return torch.cuda.default_generators if hasattr(torch, "cuda") and torch.cuda.is_initialized() else None
