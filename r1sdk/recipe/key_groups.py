"""The groups of keys in a recipe, each a strict record with its defaults."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def expanded(path: Path) -> Path:
    """Return `path` with `~` and `$VARIABLES` filled in. Raises: ValueError for a variable that is not set."""
    filled = os.path.expandvars(path)
    if unset := re.findall(r"\$\w+|\$\{\w+\}", filled):
        raise ValueError(f"{', '.join(unset)} is not set in the environment")
    return Path(filled).expanduser()


ExpandedPath = Annotated[Path, AfterValidator(expanded)]


class VllmSettings(Strict):
    """Read where the backend is vLLM. In mode server without `url`, r1sdk starts the server and ends it with the run."""

    mode: Literal["colocate", "server"] = "colocate"  # in the training processes, or in a server beside them
    url: str | None = None  # of a server that is there already: http://vllm-node:8000
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1  # GPUs that share out one copy of the model
    data_parallel_size: Annotated[int, Field(ge=1)] = 1  # copies, of a server that r1sdk starts
    gpu_memory_utilization: Annotated[float | None, Field(gt=0.0, le=1.0)] = (
        None  # None: 0.3 beside a trainer (TRL's), else 0.9; 0.3 of the memory on a CPU
    )
    max_model_len: Annotated[int | None, Field(ge=1)] = None  # tokens of prompt and completion; None: the model's
    serve: dict[str, str | int | float | bool] = Field(
        default_factory=dict
    )  # more options of `vllm serve`, for a server that r1sdk starts: {max-num-seqs: 256}
    start_timeout_s: Annotated[float, Field(gt=0.0)] = 600.0  # until a server answers
    request_timeout_s: Annotated[float, Field(gt=0.0)] = 3600.0  # of one request to it: a batch of completions
    lost_after_s: Annotated[float, Field(ge=1.0)] = 120.0  # in which a server never says that it is well

    @model_validator(mode="before")
    @classmethod
    def _a_url_is_of_a_server(cls, value: Any) -> Any:
        given = isinstance(value, dict) and value.get("url") is not None
        return {"mode": "server", **value} if given else value

    @property
    def starts_server(self) -> bool:
        """True if r1sdk starts the server."""
        return self.mode == "server" and self.url is None

    @property
    def own_gpus(self) -> int:
        """The GPUs that the processes which train must leave to a server on their machine."""
        return self.tensor_parallel_size * self.data_parallel_size if self.starts_server else 0


class Named(Strict):
    """A registered name with its options. `countdown` and `{name: countdown, options: {level: easy}}` read as one."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    timeout_s: Annotated[float | None, Field(gt=0.0, le=86400.0)] = (
        None  # judged in a worker process, for at most so long
    )


