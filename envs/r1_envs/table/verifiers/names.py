"""The verifiers by name, built with their options. Each is a module, loaded when an environment asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import r1sdk

from .contract import Verifier

NAMES = {"maths": "Maths", "exact": "Exact", "choice": "Choice", "code": "Code", "judge": "Judge"}  # the class in each


def verifier_name(named: str | Mapping[str, Any]) -> str:
    """The name in `maths` or `{name: maths, options: ...}`."""
    return named if isinstance(named, str) else str(named.get("name", ""))


def build_verifier(named: str | Mapping[str, Any], sandbox: r1sdk.Sandbox | None = None) -> Verifier:
    """The verifier of that name with its options, `sandbox` for one that runs code. Raises: ValueError naming every fault."""
    name = verifier_name(named)
    options = {} if isinstance(named, str) else dict(named.get("options") or {})
    if not isinstance(named, str) and (extra := set(named) - {"name", "options"}):
        raise ValueError(f"verifier is a name or {{name: ..., options: ...}}, got {', '.join(sorted(extra))}")
    if name not in NAMES:
        raise ValueError(f"no verifier {name!r}{_nearest(name, list(NAMES))}; there are {', '.join(NAMES)}")
    kind: type[Any] = getattr(import_module(f".{name}", __package__), NAMES[name])
    known = [field.name for field in dataclasses.fields(kind) if field.init and field.name != "sandbox"]
    if unknown := [option for option in options if option not in known]:
        hints = "; ".join(f"{option!r}{_nearest(option, known)}" for option in unknown)
        raise ValueError(f"verifier {name!r} has no option {hints}; it takes {', '.join(known)}")
    built: Verifier = _typed(kind, name, options, {"sandbox": sandbox} if name == "code" else {})
    return built


def _typed(kind: type[Any], name: str, options: dict[str, Any], more: dict[str, Any]) -> Any:
    from typing import get_type_hints

    from pydantic import TypeAdapter, ValidationError

    types = get_type_hints(kind)
    checked, faults = {}, []
    for option, value in options.items():
        try:
            checked[option] = TypeAdapter(types[option]).validate_python(value)
        except ValidationError as error:
            faults.append(f"verifier {name!r}, option {option!r}: {error.errors()[0]['msg'].lower()}, got {value!r}")
    if faults:
        raise ValueError("; ".join(faults))
    return kind(**checked, **more)


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
