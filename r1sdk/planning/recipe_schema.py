"""The JSON Schema of a recipe, for editors: keys with types, defaults and descriptions, and the options of every plugin."""

import ast
import dataclasses
import inspect
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, TypeAdapter

from ..contracts import ENVIRONMENTS, SANDBOX, VERIFIER
from ..errors import R1Error
from ..plugins.building import fields_of
from ..plugins.entry import Entry
from ..plugins.registry import Registry
from ..recipe.losses import LOSSES
from ..recipe.schema import Recipe
from ..recipe.trl_fields import trainer_fields, trainer_types
from ..recipe.trl_values import allowed_values
from .trainer_rules import OWNED

Schema = dict[str, Any]
TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "None": "null", "list": "array", "dict": "object"}  # fmt: skip
YAML_NO = ("save_strategy", "logging_strategy")  # YAML reads a bare `no` as false


def recipe_schema(registry: Registry) -> Schema:
    """Return the schema of recipe files, pipelines too, with the plugins of `registry`.

    Every key may be left out, since flags and layers fill a recipe; a key that is there must be right.
    """
    schema = Recipe.model_json_schema()
    groups: Schema = schema["$defs"]
    for model in _models(Recipe):
        target = schema if model is Recipe else groups[model.__name__]
        for name, comment in comments_of(model).items():
            if name in target.get("properties", {}):
                target["properties"][name].setdefault("description", comment)
    keys: Schema = schema["properties"]
    named, reward = groups.pop("Named"), groups.pop("WeightedReward")
    groups["Environment"] = _with_options(named, registry, "environment")
    groups["Reward"] = _with_options(reward, registry, "reward")
    groups["AdvantageSettings"] = _with_options(groups["AdvantageSettings"], registry, "advantage")
    keys["advantage"] = _either(
        keys["advantage"], _names(registry, "advantage"), _ref("AdvantageSettings"), {"type": "null"}
    )
    keys["loss"] = _either(keys["loss"], {"enum": [*LOSSES, None]})
    keys["env"] = _either(keys["env"], _names(registry, "environment"), _ref("Environment"))
    keys["rewards"] = _either(
        keys["rewards"],
        {"type": "string", "description": "rewards with commas: accuracy,format=0.2"},
        {"type": "array", "items": {"anyOf": [_names(registry, "reward"), _ref("Reward")]}},
    )
    keys["model"] = {**keys["model"], **_names(registry, "model")}
    keys["data"] = _either(keys["data"], {"type": "string"}, _ref("Data"), {"type": "null"})
    keys["lora"] = _either(keys["lora"], {"type": "integer", "minimum": 1}, _ref("Lora"), {"type": "null"})
    for switch, group in (("dynamic_sampling", "DynamicSampling"), ("curriculum", "CurriculumSettings"),
                          ("experimental_async", "AsyncSettings")):  # fmt: skip
        keys[switch] = _either(keys[switch], {"type": "boolean"}, _ref(group), {"type": "null"})
    keys["distill"] = _either(keys["distill"], _names(registry, "model"), _ref("Distillation"), {"type": "null"})
    server = groups["Collect"]["properties"]
    server["server"] = _either(server["server"], {"type": "string"}, _ref("ServerSettings"), {"type": "null"})
    keys["trainer"] = _ref("Trainer")
    groups["Trainer"] = {
        "type": "object",
        "description": "TRL's own argument names, passed through unchanged",
        "properties": trainer_properties(),
        "additionalProperties": False,
    }
    schema.pop("required", None)
    for name, group in groups.items():
        if name != "Reward":
            group.pop("required", None)
    stage = {
        "type": "object",
        "description": "one run of the pipeline; takes the keys of a recipe",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "the stage's name, in lower case"},
            "recipe": {**_names(registry, "recipe"), "description": "the recipe that the stage begins with"},
            **keys,
        },
        "additionalProperties": False,
    }
    schema["properties"] = {
        **keys,
        "stages": {"type": "array", "minItems": 1, "items": stage, "description": "the runs of a pipeline, in order"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Recipe of r1sdk",
        "description": "Everything that one training run needs, or the stages of a pipeline.",
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _either(key: Schema, *forms: Schema) -> Schema:
    kept: Schema = {name: key[name] for name in ("default", "description") if name in key}
    return {**kept, "anyOf": list(forms)}


def _names(registry: Registry, kind: str) -> Schema:
    """Return a text for which an editor offers the registered names; others are allowed (a file, a hub id, module:function)."""
    return {"anyOf": [{"enum": registry.names(kind)}, {"type": "string"}]}


def _with_options(group: Schema, registry: Registry, kind: str) -> Schema:
    """Return the schema of a name with options, in which the name decides the options."""
    cases = [
        {
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"options": options_schema(entries[0])}},
        }
        for (one, name), entries in sorted(registry.entries.items(), key=lambda item: item[0])
        if one == kind and len(entries) == 1
    ]
    properties = {**group["properties"], "name": _names(registry, kind)}
    return {**group, "properties": properties, "allOf": cases}