_NAME_AND_NUMBER = re.compile(r"(\w+)\s*[: *]\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


class WeightedReward(Named):
    weight: float = 1.0

    @field_validator("name")
    @classmethod
    def _without_weight(cls, value: str) -> str:
        if found := _NAME_AND_NUMBER.fullmatch(value):
            raise ValueError(f"a weight follows its reward as {found[1]}={found[2]}")
        return value


class AdvantageSettings(Strict):
    """The advantage estimator of GRPO, a registered name with its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class Generation(Strict):
    """Sampling of completions."""

    backend: Literal["auto", "transformers", "vllm"] = "auto"  # auto: vllm where it is installed and a GPU is there
    vllm: VllmSettings = VllmSettings()
    samples: Annotated[int, Field(ge=1)] = 8  # completions per prompt: GRPO's group size
    max_tokens: Annotated[int, Field(ge=1)] = 512  # per completion
    temperature: Annotated[float, Field(ge=0.0)] = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0  # 0: off


class EvaluationSettings(Strict):
    """The held-out evaluation before and after training. `tasks: 0` skips it, and the one during training too."""

    split: str = "test"
    tasks: Annotated[int, Field(ge=0)] = 200
    samples: Annotated[int, Field(ge=1)] = 1  # completions per task
    temperature: Annotated[float, Field(ge=0.0)] = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    during: Annotated[int, Field(ge=0)] = 8  # of those tasks, attempted again at each quarter of the training


class Data(Strict):
    """The rows that SFT or DPO learns from: a file, an environment that has demonstrations, or a data set on the hub."""

    name: str  # a file (rows.jsonl, rows.csv.gz, ...) or a folder; countdown; owner/name
    options: dict[str, Any] = Field(default_factory=dict)  # of the environment
    config: str | None = None  # of the data set on the hub
    split: str = "train"  # of the data set on the hub
    prompt_column: str | None = None  # None: found by itself, and printed
    completion_column: str | None = None
    system_column: str | None = None
    reasoning_column: str | None = None  # the reasoning before the reply
    chosen_column: str | None = None  # method dpo: the better reply
    rejected_column: str | None = None  # method dpo: the worse reply
    turns: Literal["last", "all"] = "last"  # of a conversation: its last turn, or each of the assistant's, is learnt
    thought_marks: Literal["think", "keep"] = "think"  # <|begin_of_thought|> is written as <think>, or kept
    skip_bad: Annotated[int, Field(ge=0)] = 0  # rows that make no demonstration and are left out; one more is an error
    held_out: Annotated[int, Field(ge=0)] = (
        0  # method sft: rows that are not trained on; their loss is measured before and after
    )


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
    max_wait_s: Annotated[float, Field(ge=0.0)] = 120.0  # the longest wait that the server may ask for with Retry-After
    body: dict[str, Any] = Field(default_factory=dict)  # further keys of each request, e.g. {seed: 1}
    price: tuple[float, float] | None = None  # of a million tokens: prompt, completion


class Collect(Strict):
    """Method generate: which tasks are answered, and which answers are kept. `generation` says how they are sampled."""

    split: str = "train"
    tasks: Annotated[int, Field(ge=1)] = 1000
    keep: str = "all"  # e.g. correct,shortest=1,pass_rate=0.2:0.8
    duplicates: bool = False  # keep answers that are the same
    pairs: bool = False  # write each right answer with a wrong one to the same prompt, for method dpo
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
    suspect: Literal["leave_out", "keep", "stop"] = (
        "leave_out"  # tasks on which a wrong answer close to the gold answer earns 1.0 as well
    )
    plugin_timeout_s: Annotated[float | None, Field(gt=0.0, le=86400.0)] = (
        None  # of one call of a reward, verifier or session that has no limit of its own; above it the run stops. None: none
    )
    sampler_difference: Annotated[float | None, Field(gt=0.0)] = (
        0.2  # of vLLM's log-probabilities from the trainer's, mean over a step's tokens; None: none (docs/vllm.md)
    )
    receipts: Literal["check", "off"] = "check"  # compare the weights that vLLM serves with the trainer's at each sync


class Launch(Strict):
    """The processes that train, and their launcher."""

    accelerate: str | None = None  # ddp, zero2, zero3, fsdp2, or a config file of accelerate's; None: one process
    processes: Annotated[int | None, Field(ge=1)] = None  # on each machine; None: one for each GPU that is there
    nodes: Annotated[int, Field(ge=1)] = 1  # machines that train
    vllm_nodes: Annotated[int, Field(ge=0)] = 0  # machines beside them for the vLLM server, with launcher slurm
    launcher: Literal["local", "slurm", "none"] = "local"  # "none": you start them, on the prepared run folder
    template: ExpandedPath | None = None  # of the Slurm script; None: r1sdk's own
    sbatch: dict[str, str | int] = Field(default_factory=dict)  # options of sbatch: {partition: gpu, time: "12:00:00"}


class Lora(Strict):
    """Adapters that are trained in place of the model (arXiv 2106.09685). `lora: 16` is `lora: {rank: 16}`."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0.0)] = 32.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"  # names of modules


class SessionLimits(Strict):
    """Bounds on one attempt in an environment with sessions. All its tokens together: `generation.max_tokens`."""

    turns: Annotated[int, Field(ge=1)] = 16  # of the model
    calls: Annotated[int, Field(ge=0)] = 32  # of tools; further ones are told that there are no more
    timeout_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 10.0  # of one call of a tool
    output_chars: Annotated[int, Field(ge=16)] = 4000  # of one result of a call, or one message of the environment


class Distillation(Strict):
    """Method distill: the teacher, and the divergence between it and the model, token by token (arXiv 2306.13649, Eq. 2)."""

    # A registered name, a folder, a run folder, a hub id; it has the vocabulary of the model. For the environment mixture also
    # {PART: TEACHER}: each part has a teacher of its own.
    teacher: str | dict[str, str]
    divergence: Annotated[Literal["reverse", "forward", "jsd"] | float, Field(union_mode="left_to_right")] = (
        "reverse"  # reverse KL seeks one mode, forward KL covers all, jsd lies between; a number is TRL's beta, 0 to 1
    )

    @field_validator("teacher")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if value == {}:
            raise ValueError("there is no teacher: name one for each part of the mixture")
        return value

    @property
    def teachers(self) -> dict[str, str]:
        """The teachers by part of the mixture; one that teaches everything is under the empty name."""
        return {"": self.teacher} if isinstance(self.teacher, str) else self.teacher

    @field_validator("divergence")
    @classmethod
    def _between(cls, value: Any) -> Any:
        if isinstance(value, float) and not 0.0 <= value <= 1.0:
            raise ValueError("a number for the divergence is from 0 (forward KL) to 1 (reverse KL)")
        return value

    @property
    def beta(self) -> float:
        """The weight of the model in the mixture of the generalized JSD, TRL's `beta`: 0 is forward KL, 1 is reverse KL."""
        named = {"reverse": 1.0, "forward": 0.0, "jsd": 0.5}
        return named[self.divergence] if isinstance(self.divergence, str) else self.divergence


def teacher_key(part: str) -> str:
    """Return the recipe key of the teacher of a part, or of everything under the empty name."""
    return f"distill.teacher.{part}" if part else "distill.teacher"


class DynamicSampling(Strict):
    """Zero-variance groups give way to groups of fresh prompts (DAPO, arXiv 2503.14476, section 3.2). `true` is `{}`."""

    max_rounds: Annotated[int, Field(ge=1, le=100)] = (
        3  # of fresh prompts for one batch; groups that still have zero variance stay
    )
    metric: Literal["reward", "accuracy"] = (
        "reward"  # that must vary within a group: the weighted total, or the verdicts
    )


class CurriculumSettings(Strict):
    """Tasks whose pass rate may be near the target are drawn first (MoPPS, arXiv 2507.04632). `true` is `{}`."""

    target: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5  # pass rate
    discount: Annotated[float, Field(ge=0.0, le=1.0)] = (
        0.5  # weight of earlier groups of a task, relative to the newest
    )
    pass_rates: ExpandedPath | None = None  # initial rates, written by `r1 data difficulty`; None: unknown


class KeepBest(Strict):
    """Held-out tasks that are attempted at checkpoints, at most ten times a run. `true` is `{}`.

    The best checkpoint stays: it is one of `trainer.save_total_limit`, if that is 2 or more.
    """

    tasks: Annotated[int, Field(ge=1)] = 32  # of the evaluation's


class OnCollapse(Strict):
    """The reaction of a run whose health checks are certain that the policy collapsed. `rollback` is `{action: rollback}`."""

    action: Literal["warn", "rollback"] = "warn"  # rollback: go back to the last healthy checkpoint
    rate_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25  # on the learning rate, at each rollback
    most: Annotated[int, Field(ge=1, le=20)] = 3  # rollbacks; then the run ends with its last healthy checkpoint


def on_or_off(value: Any) -> Any:
    """`true` as the defaults, `false` as none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value
