"""`Recipe`: everything that one run needs, in one strict record. Defaults < recipe file < `--set` < flags."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, ValidationError, field_validator, model_validator

from ..errors import R1Error, RecipeError, raise_all
from ..value_words import not_finite
from .asynchronous import AsyncSettings, async_settings
from .key_faults import NO_ENV, key_faults, number_faults, without_faults
from .key_groups import (
    AdvantageSettings,
    Collect,
    CurriculumSettings,
    Data,
    Distillation,
    DynamicSampling,
    EvaluationSettings,
    ExpandedPath,
    Generation,
    KeepBest,
    Launch,
    Limits,
    Lora,
    Named,
    OnCollapse,
    SessionLimits,
    Strict,
    WeightedReward,
    on_or_off,
)
from .layers import overlay, read_layer, write_yaml
from .losses import LOSSES, with_loss
from .methods import METHODS


@dataclass(frozen=True, slots=True)
class Chat:
    """The recipe's keys on chat: the template, its arguments, and permission to run the model's own code."""

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


DEFAULT_REWARDS = (WeightedReward(name="accuracy"), WeightedReward(name="format"))


class Recipe(Strict):
    method: Literal["grpo", "sft", "dpo", "distill", "generate"] = "grpo"
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
    data: Data | None = None  # methods sft and dpo; None: the demonstrations of `env`
    distill: Distillation | None = None  # method distill; a text is the teacher
    env: Named  # with `data` it may be left out: then no accuracy is measured
    rewards: tuple[WeightedReward, ...] = DEFAULT_REWARDS
    loss: str | None = (
        None  # method grpo: a loss by its name in the field, which sets keys of `trainer` (docs/algorithms.md)
    )
    advantage: AdvantageSettings | None = None  # method grpo: how rewards become advantages; None: TRL's own way
    generation: Generation = Generation()
    dynamic_sampling: DynamicSampling | None = None  # method grpo
    curriculum: CurriculumSettings | None = None  # method grpo
    evaluation: EvaluationSettings = EvaluationSettings()
    keep_best: KeepBest | None = KeepBest()  # keep the checkpoint that is best on held-out tasks; methods grpo and sft
    on_collapse: OnCollapse = OnCollapse()  # method grpo
    collect: Collect = Collect()
    limits: Limits = Limits()
    sessions: SessionLimits = SessionLimits()  # of attempts of several turns
    optimizer: Literal["trainer", "muon"] = "trainer"  # "trainer": as in `trainer.optim`
    experimental_async: AsyncSettings | None = None  # generation beside training, by a vLLM server (docs/vllm.md)
    trainer: dict[str, Any] = Field(default_factory=dict)  # TRL's own argument names, passed through unchanged
    launch: Launch = Launch()
    seed: Annotated[int, Field(ge=0)] = 0
    output_dir: ExpandedPath | None = None  # the run folder

    @model_validator(mode="before")
    @classmethod
    def _without_env(cls, value: Any) -> Any:
        learns_from_data = isinstance(value, dict) and value.get("method") in ("sft", "dpo") and value.get("data")
        return {"env": NO_ENV, **value} if learns_from_data else value

    @model_validator(mode="before")
    @classmethod
    def _trainer_by_loss(cls, value: Any) -> Any:
        return with_loss(value) if isinstance(value, Mapping) and value.get("loss") is not None else value

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, value: str | None) -> str | None:
        if value is not None and value not in LOSSES:
            raise ValueError(f"must be one of {', '.join(map(repr, LOSSES))}")
        return value

    @field_validator("trainer", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        """YAML reads a bare `no` as false; for a strategy it is the name of one."""
        if not isinstance(value, dict):
            return value
        strategies = ("save_strategy", "logging_strategy")
        return {key: "no" if key in strategies and one is False else one for key, one in value.items()}

    @field_validator("data", "env", "advantage", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("distill", mode="before")
    @classmethod
    def _teacher_by_name(cls, value: Any) -> Any:
        return {"teacher": value} if isinstance(value, str) else value

    @field_validator("lora", mode="before")
    @classmethod
    def _lora_by_rank(cls, value: Any) -> Any:
        return {"rank": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("experimental_async", mode="before")
    @classmethod
    def _async_by_true(cls, value: Any) -> Any:
        return async_settings(value)

    @field_validator("on_collapse", mode="before")
    @classmethod
    def _action_by_name(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value

    @field_validator("dynamic_sampling", "curriculum", "keep_best", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        return on_or_off(value)

    @field_validator("rewards", mode="before")
    @classmethod
    def _rewards_by_name(cls, value: Any) -> Any:
        return rewards_by_name(value)

    @field_validator("rewards")
    @classmethod
    def _rewards_once(cls, value: tuple[WeightedReward, ...]) -> tuple[WeightedReward, ...]:
        names = [reward.name for reward in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a reward is listed once, got {', '.join(twice)} twice")
        return value

    @property
    def trainer_kind(self) -> str:
        """The kind of TRL's trainer that runs this recipe: the method, or "async" for asynchronous GRPO."""
        return "async" if self.method == "grpo" and self.experimental_async is not None else self.method

    @property
    def chat(self) -> Chat:
        """Return the chat settings."""
        return Chat(self.chat_template, self.template_args, self.trust_remote_code)

    def to_yaml(self) -> str:
        """The whole recipe, defaults included, as a file that reads back as itself."""
        keys = self.model_dump(mode="json")
        if self.method != "generate":
            del keys["collect"]
        if not METHODS[self.method].reads_rows:
            del keys["data"]
        if self.method != "distill":
            del keys["distill"]
        if self.method != "grpo":
            del keys["dynamic_sampling"], keys["curriculum"], keys["advantage"], keys["loss"], keys["on_collapse"]
        if self.method == "generate":
            del keys["keep_best"]
        return write_yaml(keys)


