"""A recipe with `stages` in, the recipes of its stages out: each may name the output of an earlier one as `stage:NAME`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import R1Error, RecipeError, nearest, raise_all
from ..plugins.registry import Registry
from ..recipe.key_groups import teacher_key
from ..recipe.layers import overlay, read_layer, read_yaml, write_yaml
from ..recipe.schema import Recipe, load_recipe, raise_with_rest
from .resolve import plan_run

REFERENCE = "stage:"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline. Its recipe may hold references, which stand for outputs that are not there yet."""

    name: str
    recipe: Recipe

    @property
    def model_from(self) -> str | None:
        """The stage whose model this one begins with."""
        return _referred(self.recipe.model)

    @property
    def data_from(self) -> str | None:
        """The stage whose rows this one learns from."""
        return _referred(self.recipe.data.name) if self.recipe.data else None

    @property
    def teachers_from(self) -> dict[str, str]:
        """The stages whose models teach this one, by recipe key."""
        teachers = self.recipe.distill.teachers if self.recipe.distill else {}
        return {teacher_key(part): stage for part, name in teachers.items() if (stage := _referred(name)) is not None}

    def ready(self, outputs: Mapping[str, Path], output_dir: Path) -> Recipe:
        """The recipe with its references replaced; it writes to `output_dir`."""
        keys: dict[str, Any] = {"output_dir": output_dir}
        if self.model_from is not None:
            keys["model"] = str(outputs[self.model_from])
        if self.data_from is not None and self.recipe.data is not None:
            keys["data"] = self.recipe.data.model_copy(update={"name": str(outputs[self.data_from])})
        if self.teachers_from and self.recipe.distill is not None:
            found = {
                part: name if (stage := _referred(name)) is None else str(outputs[stage])
                for part, name in self.recipe.distill.teachers.items()
            }
            keys["distill"] = self.recipe.distill.model_copy(update={"teacher": found.get("", found)})
        return self.recipe.model_copy(update=keys)


def is_pipeline(path: Path) -> bool:
    """True if the recipe at `path` has stages. Raises: RecipeError if it cannot be read."""
    return "stages" in read_layer(path)


def load_stages(path: Path, sets: Sequence[Mapping[str, Any]], find: Callable[[str], Path]) -> list[Stage]:
    """The stages of the recipe at `path`. Raises: R1Error with every problem.

    What stands beside `stages` goes under each of them; a stage that names a `recipe` (which `find` finds) begins with that
    one. Of `sets`, `{"stages": {NAME: ...}}` goes over the stage of that name, anything else over all but what a stage
    takes from an earlier one.
    """
    layer = read_layer(path)
    listed = layer.pop("stages")
    if not isinstance(listed, list) or not listed or not all(isinstance(stage, dict) for stage in listed):
        raise RecipeError(f"recipe key 'stages' of {path} must be a list of recipes, each with a name")
    names = [str(stage.get("name") or f"stage-{number}") for number, stage in enumerate(listed, 1)]
    errors: list[R1Error] = [
        RecipeError(f"stage {number} has no name: begin it with name: {example}, say")
        for number, (stage, example) in enumerate(zip(listed, names, strict=True), 1)
        if not stage.get("name")
    ]
    errors += [
        RecipeError(f"stage {name!r} must be named once, in lower case") for name in names if not _usable(name, names)
    ]
    over: dict[str, dict[str, Any]] = {name: {} for name in names}
    everywhere: dict[str, Any] = {}
    for given in sets:
        rest = dict(given)
        for name, keys in (rest.pop("stages", None) or {}).items():
            if name in over:
                over[name] = overlay(over[name], keys)
            else:
                errors.append(RecipeError(f"--set stages.{name}: no such stage{nearest(name, names)}"))
        everywhere = overlay(everywhere, rest)
    stages = []
    for name, keys in zip(names, listed, strict=True):
        begins, own = keys.get("recipe"), {key: value for key, value in keys.items() if key not in ("name", "recipe")}
        try:
            stages.append(
                Stage(
                    name, load_recipe(find(begins) if begins else None, layer, own, _kept(everywhere, own), over[name])
                )
            )
        except R1Error as error:
            errors += [RecipeError(f"stage {name!r}: {problem}") for problem in error.problems or (error,)]
            if isinstance(error, RecipeError) and error.rest is not None:
                stages.append(Stage(name, error.rest))  # for what others say of it
    errors += _reference_errors(stages)
    if errors:
        raise_with_rest(errors, stages)
    return stages


def check_stages(stages: Sequence[Stage], registry: Registry, draw: bool = True) -> None:
    """Each stage composed, as far as that goes before the earlier ones have run. Raises: R1Error with every problem."""
    errors: list[R1Error] = []
    for stage in stages:
        if stage.recipe.launch.launcher != "local":
            errors.append(RecipeError(f"stage {stage.name!r}: a pipeline runs its stages here: launch.launcher local"))
        awaited = {
            "model": stage.model_from or not stage.recipe.model,
            "data": stage.data_from,
            "teacher": stage.teachers_from,
        }
        try:
            plan_run(stage.recipe, registry, awaited=frozenset(key for key, name in awaited.items() if name), draw=draw)
        except R1Error as error:
            errors += [RecipeError(f"stage {stage.name!r}: {problem}") for problem in error.problems or (error,)]
    raise_all(errors, RecipeError)


def to_yaml(stages: Sequence[Stage]) -> str:
    """The whole pipeline, every recipe with its defaults, as a file that reads back as itself."""
    return write_yaml({"stages": [{"name": stage.name, **read_yaml(stage.recipe.to_yaml())} for stage in stages]})


def _kept(everywhere: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set for all stages, but for the keys in which a stage refers to an earlier one."""
    return {key: value for key, value in everywhere.items() if REFERENCE not in str(own.get(key, ""))}


def _usable(name: str, names: Sequence[str]) -> bool:
    return bool(_NAME.fullmatch(name)) and names.count(name) == 1


def _referred(value: str) -> str | None:
    return value.removeprefix(REFERENCE) if value.startswith(REFERENCE) else None


def _reference_errors(stages: Sequence[Stage]) -> list[R1Error]:
    errors: list[R1Error] = []
    earlier: dict[str, Stage] = {}
    for stage in stages:
        for key, name, makes in (
            ("model", stage.model_from, "a model"),
            ("data", stage.data_from, "rows"),
            *((key, name, "a model") for key, name in stage.teachers_from.items()),
        ):
            if name is None:
                continue
            if name not in earlier:
                known = ", ".join(earlier) or "none"
                errors.append(
                    RecipeError(
                        f"stage {stage.name!r}: key {key!r} refers to {name!r}, which is no earlier stage"
                        f"{nearest(name, earlier)}\n  earlier: {known}"
                    )
                )
            elif (earlier[name].recipe.method == "generate") is not (key == "data"):
                errors.append(
                    RecipeError(f"stage {stage.name!r}: key {key!r} needs {makes}, and stage {name!r} makes none")
                )
        earlier[stage.name] = stage
    return errors
