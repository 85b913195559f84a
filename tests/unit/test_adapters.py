"""Reward functions in TRL's signature as rewards of a run: by `from_trl`, and by import path."""

import functools
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from r1sdk import Completion, PluginError, R1Error, RewardError, Rollout, Task, Verdict, from_trl, hookimpl
from r1sdk.planning.build import build_rewards
from r1sdk.plugins.loading import load_plugins
from r1sdk.plugins.trl_functions import trl_batch
from r1sdk.recipe.schema import load_recipe
from r1sdk.scoring.score_rollouts import score


class Always:
    """Every answer is right."""

    def tasks(self, split):
        return []

    def verify(self, rollout):
        return Verdict(1.0)


def rollout(text, answer=None, **info):
    task = Task([{"role": "user", "content": "1+1?"}], answer, info)
    return Rollout(task, Completion([{"role": "assistant", "content": text}], list(range(len(text)))))


def priced(reward, rollouts, group_size=1):
    _, scores = score(rollouts, Always(), {"mine": (reward, 1.0)}, group_size)
    return [s.rewards["mine"] for s in scores]


def by_content(completions, **kwargs):
    return [float(len(completion[0]["content"])) for completion in completions]


def by_solution(completions, solution, **kwargs):
    return [float(c[0]["content"] == s) for c, s in zip(completions, solution, strict=True)]


def by_tokens(completion_ids):
    return [len(ids) for ids in completion_ids]


async def later(completions, **kwargs):
    return [None for _ in completions]


def make(factor, offset=0):
    return functools.partial(scaled, factor=factor, offset=offset)


def scaled(completions, factor, offset, **kwargs):
    return [factor * len(completion[0]["content"]) + offset for completion in completions]


def nothing_of_trl(rollout):
    return 1.0


SETTING = 3


def test_a_function_gets_messages_and_returns_a_number_for_each():
    assert priced(from_trl(by_content), [rollout("a"), rollout("bbb")]) == [1.0, 3.0]


def test_a_function_gets_the_answer_as_solution_and_as_answer():
    assert priced(from_trl(by_solution), [rollout("2", "2"), rollout("3", "2")]) == [1.0, 0.0]
    seen = {}
    from_trl(lambda completions, **columns: seen.update(columns) or [0.0])([rollout("2", "4", nums=[1, 3])])
    assert (seen["answer"], seen["solution"], seen["nums"]) == (["4"], ["4"], [[1, 3]])
    assert seen["prompts"] == [[{"role": "user", "content": "1+1?"}]]
    assert seen["trainer_state"] is None and seen["log_metric"]("x", 1.0) is None


def test_what_the_task_calls_solution_comes_before_its_answer():
    seen = {}
    from_trl(lambda completions, **columns: seen.update(columns) or [0.0])([rollout("2", "4", solution="long")])
    assert (seen["answer"], seen["solution"]) == (["4"], ["long"])


def test_info_never_stands_in_for_what_trl_passes():
    seen = {}
    from_trl(lambda **batch: seen.update(batch) or [0.0])([rollout("2", completions="mine", prompts="mine")])
    assert seen["completions"] == [[{"role": "assistant", "content": "2"}]]
    assert seen["prompts"] == [[{"role": "user", "content": "1+1?"}]]


def test_a_function_without_kwargs_gets_what_it_names():
    assert priced(from_trl(by_tokens), [rollout("abc", "x")]) == [3.0]


def test_an_async_function_is_awaited_and_none_stays_none():
    assert priced(from_trl(later), [rollout("a"), rollout("b")]) == [None, None]


def test_a_call_has_the_completions_of_one_prompt():
    sizes = []
    reward = from_trl(lambda completions, **_: sizes.append(len(completions)) or [0.0] * len(completions))
    priced(reward, [rollout("a") for _ in range(6)], group_size=3)
    assert sizes == [3, 3]


