"""`Recipe`: everything that one run needs, in one strict record. Defaults < recipe file < `--set` < flags."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from .asynchronous import AsyncSettings, async_settings
from .drawing import CurriculumSettings, DynamicSampling, on_or_off
from .errors import R1Error, RecipeError, nearest, raise_all
from .session_limits import SessionLimits
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
        0.2  # of vLLM's log-probabilities from the trainer's, mean over a step's tokens; None: none (docs/scaling.md)
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


NO_ENV = ""  # the name of the environment of a run that has none


class Recipe(Strict):
    method: Literal["grpo", "sft", "generate"] = "grpo"
    model: str
    dtype: Literal["auto", "float32", "bfloat16"] = (
        "auto"  # of the weights; auto: float32, and bfloat16 under LoRA on a GPU
    )
    attention: str = (
        "auto"  # sdpa, eager, flash_attention_2, ...; auto: flash_attention_2 where it is installed, else sdpa
    )
    lora: Lora | None = None
    quantize: Literal["4bit", "8bit"] | None = None  # the weights under the adapters (QLoRA, arXiv 2305.14314)
    data: Data | None = None  # method sft; None: the demonstrations of `env`
    env: Named  # with `data` it may be left out: then no accuracy is measured
    rewards: tuple[WeightedReward, ...] = (WeightedReward(name="accuracy"), WeightedReward(name="format"))
    generation: Generation = Generation()
    dynamic_sampling: DynamicSampling | None = None  # method grpo
    curriculum: CurriculumSettings | None = None  # method grpo
    evaluation: Evaluation = Evaluation()
    collect: Collect = Collect()
    limits: Limits = Limits()
    sessions: SessionLimits = SessionLimits()  # of attempts of several turns
    optimizer: Literal["trainer", "muon"] = "trainer"  # "trainer": what `trainer.optim` says
    experimental_async: AsyncSettings | None = None  # generation beside training, by a vLLM server (docs/scaling.md)
    trainer: dict[str, Any] = Field(default_factory=dict)  # TRL's own argument names, passed through unchanged
    launch: Launch = Launch()
    seed: Annotated[int, Field(ge=0)] = 0
    output_dir: Path | None = None  # the run folder

    @model_validator(mode="before")
    @classmethod
    def _without_env(cls, value: Any) -> Any:
        learns_from_data = isinstance(value, dict) and value.get("method") == "sft" and value.get("data")
        return {"env": NO_ENV, **value} if learns_from_data else value

    @field_validator("data", mode="before")
    @classmethod
    def _data_by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("env", mode="before")
    @classmethod
    def _env_by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("lora", mode="before")
    @classmethod
    def _lora_by_rank(cls, value: Any) -> Any:
        return {"rank": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("experimental_async", mode="before")
    @classmethod
    def _async_by_true(cls, value: Any) -> Any:
        return async_settings(value)

    @field_validator("dynamic_sampling", "curriculum", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        return on_or_off(value)

    @field_validator("rewards", mode="before")
    @classmethod
    def _rewards_by_name(cls, value: Any) -> Any:
        value = value.split(",") if isinstance(value, str) else value
        return (
            [_reward(item) if isinstance(item, str) else item for item in value] if isinstance(value, list) else value
        )

    @field_validator("rewards")
    @classmethod
    def _rewards_once(cls, value: tuple[WeightedReward, ...]) -> tuple[WeightedReward, ...]:
        names = [reward.name for reward in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a reward is listed once, got {', '.join(twice)} twice")
        return value

    def to_yaml(self) -> str:
        """The whole recipe, defaults included, as a file that reads back as itself."""
        keys = self.model_dump(mode="json")
        if self.method != "generate":
            del keys["collect"]
        if self.method != "sft":
            del keys["data"]
        if self.method != "grpo":
            del keys["dynamic_sampling"], keys["curriculum"]
        return write_yaml(keys)


NAMED_KEYS = ("env", "data")  # may be a bare name


def load_recipe(path: Path | None, *layers: Mapping[str, Any]) -> Recipe:
    """Read `path` and lay `layers` over it, the last one on top. Raises: RecipeError naming every key at fault."""
    merged: dict[str, Any] = read_layer(path) if path else {}
    for layer in layers:
        merged = overlay(merged, layer)
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        found: list[R1Error] = [RecipeError(_explain(e)) for e in error.errors()]
        raise_all(found, RecipeError)
        raise


def read_layer(path: Path) -> dict[str, Any]:
    """A recipe file as a layer. Raises: RecipeError where it cannot be read or is no mapping."""
    import yaml

    try:
        layer = yaml.load(path.read_text(encoding="utf-8"), _yaml_reader())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read recipe {path}: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {path} is not YAML: {error}") from None
    if layer is not None and not isinstance(layer, dict):
        raise RecipeError(f"recipe {path} must be a mapping of keys, got {type(layer).__name__}")
    return layer or {}


def read_yaml(text: str) -> Any:
    """YAML as recipes have it."""
    import yaml

    return yaml.load(text, _yaml_reader())


def write_yaml(value: Any) -> str:
    """`value` as text that `read_yaml` reads back as it is."""
    import yaml

    return str(yaml.dump(value, Dumper=_yaml_writer(), sort_keys=False, allow_unicode=True))


def dotted(assignment: str) -> dict[str, Any]:
    """`"trainer.max_steps=10"` as `{"trainer": {"max_steps": 10}}`; the value is read as YAML. Raises: RecipeError."""
    import yaml

    path, equals, value = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise RecipeError(f"--set takes key=value, e.g. --set trainer.max_steps=10; got {assignment!r}")
    try:
        layer: Any = yaml.load(value, _yaml_reader())
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {path}: the value is not YAML: {error}") from None
    for key in reversed(path.split(".")):
        layer = {key: layer}
    return dict(layer)


@cache
def _yaml_reader() -> Any:
    import yaml

    return _with_plain_numbers(type("Reader", (yaml.SafeLoader,), {}))


@cache
def _yaml_writer() -> Any:
    import yaml

    return _with_plain_numbers(type("Writer", (yaml.SafeDumper,), {}))


def _with_plain_numbers(kind: Any) -> Any:
    """`1e-6` is a number: YAML 1.1 reads it as text because it has no point. And `12:00:00` is text, no number of seconds."""
    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$", re.ASCII)
    kind.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    clock = ("tag:yaml.org,2002:str", re.compile(r"[-+]?\d+(:\d+)+$", re.ASCII))
    found = kind.yaml_implicit_resolvers
    kind.yaml_implicit_resolvers = {**found, **{sign: [clock, *found.get(sign, [])] for sign in "-+0123456789"}}
    return kind


def _reward(text: str) -> dict[str, Any]:
    """`format` or `format=0.2` as a reward with its weight."""
    name, equals, weight = text.strip().partition("=")
    return {"name": name, "weight": weight} if equals else {"name": name}


def overlay(under: Mapping[str, Any], over: Mapping[str, Any], names: Sequence[str] = NAMED_KEYS) -> dict[str, Any]:
    """`over` laid on `under`: mappings merge, anything else replaces. A bare name is read as `{name: ...}` first."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if key in names:
            below, value = _named(below), _named(value)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            if both and below.get("name") not in (None, value.get("name", below.get("name"))):
                below = None  # another environment: the options of the old one are not its own
        merged[key] = overlay(below, value, ()) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _explain(error: Any) -> str:
    path = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"recipe key {path!r} is missing: name it in the recipe or by its flag"
    if error["type"] != "extra_forbidden":
        reason = error["msg"].removeprefix("Value error, ")
        return f"recipe key {path!r}: {reason[:1].lower()}{reason[1:]}, got {error['input']!r:.80}"
    model = _model_at(error["loc"][:-1])
    return f"recipe has no key {path!r}{nearest(str(error['loc'][-1]), model.model_fields)}"


def _model_at(path: tuple[Any, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Recipe
    for part in path:
        if part == "rewards":
            model = WeightedReward
        elif part in model.model_fields:
            annotation = model.model_fields[part].annotation
            for kind in (annotation, *get_args(annotation)):  # `Server | None` is a server
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    model = kind
    return model
