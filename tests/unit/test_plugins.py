"""The registry: what a plugin may register, how its options are checked, and that a broken one harms nobody else."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

import r1sdk
from r1sdk import PluginError, UnknownName, hookimpl
from r1sdk.plugins.loading import load_plugins


def half(rollout):
    """Always 0.5."""
    return 0.5


@dataclass(frozen=True)
class Brevity:
    """1.0 up to `budget` tokens, then falling to 0.0 at twice that."""

    budget: int = 512
    slope: float = 1.0
    kind: Literal["soft", "hard"] = "soft"
    derived: int = field(default=0, init=False)

    def __post_init__(self):
        if self.budget < 1:
            raise ValueError("budget is at least 1")

    def __call__(self, rollout):
        return 1.0


class Plain:
    """A class without options."""

    def __call__(self, rollout):
        return 0.0


class Mine:
    @hookimpl
    def r1_register_rewards(self, register):
        register("half", half)
        register("brevity", Brevity)
        register("plain", Plain)


class Another:
    @hookimpl
    def r1_register_rewards(self, register):
        register("half", half)
        register("quarter", half)


def rewards(register_rewards):
    """A plugin whose one hook is the function given."""

    class Plugin:
        @hookimpl
        def r1_register_rewards(self, register):
            register_rewards(register)

    return Plugin


@pytest.fixture
def registry():
    return load_plugins({"mine 1.0 (mine)": Mine})


def test_a_function_is_used_as_it_is_and_a_class_is_built_with_its_options(registry):
    assert registry.build("reward", "half") is half
    assert registry.build("reward", "brevity") == Brevity()
    assert registry.build("reward", "brevity", {"budget": "20", "slope": 2}) == Brevity(budget=20, slope=2.0)
    assert isinstance(registry.build("reward", "plain"), Plain)


def test_an_entry_says_where_it_came_from_and_what_it_does(registry):
    entry = registry.get("reward", "brevity")
    assert entry.source == "mine 1.0 (mine)"
    assert entry.summary == "1.0 up to `budget` tokens, then falling to 0.0 at twice that."
    assert registry.names("reward") == ["brevity", "half", "plain"]
    assert registry.names("model") == []


def test_an_unknown_name_is_an_error_with_the_nearest_and_the_available_and_what_failed_to_load():
    def broken():
        raise ModuleNotFoundError("No module named 'scipy'")

    registry = load_plugins({"mine": Mine, "r1-cosine 0.3 (cosine)": broken})
    with pytest.raises(UnknownName) as caught:
        registry.build("reward", "brevety")
    assert str(caught.value).splitlines() == [
        "unknown reward 'brevety'; did you mean 'brevity'?",
        "  available: brevity, half, plain",
        "  not loaded: r1-cosine 0.3 (cosine): ModuleNotFoundError: No module named 'scipy'",
    ]


def test_every_option_at_fault_is_reported_at_once(registry):
    with pytest.raises(PluginError) as caught:
        registry.build("reward", "brevity", {"budgett": 1, "slope": "steep", "kind": "medium", "derived": 1})
    message = str(caught.value)
    assert "4 problems" in message
    assert "reward 'brevity' has no option 'budgett'; did you mean 'budget'?" in message
    assert "reward 'brevity', option 'slope': input should be a valid number" in message and "'steep'" in message
    assert "option 'kind': input should be 'soft' or 'hard', got 'medium'" in message
    assert "no option 'derived'; it takes budget, slope, kind" in message


@pytest.mark.parametrize("name", ["half", "plain"])
def test_options_for_what_takes_none_are_an_error(registry, name):
    with pytest.raises(PluginError, match=f"reward '{name}' takes no options, got budget"):
        registry.build("reward", name, {"budget": 1})


def test_options_that_the_class_itself_refuses_are_an_error_with_its_reason(registry):
    with pytest.raises(PluginError, match="'brevity' refuses its options: budget is at least 1"):
        registry.build("reward", "brevity", {"budget": 0})


@pytest.mark.parametrize("first", ["mine", "another"])
def test_two_plugins_of_one_name_are_an_error_for_that_name_alone_whatever_the_order(first):
    plugins = {"mine": Mine, "another": Another}
    registry = load_plugins({first: plugins.pop(first), **plugins})
    with pytest.raises(PluginError, match="reward 'half' is provided by .* and .*R1_DISABLE_PLUGINS"):
        registry.build("reward", "half")
    assert registry.build("reward", "quarter") is half
    assert registry.build("reward", "brevity") == Brevity()


def fails(error):
    def load():
        raise error

    return load


class Misspelt:
    @hookimpl
    def r1_register_reward(self, register):
        register("misspelt", half)


class Unmarked:
    def r1_register_rewards(self, register):
        register("unmarked", half)


class WrongArgument:
    @hookimpl
    def r1_register_rewards(self, registry):
        registry("wrong", half)


def registers(*names_and_targets):
    return rewards(lambda register: [register(*pair) for pair in names_and_targets])


def then_raises(register):
    register("kept", half)
    raise RuntimeError("half way")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (fails(ImportError("no scipy")), "ImportError: no scipy"),
        (fails(SystemExit("this needs a licence")), "SystemExit: this needs a licence"),
        (Misspelt, "r1_register_reward"),
        (Unmarked, "registered nothing; are its hooks marked"),
        (WrongArgument, "registry"),
        (registers(("Brevity", Brevity)), "must be lower_snake_case"),
        (registers(("two words", half)), "must be lower_snake_case"),
        (registers((None, half)), "TypeError"),
        (registers(("half", half), ("half", half)), "registered twice by this plugin"),
        (registers(("number", 0.5)), "reward 'number' must be a function or a class, got 0.5"),
        (rewards(then_raises), "RuntimeError: half way"),
    ],
)
def test_a_broken_plugin_is_remembered_with_its_reason_and_the_others_load(broken, reason):
    registry = load_plugins({"first": Another, "broken 0.1": broken, "last": Mine})
    (failure,) = registry.failures
    assert failure.startswith("broken 0.1: ") and reason in failure
    assert registry.names("reward") == ["brevity", "half", "plain", "quarter"]


@pytest.mark.parametrize(
    ("hook", "target"),
    [
        ("r1_register_recipes", Path("/no/such/recipe.yaml")),
        ("r1_register_models", Path("/no/such/model")),
        ("r1_register_recipes", half),
    ],
)
def test_a_recipe_or_model_that_is_not_there_is_a_failure_of_its_plugin(hook, target):
    plugin = type("Plugin", (), {hook: hookimpl(lambda self, register: register("mine", target))})
    assert len(load_plugins({"mine": plugin}).failures) == 1


def test_recipes_and_models_are_registered_by_paths_as_text_too(tmp_path):
    (tmp_path / "README.md").write_text("# A model of mine\n")
    (tmp_path / "mine.yaml").write_text("# Trains it.\nmodel: mine\n")

    class Files:
        @hookimpl
        def r1_register_recipes(self, register):
            register("countdown/mine", str(tmp_path / "mine.yaml"))

        @hookimpl
        def r1_register_models(self, register):
            register("mine", str(tmp_path))

    registry = load_plugins({"files": Files})
    assert registry.get("recipe", "countdown/mine").summary == "Trains it."
    assert registry.get("model", "mine").summary == "A model of mine"


def test_a_description_that_cannot_be_read_is_shown_as_such_and_the_others_are_listed(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"# \xff\xfe\n")

    class Files:
        @hookimpl
        def r1_register_recipes(self, register):
            register("mine", tmp_path / "mine.yaml")
            register("gone", tmp_path / "gone.yaml")

    (tmp_path / "gone.yaml").write_text("# here for now\n")
    registry = load_plugins({"files": Files, "mine": Mine})
    (tmp_path / "gone.yaml").unlink()
    assert registry.get("recipe", "mine").summary.startswith("(cannot be read: UnicodeDecodeError")
    assert registry.get("recipe", "gone").summary.startswith("(cannot be read: FileNotFoundError")
    assert registry.get("reward", "half").summary == "Always 0.5."


def test_what_a_plugin_prints_while_it_loads_is_no_part_of_a_result(capsys):
    def chatty():
        print("hello from the plugin")
        return Mine

    load_plugins({"chatty": chatty})
    said = capsys.readouterr()
    assert said.out == "" and "hello from the plugin" in said.err


def test_the_first_party_plugins_load_without_a_failure_or_a_conflict():
    registry = load_plugins()
    assert [failure for failure in registry.failures if failure.startswith("r1sdk ")] == []
    assert {"accuracy", "countdown", "format", "tag_count"} <= {*registry.names("reward")}
    assert "countdown" in registry.names("environment")
    assert {"tiny", "tiny_blank"} <= {*registry.names("model")}
    assert "default" in registry.names("recipe")
    for (kind, name), entries in registry.entries.items():
        assert registry.get(kind, name) is entries[0]
        assert entries[0].summary, f"{kind} {name} does not say what it does"


@pytest.mark.parametrize("disabled", ["r1-my-plugin", "R1_My.Plugin", "other, r1-my-plugin"])
def test_a_distribution_is_disabled_by_any_spelling_of_its_name(tmp_path, monkeypatch, install, disabled):
    source = "import r1sdk\n@r1sdk.hookimpl\ndef r1_register_rewards(register):\n    register('mine', print)\n"
    monkeypatch.syspath_prepend(str(install(tmp_path, "r1-my-plugin", source)))
    assert "mine" in load_plugins().names("reward")
    monkeypatch.setenv("R1_DISABLE_PLUGINS", disabled)
    assert "mine" not in load_plugins().names("reward")
    assert "accuracy" in load_plugins().names("reward")


def test_what_a_plugin_needs_is_public():
    assert r1sdk.hookimpl is hookimpl
    assert all(getattr(r1sdk, name) is not None for name in r1sdk.__all__)
