"""Start the processes of one machine on a prepared run folder, by accelerate: `python -m r1sdk.training.processes RUN_DIR`.

On several machines the same command runs on each, with --node-rank and the address of the first. What accelerate is told stands in
the folder's accelerate.yaml and recipe.yaml. A signal reaches the processes as it is: they save and end by themselves, however
long their step takes, where torchrun would kill them after 30 seconds. Exit status: as the worker's.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ..planning.hardware import cores
from ..storage.run_folder import RunFolder
from .run import INTERRUPTED, end_with

WORKER = "r1sdk.training.run"
_CODES = {"finished": 0, "interrupted": INTERRUPTED}
_HANDLED = "PET_SIGNALS_TO_HANDLE"  # the signals on which torchrun ends its processes


def main(path: Path, node_rank: int, address: str | None) -> int:
    """Start the processes, wait for them, and report how they ended."""
    import torch.distributed.elastic.multiprocessing.errors as elastic
    from accelerate.commands.launch import launch_command, launch_command_parser

    folder = RunFolder.open(path)
    os.environ[_HANDLED] = "SIGQUIT"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _pass_on)
    try:
        launch_command(launch_command_parser().parse_args(arguments(folder, node_rank, address)))
    except elastic.ChildFailedError as error:
        status = folder.status()
        if status.get("state") not in ("failed", "interrupted") or status.get("lost"):
            message = f"{_first(error)}; see {folder.log_file}\n  continue with: r1 train --resume {folder.path}"
            folder.set_status("failed", message=message)
            print(f"error: {message}", file=sys.stderr, flush=True)
    return _CODES.get(str(folder.status().get("state")), 1)


def arguments(folder: RunFolder, node_rank: int = 0, address: str | None = None) -> list[str]:
    """Return the arguments of `accelerate launch`. `address`: host:port of the first machine, if there are several."""
    launch = folder.recipe().launch
    here = launch.processes or 1
    host, _, port = (address or ":0").rpartition(":")  # port 0: any free port
    found = ["--config_file", str(folder.accelerate_file), "--num_processes", str(here * launch.nodes)]
    found += ["--num_machines", str(launch.nodes), "--machine_rank", str(node_rank), "--main_process_port", port]
    if launch.nodes > 1:
        found += ["--main_process_ip", host, "--same_network", "--rdzv_backend", "static"]
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // here))
    found += ["--num_cpu_threads_per_process", threads]
    return [*found, "--module", WORKER, str(folder.path), "--end-with-parent"]


def _pass_on(number: int, frame: Any) -> None:
    import psutil

    children = psutil.Process().children()
    if not children:
        raise SystemExit(INTERRUPTED)
    for child in children:
        child.send_signal(number)


def _first(error: Any) -> str:
    """Return the process to blame: prefer one killed by a signal over one that failed because its peer vanished."""
    rank, failure = min(error.failures.items(), key=lambda item: (item[1].exitcode >= 0, item[1].timestamp))
    how = f"by signal {signal.Signals(-failure.exitcode).name}" if failure.exitcode < 0 else f"with {failure.exitcode}"
    return f"process {rank} ended {how}, and the others with it"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--node-rank", type=int, default=0, help="which machine this is, from 0")
    parser.add_argument("--address", help="HOST:PORT of machine 0, where there are several")
    parser.add_argument("--parent", type=int, help="end, saving, when this process dies")
    given = parser.parse_args()
    if given.parent:
        end_with(given.parent)
    raise SystemExit(main(given.run_dir, given.node_rank, given.address))