def test_a_function_cannot_change_the_rollout():
    def overwrite(prompts, completions, **kwargs):
        prompts[0][0]["content"] = completions[0][0]["content"] = "changed"
        return [0.0]

    attempt = rollout("a")
    from_trl(overwrite)([attempt])
    assert attempt.completion.text == "a" and attempt.task.prompt[0]["content"] == "1+1?"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda completions, **_: [], "must return 1 rewards for a group"),
        (lambda completions, **_: ["x"], "which is not a number"),
        (by_solution, "missing 1 required positional argument: 'solution'"),
    ],
)
def test_a_function_that_fails_or_returns_too_few_stops_the_run(function, message):
    with pytest.raises(RewardError, match=message):
        priced(from_trl(function), [rollout("a")])


def test_what_is_no_function_in_trls_signature_is_refused():
    for other in (nothing_of_trl, make, Always):
        with pytest.raises(PluginError, match="no function in TRL's signature"):
            from_trl(other)
    with pytest.raises(PluginError, match="got 3"):
        from_trl(3, "three")


def test_an_adapted_reward_pickles_has_a_name_and_can_be_registered():
    assert pickle.loads(pickle.dumps(from_trl(by_content))) == from_trl(by_content)
    assert (from_trl(by_content).name, from_trl(by_content, "size").name) == ("by_content", "size")

    class Mine:
        @hookimpl
        def r1_register_rewards(self, register):
            register("size", from_trl(by_content))

    registry = load_plugins({"mine": Mine})
    assert registry.build("reward", "size") == from_trl(by_content)


# By import path


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of somebody's own, which no plugin names."""
    (tmp_path / "found_rewards.py").write_text(
        "def size(completions, **kwargs):\n    return [float(len(c[0]['content'])) for c in completions]\n"
        "def make(factor=2):\n    def size_times(completions, **kwargs):\n"
        "        return [factor * float(len(c[0]['content'])) for c in completions]\n    return size_times\n"
        "def against(completions, solution, weight=1.0, **kwargs):\n    return [0.0 for _ in completions]\n"
        "SETTING = 3\n"
    )
    (tmp_path / "broken_rewards.py").write_text("import no_such_library\n")
    (tmp_path / "raising_rewards.py").write_text("raise ValueError('no key')\n")
    monkeypatch.syspath_prepend(tmp_path)


def built(rewards):
    return build_rewards(load_plugins({}), load_recipe(None, {"model": "m", "env": "e", "rewards": rewards}))


def test_an_import_path_is_a_reward_under_the_name_as_given(module):
    rewards = built("found_rewards:size=0.5")
    (reward, weight) = rewards["found_rewards:size"]
    assert (reward.name, weight) == ("found_rewards:size", 0.5)
    _, scores = score([rollout("abc")], Always(), rewards)
    assert scores[0].rewards == {"found_rewards:size": 3.0} and scores[0].total == 1.5


def test_with_options_the_path_names_a_function_that_makes_the_reward(module):
    rewards = built([{"name": "found_rewards:make", "options": {"factor": 4}}])
    assert priced(rewards["found_rewards:make"][0], [rollout("abc")]) == [12.0]


