"""`Recipe`: everything that one run needs, in one strict record. Defaults < recipe file < `--set` < flags."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ..errors import R1Error, RecipeError, nearest, raise_all
from .asynchronous import AsyncSettings, async_settings
from .key_groups import (
    Collect,
    CurriculumSettings,
    Data,
    DynamicSampling,
    EvaluationSettings,
    ExpandedPath,
    Generation,
    Launch,
    Limits,
    Lora,
    Named,
    SessionLimits,
    Strict,
    WeightedReward,
    on_or_off,
)
from .layers import overlay, read_layer, write_yaml

NO_ENV = ""  # the name of the environment of a run that has none


@dataclass(frozen=True, slots=True)
class Chat:
    """How a model's conversations are written, and whether its own code may run; the recipe's keys on that."""

    template: str | None = None  # None: the model's own
    arguments: Mapping[str, Any] = field(default_factory=dict)
    trust_remote_code: bool = False

    @property
    def request(self) -> dict[str, Any]:
        """The keys of a request that have a server set the arguments (vLLM, SGLang)."""
        return {"chat_template_kwargs": dict(self.arguments)} if self.arguments else {}

    @property
    def plan(self) -> dict[str, Any]:
        """The keys that decide what is generated, where they are set, as JSON."""
        found = {"chat_template": self.template, "template_args": dict(self.arguments)}
        return {key: value for key, value in found.items() if value}


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
    chat_template: str | None = None  # instead of the model's own: r1_zero, plain, or a file
    template_args: dict[str, Any] = Field(default_factory=dict)  # of the chat template: {enable_thinking: false}
    trust_remote_code: bool = False  # run the Python files that come with the model
    data: Data | None = None  # method sft; None: the demonstrations of `env`
    env: Named  # with `data` it may be left out: then no accuracy is measured
    rewards: tuple[WeightedReward, ...] = (WeightedReward(name="accuracy"), WeightedReward(name="format"))
    generation: Generation = Generation()
    dynamic_sampling: DynamicSampling | None = None  # method grpo
    curriculum: CurriculumSettings | None = None  # method grpo
    evaluation: EvaluationSettings = EvaluationSettings()
    collect: Collect = Collect()
    limits: Limits = Limits()
    sessions: SessionLimits = SessionLimits()  # of attempts of several turns
    optimizer: Literal["trainer", "muon"] = "trainer"  # "trainer": what `trainer.optim` says
    experimental_async: AsyncSettings | None = None  # generation beside training, by a vLLM server (docs/vllm.md)
    trainer: dict[str, Any] = Field(default_factory=dict)  # TRL's own argument names, passed through unchanged
    launch: Launch = Launch()
    seed: Annotated[int, Field(ge=0)] = 0
    output_dir: ExpandedPath | None = None  # the run folder

    @model_validator(mode="before")
    @classmethod
    def _without_env(cls, value: Any) -> Any:
        learns_from_data = isinstance(value, dict) and value.get("method") == "sft" and value.get("data")
        return {"env": NO_ENV, **value} if learns_from_data else value

    @field_validator("trainer", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        """YAML reads a bare `no` as false; for a strategy it is the name of one."""
        if not isinstance(value, dict):
            return value
        strategies = ("save_strategy", "logging_strategy")
        return {key: "no" if key in strategies and one is False else one for key, one in value.items()}

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

    @property
    def chat(self) -> Chat:
        """How conversations are written."""
        return Chat(self.chat_template, self.template_args, self.trust_remote_code)

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


def _reward(text: str) -> dict[str, Any]:
    """`format` or `format=0.2` as a reward with its weight."""
    name, equals, weight = text.strip().partition("=")
    return {"name": name, "weight": weight} if equals else {"name": name}


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
