"""A real Slurm on this machine: slurmctld, slurmd and munge are started in a folder of the test's own.

apt-get install --no-install-recommends slurm-wlm munge && pytest -m slurm        # as root, and nothing else uses them
"""

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from r1sdk.storage.run_folder import RunFolder

pytestmark = pytest.mark.slurm

CONFIG = """
ClusterName=r1test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=60
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def wait(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.3)


def free_port():
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return there.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment in which Slurm's commands find the cluster."""
    if os.geteuid() or not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))):
        pytest.skip("needs slurm-wlm and munge, as root")
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    for parent in list(folder.parents)[:-2]:
        parent.chmod(0o755)  # munge's socket is not used where a folder above it is closed
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    cores = len(os.sched_getaffinity(0))
    names = {"host": host, "folder": folder, "cores": cores, "controller": free_port(), "daemon": free_port()}
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(**names))
    environment = {**os.environ, "SLURM_CONF": str(config)}
    daemons = [
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"]
        + [f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"],
        ["slurmctld", "-D", "-c", "-f", str(config)],
        ["slurmd", "-D", "-c", "-f", str(config), "-N", host],
    ]
    with ExitStack() as stack:
        for daemon in daemons:
            process = subprocess.Popen(daemon, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            time.sleep(1.0)
        idle = ["sinfo", "--noheader", "--format=%T"]
        wait(
            lambda: "idle" in subprocess.run(idle, check=False, env=environment, capture_output=True, text=True).stdout,
            60,
        )
        yield environment


def state(environment, job):
    done = subprocess.run(
        ["scontrol", "show", "job", job], env=environment, capture_output=True, text=True, check=False
    )
    return next((word.partition("=")[2] for word in done.stdout.split() if word.startswith("JobState=")), "GONE")


def submit(start_r1, small, out, monkeypatch, environment, *more):
    """`r1 train --launcher slurm` with two processes: the number of the job."""
    monkeypatch.setenv("SLURM_CONF", environment["SLURM_CONF"])
    process = start_r1(
        *("train", "--env", "countdown", "--model", "tiny", *small, "--out", out),
        *("--accelerate", "ddp", "--processes", "2", "--launcher", "slurm", *more),
    )
    job, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return job.strip()


def log_of(folder):
    return "".join(file.read_text(errors="replace") for file in (folder.path / "slurm").glob("*.log"))


def test_a_job_of_two_processes_trains(cluster, start_r1, small, tmp_path, monkeypatch):
    job = submit(start_r1, small, tmp_path / "run", monkeypatch, cluster, "--steps", "2")
    folder = RunFolder(tmp_path / "run")
    wait(lambda: state(cluster, job) in ("COMPLETED", "FAILED", "GONE"), 240)
    assert folder.status()["state"] == "finished", log_of(folder)
    assert state(cluster, job) == "COMPLETED"
    assert len(list(folder.rollouts())) == 32  # two steps of two processes
    assert (folder.model / "config.json").is_file()


def test_a_job_of_two_tasks_trains(cluster, start_r1, small, tmp_path, monkeypatch):
    """Each task stands for a machine: there is one machine here."""
    from r1sdk.launch.slurm import TEMPLATE

    template = tmp_path / "tasks.sbatch"
    text = TEMPLATE.read_text().replace("--nodes={{nodes}}", "--nodes=1").replace("--ntasks-per-node=1", "--ntasks=2")
    template.write_text(text)
    more = ("--steps", "2", "--nodes", "2", "--processes", "1", "--set", f"launch.template={template}")
    job = submit(start_r1, small, tmp_path / "run", monkeypatch, cluster, *more)
    folder = RunFolder(tmp_path / "run")
    wait(lambda: state(cluster, job) in ("COMPLETED", "FAILED", "GONE"), 240)
    assert folder.status()["state"] == "finished", log_of(folder)
    assert len(list(folder.rollouts())) == 32


def test_a_job_whose_time_is_up_saves_goes_back_into_the_queue_and_goes_on(
    cluster, start_r1, small, tmp_path, monkeypatch
):
    folder = RunFolder(tmp_path / "run")
    job = submit(start_r1, small, folder.path, monkeypatch, cluster, "--steps", "40")
    wait(lambda: len(folder.metrics()) >= 2 or state(cluster, job) in ("FAILED", "GONE"), 240)
    # What Slurm sends when the time that `--signal` names has come.
    subprocess.run(["scancel", "--signal=USR1", "--batch", job], env=cluster, check=True)
    wait(lambda: "resuming at step" in log_of(folder), 300)
    assert state(cluster, job) == "RUNNING"
    subprocess.run(["scancel", job], env=cluster, check=True)
    wait(lambda: state(cluster, job) not in ("RUNNING", "COMPLETING"), 120)
    assert folder.status()["state"] == "interrupted"
    assert folder.complete_checkpoints()
