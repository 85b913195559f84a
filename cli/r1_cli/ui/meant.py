"""Options, arguments and commands as other tools name them, and what they are called here."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from r1sdk.api import KeyWord

COMMANDS = {  # a word of other tools -> the words here, and what to add where nothing else is given
    "grpo": ("train --method grpo", "--env countdown"),
    "sft": ("train --method sft", "--env countdown"),
    "dpo": ("train --method dpo", "--data pairs.jsonl"),
    "distill": ("train --method distill", "distill/tiny"),
    **dict.fromkeys(("rl", "fit", "run", "launch", "start"), ("train", "--env countdown")),
    **dict.fromkeys(("finetune", "fine_tune"), ("train --method sft", "--env countdown")),
    **dict.fromkeys(
        ("rollout", "rollouts", "sample", "infer", "inference", "predict", "synth"), ("generate", "--env countdown")
    ),
    **dict.fromkeys(("evaluate", "test", "bench", "benchmark"), ("eval", "tiny --env countdown")),
    **dict.fromkeys(("grade", "judge", "verify"), ("score", "--help")),
    **dict.fromkeys(("list", "ls", "ps", "status"), ("runs", "")),
    **dict.fromkeys(("compare", "diff"), ("runs compare", "runs/a runs/b")),
    **dict.fromkeys(("rm", "remove", "delete"), ("runs rm", "runs/a")),
    **dict.fromkeys(("show", "inspect", "browse"), ("view", "runs/a")),
    **dict.fromkeys(("envs", "env", "environments"), ("plugins --kind environment", "")),
    "rewards": ("plugins --kind reward", ""),
    "models": ("plugins --kind model", ""),
    **dict.fromkeys(("init", "create", "scaffold"), ("new", "reward shout")),
    **dict.fromkeys(("info", "diagnose", "env_check"), ("doctor", "")),
    **dict.fromkeys(("resume", "continue"), ("train --resume", "last")),
    **dict.fromkeys(("dedup", "deduplicate", "decontaminate"), ("data decontaminate", "--help")),
    "version": ("--version", ""),
    "help": ("--help", ""),
    "runs list": ("runs", ""),
    "runs ls": ("runs", ""),
    "runs show": ("report", "runs/a"),
    "runs view": ("view", "runs/a"),
    "runs diff": ("runs compare", "runs/a runs/b"),
    **dict.fromkeys(("runs remove", "runs delete", "runs del"), ("runs rm", "runs/a")),
    "recipes list": ("recipes", ""),
    "recipes ls": ("recipes", ""),
    **dict.fromkeys(("recipes cp", "recipes get"), ("recipes copy", "countdown/tiny")),
    **dict.fromkeys(
        ("data dedup", "data deduplicate", "data validate", "data lint"), ("data check", "--env countdown")
    ),
    **dict.fromkeys(("data filter", "data rate"), ("data difficulty", "--help")),
    "data clean": ("data decontaminate", "--help"),
}
_RECIPE = ("config", "config_file", "config_path", "recipe", "recipe_file", "yaml")  # options that name a recipe file
_OWN = {  # words of other tools that are no recipe keys -> the option here
    **dict.fromkeys(("resume_from_checkpoint", "resume_from", "checkpoint"), "--resume"),
    **dict.fromkeys(("force", "replace"), "--overwrite"),
    **dict.fromkeys(("dry", "validate"), "--dry-run"),
    "push": "--push-to-hub",
    "hub_model_id": "--push-to-hub",
}
_FLAGS = {  # recipe key -> the option of r1 train, where their names differ
    "trainer.max_steps": "--steps",
    "trainer.report_to": "--report-to",
    "output_dir": "--out",
    "distill.teacher": "--teacher",
    "lora.rank": "--lora",
    "on_collapse.action": "--on-collapse",
    "launch.accelerate": "--accelerate",
    "launch.processes": "--processes",
    "launch.launcher": "--launcher",
    "launch.nodes": "--nodes",
    "launch.vllm_nodes": "--vllm-nodes",
    "generation.vllm.mode": "--vllm-mode",
    "generation.vllm.url": "--vllm-url",
}
_SHARED = ("generation", "evaluation", "collect")  # groups whose keys are options of that name in some commands


@dataclass(frozen=True)
class Meant:
    """The words that were meant, and the sentence on them."""

    said: str
    words: tuple[str, ...] = ()  # empty: the value is not known


def meant_command(group: str, words: Sequence[str], known: Sequence[str]) -> str:
    """Return the end of a message on an unknown command: the command that was meant, with the other words."""
    name, rest = words[0], list(words[1:])
    path = " ".join([*group.split()[1:], name.lower().replace("-", "_")])
    if path in COMMANDS:
        instead, example = COMMANDS[path]
        return f": here that is\n  r1 {_joined([*instead.split(), *(rest or example.split())])}"
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?\n  {group} {_joined([close[0], *rest])}"
    return f": {group} --help lists them"


def meant_argument(command: str, word: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the message on an argument too many, and the words to write instead, if they are known."""
    if command == "r1 plugins":
        kind = {"envs": "environment", "env": "environment", "sandboxes": "sandbox"}.get(word, word.rstrip("s"))
        if kind in ("reward", "environment", "verifier", "sandbox", "advantage", "recipe", "model", "accelerate"):
            return f"a kind follows --kind: write --kind {kind}", "--kind", kind
        return (f"r1 plugins lists all plugins, of one kind with --kind; check one of them with: r1 check {word}",)
    if "--set" in options and "--env" in options:
        from r1sdk import load_plugins

        entries = load_plugins().entries
        for kind, option in (("environment", "--env"), ("reward", "--rewards"), ("model", "--model")):
            if (kind, word) in entries and option in options:
                return f"{word} is a registered {kind}: write {option} {word}", option, word
    return (f"{command} takes no argument {word!r} here: {command} --help",)


