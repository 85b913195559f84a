"""Installed versions against the set that was tested together."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from . import Finding

TESTED = {  # package -> the start of its version; pyproject.toml says the same, and a test compares them
    "torch": "2.13.0",
    "transformers": "5.17",
    "trl": "1.16",
    "accelerate": "1",
    "datasets": "5",
    "numpy": "2",
}
OPTIONAL = {  # package -> its extra, and the version
    "peft": ("lora", "0.21"),
    "bitsandbytes": ("quantize", "0.50"),
    "deepspeed": ("deepspeed", "0.19"),
}
VLLM = "0.31"


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_versions() -> Iterator[Finding]:
    yield Finding("python", "ok", platform.python_version())
    for package, wanted in TESTED.items():
        found = installed(package)
        if found is None:
            yield Finding(package, "failure", "not installed", "pip install 'r1sdk[train]'")
        else:
            yield compared(package, found, wanted, "train")
    for package, (extra, wanted) in OPTIONAL.items():
        found = installed(package)
        if found is None:
            yield Finding(package, "ok", f"not installed; pip install 'r1sdk[{extra}]' brings it")
        else:
            yield compared(package, found, wanted, extra)


def compared(package: str, found: str, wanted: str, extra: str) -> Finding:
    """True if `found` is the tested version, or a later one of the series `wanted`."""
    if found == wanted or found.startswith((wanted + ".", wanted + "+")):
        return Finding(package, "ok", found)
    return Finding(
        package,
        "warning",
        f"{found}; tested with {wanted}",
        f"pip install 'r1sdk[{extra}]' --upgrade brings the tested set",
    )