def options_schema(entry: Entry) -> Schema:
    """Return the schema of the options of one plugin, with their defaults and the comments beside them."""
    target = entry.target
    if not dataclasses.is_dataclass(target) or not isinstance(target, type):
        return {"type": "object", "maxProperties": 0, "description": f"{entry.name} takes no options"}
    try:
        types = get_type_hints(target)
    except (NameError, TypeError):  # annotations that only a type checker can read
        types = {}
    comments = comments_of(target)
    properties: Schema = {}
    for option in fields_of(target):
        if not option.init:
            continue
        found: Schema = {}
        plugin = any(mark in option.metadata for mark in (VERIFIER, SANDBOX, ENVIRONMENTS))
        if not plugin and option.name in types:
            found = _type_schema(types[option.name])
        if comment := comments.get(option.name):
            found["description"] = comment
        if option.default is not dataclasses.MISSING and _is_portable(option.default):
            found["default"] = option.default
        properties[option.name] = found
    return {
        "type": "object",
        "description": entry.summary,
        "properties": properties,
        "additionalProperties": False,
    }


def _type_schema(annotation: Any) -> Schema:
    """Return the schema of a type, self-contained; empty for one that JSON has no form for."""
    try:
        found = TypeAdapter(annotation).json_schema()
    except Exception:  # noqa: BLE001 - someone else's type; an option without a schema takes anything
        return {}
    return {} if "$defs" in found else found


def _is_portable(value: Any) -> bool:
    """True for a default that means the same on every machine: JSON, and no file inside an installed package."""
    return _is_json(value) and not (isinstance(value, str) and Path(value).is_absolute())


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def trainer_properties() -> Schema:
    """Return the arguments of the trainer that a recipe may set, those of every method; empty where TRL is not installed."""
    properties: Schema = {}
    for method in ("async", "dpo", "distill", "sft", "grpo"):
        try:
            defaults, types = trainer_fields(method), trainer_types(method)
        except R1Error:
            return {}
        for name, default in defaults.items():
            if name in OWNED:
                continue
            known = [TYPES.get(kind) for kind in sorted(types[name])]
            found: Schema = {} if None in known else {"type": sorted({kind for kind in known if kind})}
            values = allowed_values(method, name)
            if values and "type" in found and found["type"] in (["string"], ["null", "string"]):
                found = {"enum": [*values, *([None] if "null" in found["type"] else [])]}
            elif values:
                found = {"anyOf": [{"enum": values}, {"type": ["number", "boolean", "object", "array", "null"]}]}
            if name in YAML_NO:
                found = {"anyOf": [found, {"const": False}]}
            if default is not None and _is_json(default):
                found["default"] = default
            properties[name] = {**properties.get(name, {}), **found} if name not in properties else found
    return dict(sorted(properties.items()))


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return `model` and every group of keys below it."""
    found = [model]

    def visit(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found.append(annotation)
            for info in annotation.model_fields.values():
                visit(info.annotation)
        for one in get_args(annotation):
            visit(one)

    for info in model.model_fields.values():
        visit(info.annotation)
    return found


def comments_of(owner: type) -> Mapping[str, str]:
    """Return the comment beside each field of a class and its bases, as their sources have it."""
    found: dict[str, str] = {}
    for one in reversed(owner.__mro__[:-1]):
        found |= _own_comments(one)
    return found


def _own_comments(owner: type) -> Mapping[str, str]:
    if owner is BaseModel:
        return {}
    try:
        source = textwrap.dedent(inspect.getsource(owner))
        body = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError):
        return {}
    lines, found = source.splitlines(), dict[str, str]()
    for node in getattr(body, "body", []):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            said = [
                part.partition("#")[2].strip()
                for part in text.splitlines()
                if "# " in part and "'#" not in part and '"#' not in part
            ]
            if said:
                found[node.target.id] = " ".join(said)
    return found
