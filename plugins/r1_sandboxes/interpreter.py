"""The Python that runs in a jail: its program, the paths that it reads, and those that it must not see."""

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import r1sdk

JAIL = Path(__file__).parent / "jail_inside"
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
_PACKAGES = ("site-packages", "dist-packages")  # ours among them, with the tests of the tasks


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The program and the paths that a jail shows its interpreter."""

    program: str
    standard: str  # the folder of the standard library
    libraries: tuple[str, ...]  # folders of shared libraries
    packages: tuple[str, ...]  # folders of the modules that are loaded beforehand
    search: tuple[str, ...]  # where those are imported from

    @property
    def hidden(self) -> tuple[str, ...]:
        """Return the folders of installed packages that lie inside the others."""
        found = (Path(root) for root in (self.standard, *self.libraries))
        return tuple(sorted({str(path) for root in found for path in _packages_below(root)}))


def find_interpreter(preload: Sequence[str], more: Sequence[str] = ()) -> Interpreter:
    """Return the interpreter that runs us, without its virtual environment; `more`: folders to show like those of libraries.

    Raises: R1Error where a module is not installed.
    """
    standard = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix})
    own = [os.path.join(sys.base_prefix, name) for name in ("lib", "lib64")]
    packages, search = _locate(preload, standard)
    return Interpreter(
        program=os.path.realpath(sys.executable),
        standard=os.path.realpath(standard),
        libraries=tuple(dict.fromkeys(path for path in (*own, *_LIBRARIES, *more) if os.path.isdir(path))),
        packages=packages,
        search=search,
    )


def _locate(preload: Sequence[str], standard: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    packages: list[str] = []
    search: list[str] = []
    for name in preload:
        found = importlib.util.find_spec(name.partition(".")[0])
        if found is None or not found.origin:
            raise r1sdk.R1Error(f"preload: no module {name!r} is installed here; programs could not import it either")
        if found.origin == "frozen" or found.origin == "built-in":
            continue
        here = Path(found.origin)
        top = here.parent if found.submodule_search_locations else here
        if Path(standard) in top.parents and not set(_PACKAGES) & set(top.parts):
            continue
        libraries = top.parent / f"{top.stem}.libs"  # beside the module, as wheels carry them
        packages += [str(path) for path in (top, libraries) if path.exists()]
        search.append(str(top.parent))
    return tuple(dict.fromkeys(packages)), tuple(dict.fromkeys(search))


def _packages_below(root: Path) -> list[Path]:
    folders = [root, *(path for path in root.glob("python*") if path.is_dir())]
    return [path / name for path in folders for name in _PACKAGES if (path / name).is_dir()]