def test_the_registry_says_where_it_came_from(module):
    assert load_plugins({}).get("reward", "found_rewards:size").source == "found_rewards (import path)"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("found_rewards.size", "an import path is written module:function, found_rewards:size"),
        ("no_such_module:size", "there is no module 'no_such_module': install it"),
        ("found_rewards:sise", "found_rewards has no 'sise'; did you mean 'size'?"),
        ("found_rewards:SETTING", "must be a function in TRL's signature, got 3"),
        ("found_rewards:make", "is no function in TRL's signature"),
        ("found_rewards:", "is no import path: write module:function"),
        (":size", "is no import path"),
        ("found_rewards:size:more", "is no import path"),
        ("found_rewards.deeper:size", "there is no module 'found_rewards.deeper'"),
        (
            "broken_rewards:size",
            "importing broken_rewards failed: ModuleNotFoundError: No module named 'no_such_library'",
        ),
        ("raising_rewards:size", "importing raising_rewards failed: ValueError: no key"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(module, path, message):
    with pytest.raises(PluginError) as caught:
        built(path)
    assert message in str(caught.value) and repr(path) in str(caught.value)


def test_options_that_the_maker_refuses_are_named_with_it(module):
    with pytest.raises(PluginError, match="'found_rewards:make' refuses its options: .*'facto'"):
        built([{"name": "found_rewards:make", "options": {"facto": 4}}])
    with pytest.raises(PluginError, match="must be a function, got 3"):
        built([{"name": "found_rewards:SETTING", "options": {"x": 4}}])


def test_every_bad_path_is_reported_at_once(module):
    with pytest.raises(R1Error) as caught:
        built("found_rewards:sise,no_such_module:size,unknown")
    assert len(caught.value.problems) == 3


def test_a_column_that_the_tasks_do_not_have_is_missed_before_training(r1, module):
    said = r1("train", "--env", "countdown", "--rewards", "found_rewards:size,found_rewards:against", "--dry-run")
    assert said.code == 1
    needs = "reward 'found_rewards:against' needs 'solution' of each task; task 'train/0' has nums, target, operators"
    assert said.err == f"error: {needs}\n"


# Each of TRL 1.16: options, completions with their answer, prices
TRL = {
    "accuracy_reward": (
        {},
        [(r"so \boxed{\frac{1}{3}}", "1/3", 1.0), (r"\boxed{2}", "1/3", 0.0), (r"\boxed{2}", "", None)],
    ),
    "reasoning_accuracy_reward": (
        {},
        [
            (r"<think>\boxed{1}</think>\boxed{2}", "2", 1.0),
            (r"<think>\boxed{2}</think>\boxed{1}", "2", 0.0),
            (r"<think>\boxed{2}", "2", 0.0),
            (r"</think>\boxed{2}", "", None),
        ],
    ),
    "get_cosine_scaled_reward": (
        {"max_len": 18},
        [(r"\boxed{2}", "2", 0.75), (r"\boxed{2}" + " " * 20, "2", 0.5), (r"\boxed{3}", "2", -0.75)],
    ),
    "think_format_reward": (
        {},
        [("<think>a</think>b", None, 1.0), ("<think>a", None, 0.0), ("<think><think>a</think>b", None, 0.0)],
    ),
    "get_repetition_penalty_reward": ({"ngram_size": 2}, [("abc", None, 0.0), ("a", None, 0.0)]),
    "get_soft_overlong_punishment": (
        {"max_completion_len": 4, "soft_punish_cache": 2},
        [("ab", None, 0.0), ("abc", None, -0.5), ("a" * 9, None, -1.0)],
    ),
}


@pytest.mark.heavy
def test_what_a_function_is_called_with_is_what_the_installed_trl_calls_it_with():
    pytest.importorskip("trl")
    source = Path(find_spec("trl").submodule_search_locations[0], "trainer", "grpo_trainer.py").read_text()
    start = source.index("def _calculate_rewards")
    body = source[start : source.index("\n    def ", start)]
    named = set(re.findall(r'\breward_kwargs\["(\w+)"\] =', body)) - {"environments"}  # of tools: live objects
    call = re.search(r"reward_func\(\s*(prompts=.*?)\*\*reward_kwargs", body, re.DOTALL).group(1)
    named |= set(re.findall(r"(\w+)=", call))
    assert named == set(trl_batch([rollout("a")])) == {
        "prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"
    }  # fmt: skip


def test_the_table_has_every_reward_of_trl():
    rewards = pytest.importorskip("trl.rewards")
    assert {*TRL} == {name for names in rewards._import_structure.values() for name in names}


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("name", TRL)
def test_each_reward_of_trl_works_by_its_path(name, in_thread):
    pytest.importorskip("trl")
    if "accuracy" in name or "cosine" in name:
        pytest.importorskip("math_verify")
    options, cases = TRL[name]
    path = f"trl.rewards:{name}"
    rewards = built([{"name": path, "options": options}])
    rollouts = [rollout(text, answer) for text, answer, _ in cases]

    def scored():
        _, scores = score(rollouts, Always(), rewards, group_size=len(rollouts))
        return [s.rewards[path] for s in scores]

    if in_thread:
        with ThreadPoolExecutor(1) as pool:
            prices = pool.submit(scored).result()
    else:
        prices = scored()
    assert prices == [None if price is None else pytest.approx(price) for _, _, price in cases]
    assert pickle.loads(pickle.dumps(rewards[path][0])).name == path
