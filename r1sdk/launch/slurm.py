"""A prepared run folder in, a Slurm job out: a script from a template, and its submission."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import R1Error, RecipeError, nearest
from ..recipe.schema import Recipe
from ..storage.atomic import replace_file
from ..storage.run_folder import RunFolder

TEMPLATE = Path(__file__).with_name("job.sbatch")
NOTICE_S = 300  # before its time is up the job is asked to save
_NAME = re.compile(r"\{\{ *(\w+) *\}\}")


def script(recipe: Recipe, path: Path) -> str:
    """Return the job script that trains the run folder `path`. Raises: RecipeError for an unknown placeholder in the template."""
    launch, vllm = recipe.launch, recipe.generation.vllm
    template = launch.template or TEMPLATE
    try:
        text = template.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"recipe key 'launch.template': cannot read {template}: {error}") from None
    directives = [f"#SBATCH --{key}={value}" for key, value in launch.sbatch.items()]
    values = {
        "name": f"r1-{path.name}",
        "nodes": str(launch.nodes + launch.vllm_nodes),
        "training_nodes": str(launch.nodes),
        "vllm_nodes": str(launch.vllm_nodes),
        "vllm_gpus": str(vllm.tensor_parallel_size * vllm.data_parallel_size // max(1, launch.vllm_nodes)),
        "processes": str(launch.processes or 1),
        "run_dir": shlex.quote(str(path.resolve())),
        "working_dir": shlex.quote(os.getcwd()),
        "python": shlex.quote(sys.executable),
        "notice_s": str(NOTICE_S),
        "directives": "\n".join(directives),
    }
    if unknown := sorted({name for name in _NAME.findall(text) if name not in values}):
        raise RecipeError(
            f"{template} asks for {', '.join(unknown)}{nearest(unknown[0], values)}\n  there are: {', '.join(values)}"
        )
    return _NAME.sub(lambda match: values[match[1]], text)


def require_sbatch() -> None:
    """Raises: R1Error where this machine cannot submit a job."""
    if shutil.which("sbatch") is None:
        raise R1Error("no sbatch here: run this on a login node of the cluster, or use --launcher none")


def submit(folder: RunFolder) -> str:
    """Write the script into the run folder and hand it to sbatch. Returns the job's number. Raises: R1Error."""
    logs = folder.path / "slurm"
    logs.mkdir(exist_ok=True)
    file = logs / "job.sbatch"
    replace_file(file, script(folder.recipe(), folder.path))
    done = subprocess.run(["sbatch", "--parsable", str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise R1Error(f"sbatch refuses {file}: {done.stderr.strip()}")
    return done.stdout.strip().partition(";")[0]
