"""Programs of this interpreter's environment, run as a user would run them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_module(*arguments: object, cwd: Path, path: Sequence[Path] = ()) -> str:
    """What `python -m ARGUMENTS` prints, with `path` in front of the modules that it finds; it must end well."""
    search = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