def meant_option(
    command: str, options: Mapping[str, Any], arguments: Sequence[str], word: str, value: str | None
) -> Meant | None:
    """Return the words to write instead of the unknown option `word` with its `value`; None if nothing is close to it."""
    from r1sdk.api import key_word, near_key_words

    name = word.lstrip("-").replace("-", "_").lower()
    own = {option.lstrip("-").replace("-", "_"): option for option in options if option.startswith("--")}
    same = own.get(name) or _OWN.get(name)
    if same is not None and same in options:
        return _written(same, options[same], value)
    if "--set" in options and value is not None and _is_plugins_option(name):
        setting = f"{name}={value}"
        return Meant(f": write --set {_joined([setting])}", ("--set", setting))
    if name in _RECIPE and "recipe" in arguments:
        return _as_argument("recipe", value)
    exact = key_word(name)
    if found := _of_key(command, options, arguments, exact, value):
        return found
    if exact.note and not exact.keys:
        return Meant(f": {exact.note}")
    if close := get_close_matches(name, own, n=1, cutoff=0.7):
        return _written(own[close[0]], options[own[close[0]]], value)
    near = (_of_key(command, options, arguments, one, value) for one in near_key_words(name))
    return next(near, None)


def _is_plugins_option(name: str) -> bool:
    """True for `countdown.level`: what follows a plugin's name is its option."""
    from r1sdk import load_plugins

    plugin, dot, option = name.partition(".")
    return bool(dot and option) and any(plugin == known for _, known in load_plugins().entries)


def _of_key(
    command: str, options: Mapping[str, Any], arguments: Sequence[str], meant: "KeyWord", value: str | None
) -> Meant | None:
    """Return the option, the argument or the setting that stands for the first of the recipe keys which the command reads."""
    from r1sdk.api import is_read, key_default

    note = f" ({meant.note})" if meant.note else ""
    if meant.switched is not None and str(value).lower() in ("none", "true", "1", "yes"):
        value = meant.switched
    for key in meant.keys:
        if key == "model" and (place := next((one for one in arguments if one in ("model", "models")), None)):
            return _as_argument(place, value)
        option = _option_of(key, options)
        if option is not None:
            return _written(option, options[option], value, note)
    for key in meant.keys:
        if "--set" in options and is_read(key, command.removeprefix("r1 ")):
            setting = key_default(key) if value is None else value
            if setting is None:
                return Meant(f": write --set {key}=VALUE{note}")
            return Meant(f": write --set {_joined([f'{key}={setting}'])}{note}", ("--set", f"{key}={setting}"))
    return None


def _option_of(key: str, options: Mapping[str, Any]) -> str | None:
    group, _, leaf = key.rpartition(".")
    names = [_FLAGS.get(key), f"--{leaf.replace('_', '-')}" if group in ("", *_SHARED) else None]
    return next((name for name in names if name in options), None)


def _written(option: str, param: Any, value: str | None, note: str = "") -> Meant:
    """Return an option with its value; one that takes none drops it."""
    if param.is_flag:
        return Meant(f": write {option}{note}", (option,))
    if value is None:
        return Meant(f": write {option} VALUE{note}")
    return Meant(f": write {_joined([option, value])}{note}", (option, value))


def _as_argument(place: str, value: str | None) -> Meant:
    if value is None:
        return Meant(f": the {place} is an argument without a name")
    return Meant(f": the {place.rstrip('s')} is an argument: write {_joined([value])}", (value,))


def _joined(words: Sequence[str]) -> str:
    return shlex.join(words)