def load_recipe(path: Path | None, *layers: Mapping[str, Any], options: Callable[[], Iterable[str]] = tuple) -> Recipe:
    """Read `path` and lay `layers` over it, the last one on top. Raises: RecipeError naming every key at fault, with the
    `rest` of the recipe.

    `options` returns the full keys of the plugins' options, for the hint on an unknown key.
    """
    merged: dict[str, Any] = read_layer(path) if path else {}
    for layer in layers:
        merged = overlay(merged, layer)
    if "rewards" in merged:
        merged["rewards"] = rewards_by_name(merged["rewards"])
    faults, places = number_faults(merged), [place for place, _ in not_finite(merged)]
    try:
        recipe = Recipe.model_validate(merged)
    except ValidationError as error:
        faults = key_faults(error, merged, Recipe, options) + faults
        places += [one["loc"] for one in error.errors()]
    if faults:
        raise_with_rest([RecipeError(fault) for fault in faults], _rest(merged, places))
    return recipe


def raise_with_rest(errors: Sequence[R1Error], rest: Any) -> NoReturn:
    """Raise all `errors` as one, with the `rest` of the recipe, or of a pipeline's. Raises: RecipeError."""
    try:
        raise_all(errors, RecipeError)
    except RecipeError as error:
        error.rest = rest
        raise
    raise AssertionError("there are no errors")


def _rest(keys: Mapping[str, Any], places: Sequence[tuple[Any, ...]]) -> Recipe | None:
    """Return the recipe without the keys at `places`; None where the others make none."""
    try:
        return Recipe.model_validate(without_faults(keys, places))
    except ValidationError:
        return None


def rewards_by_name(value: Any) -> Any:
    """Return rewards as a list of mappings, from `accuracy,format=0.2` or a list with texts; anything else as it is."""
    value = [text for text in value.split(",") if text.strip()] if isinstance(value, str) else value
    if not isinstance(value, (list, tuple)):
        return value
    return [
        _reward(item) if isinstance(item, str) else dict(item) if isinstance(item, Mapping) else item for item in value
    ]


def _reward(text: str) -> dict[str, Any]:
    """`format` or `format=0.2` as a reward with its weight."""
    name, equals, weight = text.strip().partition("=")
    return {"name": name.strip(), "weight": weight.strip()} if equals else {"name": name}
