"""Is this machine ready for its part of a run? `python -m r1sdk.launch.node_health RUN_DIR`, on each before the training starts."""

import argparse
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from ..doctor import Finding, examine
from ..doctor.machine_checks import check_disk
from ..doctor.version_checks import installed
from ..planning.hardware import gpus
from ..storage.run_folder import RunFolder


def main(path: Path, wanted: int | None = None) -> int:
    """Print one line for each problem. `wanted`: GPUs; None: one for each process. Return 1 for a failure."""
    folder = RunFolder.open(path)
    checks = [
        ("versions", lambda: check_same(folder)),
        ("gpus", lambda: check_enough(folder, wanted)),
        ("disk", lambda: check_disk(folder.path)),
        ("run folder", lambda: check_writable(folder)),
    ]
    found = [finding for finding in examine(checks) if finding.status != "ok"]
    for finding in found:
        print(f"{platform.node()}: {finding.status}: {finding.name}: {finding.text}; {finding.todo}", flush=True)
    return int(any(finding.status == "failure" for finding in found))


def check_same(folder: RunFolder) -> Iterator[Finding]:
    """The packages are those with which the run was prepared."""
    for package, version in folder.manifest()["versions"].items():
        found = platform.python_version() if package == "python" else installed(package)
        if found != version:
            text = f"{found or 'not installed'}, and the run was prepared with {version}"
            yield Finding(package, "failure", text, "use one environment, on a file system that all machines share")


def check_enough(folder: RunFolder, wanted: int | None = None) -> Iterator[Finding]:
    there, what = len(gpus()), "processes" if wanted is None else "GPUs of the vLLM server"
    wanted = wanted or folder.recipe().launch.processes or 1
    if 0 < there < wanted:
        text = f"{there} for {wanted} {what}"
        yield Finding("gpus", "failure", text, "ask for more (launch.sbatch.gpus-per-node), or lower --processes")


def check_writable(folder: RunFolder) -> Iterator[Finding]:
    if not os.access(folder.path, os.W_OK):
        yield Finding(
            "run folder", "failure", f"{folder.path} cannot be written", "use a file system that all machines share"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--gpus", type=int, help="how many it needs, if it is not for training")
    given = parser.parse_args()
    raise SystemExit(main(given.run_dir, given.gpus))
