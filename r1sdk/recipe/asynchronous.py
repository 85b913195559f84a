"""The recipe's `experimental_async`: generation during training, and the requirements that this machine lacks.

Experimental, as TRL's AsyncGRPOTrainer is, which runs it: completions come from a vLLM server while the trainer steps, made by weights
that may be some steps old.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import Field

from .key_groups import Strict

KEY = "experimental_async"
ANYWAY: dict[
    str, tuple[Any, ...]
] = {  # arguments of GRPOConfig that AsyncGRPOConfig lacks -> the values that it uses anyway
    "beta": (0, 0.0),
    "num_iterations": (1,),
    "scale_rewards": ("group", True),
}
PACKAGES = {  # package -> the command that installs it
    "vllm": "pip install vllm==0.31.0",
    "kernels": "pip install 'r1sdk[async]'",
    "aiohttp": "pip install 'r1sdk[async]'",
    "requests": "pip install 'r1sdk[async]'",
}


class AsyncSettings(Strict):
    """Settings of asynchronous training. `experimental_async: true` takes the defaults."""

    max_staleness: Annotated[int, Field(ge=0)] = (
        4  # updates of the weights since a completion was begun; older ones are dropped
    )
    sync_every: Annotated[int, Field(ge=1)] = 1  # optimizer steps between two updates of the server's weights
    url: str = "http://localhost:8000"  # of the vLLM server
    start_timeout_s: Annotated[float, Field(gt=0.0)] = 240.0  # until the server answers
    request_timeout_s: Annotated[int, Field(ge=1)] = 600  # of one completion
    sync_timeout_s: Annotated[int, Field(ge=1)] = 600  # of one update of the server's weights


def async_settings(value: Any) -> Any:
    """`true` as the defaults, `false` as None."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def does_anyway(key: str, value: Any) -> bool:
    """True if a recipe may give this key of `trainer` although AsyncGRPOConfig lacks it, because the trainer does so anyway."""
    return value in ANYWAY.get(key, ())


def missing(gpu: bool) -> Iterator[tuple[str, str]]:
    """Yield each thing that this machine lacks, and what to do."""
    if not gpu:
        yield (
            "its attention kernel (flash-attn 3) and the way of its weights to the server (NCCL) are for GPUs, and there is none",
            f"leave {KEY} out: the same recipe then trains in step with its generation",
        )
    for package, command in PACKAGES.items():
        if find_spec(package) is None:
            yield f"{package} is not installed", command
