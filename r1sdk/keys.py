"""The groups of keys that a recipe has, each a strict record with its defaults."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from .strict import Strict
from .vllm_settings import VllmSettings


class Named(Strict):
    """A registered name with its options. `countdown` and `{name: countdown, options: {level: easy}}` read as one."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    timeout_s: Annotated[float | None, Field(gt=0.0, le=86400.0)] = (
        None  # judged in a worker process, for at most so long
    )


class WeightedReward(Named):
    weight: float = 1.0


class Generation(Strict):
    """How completions are sampled."""

    backend: Literal["auto", "transformers", "vllm"] = "auto"  # auto: vllm where it is installed and a GPU is there
    vllm: VllmSettings = VllmSettings()
    samples: Annotated[int, Field(ge=1)] = 8  # completions per prompt: GRPO's group size
    max_tokens: Annotated[int, Field(ge=1)] = 512  # per completion
    temperature: Annotated[float, Field(ge=0.0)] = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0  # 0: off


class Evaluation(Strict):
    """The held-out evaluation before and after training. `tasks: 0` leaves it out, what is done during training too."""

    split: str = "test"
    tasks: Annotated[int, Field(ge=0)] = 200
    samples: Annotated[int, Field(ge=1)] = 1  # completions per task
    temperature: Annotated[float, Field(ge=0.0)] = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    during: Annotated[int, Field(ge=0)] = 8  # of those tasks, attempted again at each quarter of the training


class Data(Strict):
    """What SFT learns from: a file, an environment that has demonstrations, or a data set on the hub."""

    name: str  # rows.jsonl, rows.parquet; countdown; owner/name
    options: dict[str, Any] = Field(default_factory=dict)  # of the environment
    config: str | None = None  # of the data set on the hub
    split: str = "train"  # of the data set on the hub
    held_out: Annotated[int, Field(ge=0)] = 0  # rows that are not trained on; their loss is measured before and after


class ServerSettings(Strict):
    """An OpenAI-compatible server that `generate` asks; `model` is then the name that it knows the model by."""

    url: str  # http://localhost:8000/v1
    api_key_env: str | None = None  # the NAME of the environment variable that holds the key
    concurrent: Annotated[int, Field(ge=1)] = 256  # requests at a time
    timeout_s: Annotated[float, Field(gt=0.0)] = 1800.0  # of one request
    retries: Annotated[int, Field(ge=0)] = 8  # after a failure that may pass
    backoff_s: Annotated[float, Field(ge=0.0)] = (
        1.0  # before the first retry, then twice as long each time, at most 30 s
    )
    body: dict[str, Any] = Field(default_factory=dict)  # what a request says besides, e.g. {seed: 1}
    price: tuple[float, float] | None = None  # of a million tokens: prompt, completion


class Collect(Strict):
    """Method generate: which tasks are answered, and which answers are kept. `generation` says how they are sampled."""

    split: str = "train"
    tasks: Annotated[int, Field(ge=1)] = 1000
    keep: str = "all"  # e.g. correct,shortest=1,pass_rate=0.2:0.8
    duplicates: bool = False  # keep answers that are the same
    format: Literal["jsonl", "parquet"] = "jsonl"
    server: ServerSettings | None = None  # None: a model in this process

    @field_validator("server", mode="before")
    @classmethod
    def _server_by_url(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value


class Limits(Strict):
    """Above these the run stops and says why. `error` and `unverifiable`: shares of a batch that nobody judged."""

    error: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    unverifiable: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    sampler_difference: Annotated[float | None, Field(gt=0.0)] = (
        0.2  # of vLLM's log-probabilities from the trainer's, mean over a step's tokens; None: none (docs/vllm.md)
    )


class Launch(Strict):
    """The processes that train, and what starts them."""

    accelerate: str | None = None  # ddp, zero2, zero3, fsdp2, or a config file of accelerate's; None: one process
    processes: Annotated[int | None, Field(ge=1)] = None  # on each machine; None: one for each GPU that is there
    nodes: Annotated[int, Field(ge=1)] = 1  # machines that train
    vllm_nodes: Annotated[int, Field(ge=0)] = 0  # machines beside them for the vLLM server, with launcher slurm
    launcher: Literal["local", "slurm", "none"] = "local"  # "none": you start them, on the prepared run folder
    template: Path | None = None  # of the Slurm script; None: r1sdk's own
    sbatch: dict[str, str | int] = Field(default_factory=dict)  # options of sbatch: {partition: gpu, time: "12:00:00"}


class Lora(Strict):
    """Adapters that are trained in place of the model (arXiv 2106.09685). `lora: 16` is `lora: {rank: 16}`."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0.0)] = 32.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"  # names of modules
