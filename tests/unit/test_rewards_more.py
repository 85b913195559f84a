"""The rewards on length, repetition, steps, code and language, each held in both directions; options from the recipe."""

import pickle
import re
import sys
import time
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest

import r1_rewards
from r1_rewards import (
    CodeFormat,
    Cosine,
    LanguageConsistency,
    Length,
    ReasoningSteps,
    RepetitionPenalty,
    SoftOverlong,
)
from r1sdk import Completion, PluginError, R1Error, RewardError, Rollout, Task, Verdict, from_recipe, hookimpl
from r1sdk.planning.build import build_rewards
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import load_recipe
from r1sdk.scoring.score_rollouts import score

MORE = {
    "code_format": CodeFormat(),
    "cosine": Cosine(max_tokens=100),
    "language_consistency": LanguageConsistency(),
    "length": Length(),
    "reasoning_steps": ReasoningSteps(),
    "repetition_penalty": RepetitionPenalty(),
    "soft_overlong": SoftOverlong(max_tokens=100),
}


def rollout(text="x", value=1.0, tokens=None, info=None):
    """A judged rollout of so many tokens; without a number, one per word."""
    count = len(text.split()) if tokens is None else tokens
    verdict = Verdict(None, "error") if value is None else Verdict(value)
    completion = Completion([{"role": "assistant", "content": text}], list(range(count)))
    return Rollout(Task([], info=info or {}), completion, verdict)


def thought(text):
    return rollout(f"<think>\n{text}\n</think>\n<answer>\n1\n</answer>")


@pytest.fixture
def registry():
    return load_plugins({"rewards": lambda: r1_rewards})


@pytest.mark.parametrize("name", MORE)
def test_each_is_registered_pickles_and_states_its_range_first(registry, name):
    reward = MORE[name]
    assert registry.get("reward", name).target is type(reward)
    assert pickle.loads(pickle.dumps(reward)) == reward
    first = type(reward).__doc__.partition("\n")[0]
    assert "1.0" in first or "0.5" in first


# reasoning_steps: the text of the think block, what it earns here, what it earns with Open-R1
STEPS = {
    "numbers": ("1. a\n2. b\n3. c", 1, 0),
    "numbers in a sentence": ("take 1. and 2. and 3.", 0, 0),
    "decimals": ("1.5 is less\n2.5 is more\n3.5 is most", 0, 0),
    "steps": ("Step 1: a\nStep 2: b\nStep 3: c", 1, 1),
    "steps on one line": ("Step 1: a. Step 2: b. Step 3: c.", 1, 1),
    "the same step": ("Step 1: a\nStep 1: a\nStep 1: a", 1 / 3, 1),
    "a step that is also a number": ("Step 1: a\n1. a\n01. a", 1 / 3, 1 / 3),
    "bullets": ("- a\n- b\n* c", 1, 1),
    "the same bullet": ("- a\n- a\n- A", 1 / 3, 1),
    "empty bullets": ("-\n- \n*", 0, 1),
    "negative numbers": ("-1\n-2\n-3\n-4", 0, 1),
    "words": ("First, a. Next, b. Finally, c.", 1, 1),
    "one word three times": ("First, First, First,", 1 / 3, 1),
    "words without a comma": ("First a. Next b. Finally c.", 0, 0),
    "two of three": ("First, a. Second, b.", 2 / 3, 2 / 3),
    "four": ("1. a\n2. b\n3. c\n4. d", 1, 0),
    "nothing": ("let me see", 0, 0),
}


@pytest.mark.parametrize("case", STEPS)
def test_reasoning_steps_counts_different_marks_and_as_open_r1_when_told_so(case):
    text, ours, original = STEPS[case]
    assert ReasoningSteps()(thought(text)) == pytest.approx(ours)
    assert ReasoningSteps(original=True)(thought(text)) == pytest.approx(original)


def test_reasoning_steps_looks_at_the_reasoning_and_open_r1_at_everything():
    answer = rollout("<think>so</think><answer>\n- a\n- b\n- c\n</answer>")
    assert ReasoningSteps()(answer) == 0.0
    assert ReasoningSteps(original=True)(answer) == 1.0
    assert ReasoningSteps()(rollout("1. a\n2. b\n3. c")) == 1.0  # no tags at all
    assert ReasoningSteps(original=True)(rollout("1. a\n2. b\n3. c")) == pytest.approx(1 / 3)


def test_reasoning_steps_can_ask_for_more_steps():
    assert ReasoningSteps(steps=6)(thought("1. a\n2. b\n3. c")) == 0.5
    with pytest.raises(ValueError, match="at least 1"):
        ReasoningSteps(steps=0)


def group(*lengths_and_values):
    return [rollout("word " * length, value, length) for length, value in lengths_and_values]


def test_length_pays_the_shortest_right_answer_half_and_the_longest_minus_half():
    assert Length()(group((10, 1.0), (20, 1.0), (30, 1.0))) == [0.5, 0.0, -0.5]


def test_length_never_pays_a_wrong_answer_for_being_short():
    assert Length()(group((10, 0.0), (20, 1.0), (30, 0.0))) == [0.0, 0.0, -0.5]


def test_length_pays_nothing_where_all_are_as_long():
    assert Length()(group((10, 1.0), (10, 0.0))) == [0.0, 0.0]


def test_length_does_not_apply_where_there_is_nothing_to_compare():
    assert Length()(group((10, 1.0))) == [None]
    assert Length()(group((10, 1.0), (20, None))) == [None, None]
    assert Length()([]) == []


def test_length_leaves_out_what_could_not_be_judged():
    assert Length()(group((10, 1.0), (30, 1.0), (1000, None))) == [0.5, -0.5, None]


def test_length_counts_tokens_or_characters():
    two = [rollout("a" * 10, tokens=30), rollout("a" * 30, tokens=10)]
    assert Length()(two) == [-0.5, 0.5]
    assert Length(unit="characters")(two) == [0.5, -0.5]


def test_length_takes_a_partly_right_answer_for_right_only_when_told_so():
    some = group((10, 0.5), (20, 1.0))
    assert Length()(some) == [0.0, -0.5]
    assert Length(correct_from=0.5)(some) == [0.5, -0.5]
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="correct_from"):
            Length(correct_from=share)


def test_length_compares_the_completions_of_one_prompt_and_no_others():
    class Right:
        def tasks(self, split):
            return []

        def verify(self, rollout):
            return 1.0

    batch = [*group((10, 1.0), (20, 1.0)), *group((1000, 1.0), (2000, 1.0))]
    _, scores = score(batch, Right(), {"length": (Length(), 1.0)}, group_size=2)
    assert [s.rewards["length"] for s in scores] == [0.5, -0.5, 0.5, -0.5]


@pytest.mark.parametrize("name", ["length", "cosine", "soft_overlong"])
def test_what_counts_tokens_refuses_a_text_without_any(name):
    bare = Rollout(Task([]), Completion([{"role": "assistant", "content": "some text"}]), Verdict(1.0))
    with pytest.raises(RewardError, match="no token ids"):
        MORE[name]([bare] if name == "length" else bare)


@pytest.mark.parametrize("name", ["length", "cosine"])
def test_what_asks_for_a_right_answer_refuses_a_rollout_that_was_never_judged(name):
    bare = Rollout(Task([]), Completion([{"role": "assistant", "content": "a"}], [1]))
    with pytest.raises(RewardError, match="no verdict"):
        MORE[name]([bare] if name == "length" else bare)


@pytest.mark.parametrize(
    ("tokens", "value", "price"),
    [
        (0, 1.0, 1.0),
        (50, 1.0, 0.75),
        (100, 1.0, 0.5),
        (200, 1.0, 0.5),
        (0, 0.0, -1.0),
        (50, 0.0, -0.75),
        (100, 0.0, -0.5),
        (200, 0.0, -0.5),
        (50, None, None),
    ],
)
def test_cosine_pays_short_right_answers_most_and_never_rises_again(tokens, value, price):
    text = "x" if tokens else ""
    assert Cosine(max_tokens=100)(rollout(text, value, tokens)) == (None if price is None else pytest.approx(price))


@pytest.mark.parametrize(("length", "price"), [(0, 1.0), (500, 0.75), (1000, 0.5), (2000, 1.0)])
def test_cosine_under_original_counts_characters_and_rises_again_beyond_the_limit(length, price):
    assert Cosine(original=True)(rollout("x" * length, tokens=1)) == pytest.approx(price)


def test_cosine_takes_open_r1s_swapped_bounds_only_under_original():
    with pytest.raises(ValueError, match="must not be above"):
        Cosine(max_tokens=10, min_wrong=0.0, max_wrong=-0.5)
    swapped = Cosine(original=True, min_wrong=0.0, max_wrong=-0.5)
    assert swapped(rollout("x" * 1000, 0.0)) == pytest.approx(-0.5)
    assert swapped(rollout("", 0.0)) == pytest.approx(0.0)


def test_cosine_can_price_the_limit_by_itself():
    reward = Cosine(max_tokens=100, at_limit=-10.0)
    assert [reward(rollout("x", 1.0, t)) for t in (100, 101)] == [-10.0, -10.0]
    assert reward(rollout("x", 1.0, 99)) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("a b c d e f", 0.0),
        ("", 0.0),
        ("a a", 0.0),  # fewer than three words
        ("a a a", 0.0),
        ("a a a a", -0.5),
        ("A a a A a a", -0.75),
        ("a b c a b c", -0.25),
        ("a b c\na  b\tc", -0.25),
    ],
)
def test_repetition_penalty_is_the_share_of_trigrams_that_are_not_new(text, price):
    paid = RepetitionPenalty()(rollout(text))
    assert paid == pytest.approx(price)
    assert str(paid) != "-0.0"


def test_repetition_penalty_takes_other_sizes_and_prices():
    assert RepetitionPenalty(ngram_size=1, max_penalty=-2.0)(rollout("a a b b")) == -1.0
    with pytest.raises(ValueError, match="max_penalty"):
        RepetitionPenalty(max_penalty=0.5)
    with pytest.raises(ValueError, match="ngram_size"):
        RepetitionPenalty(ngram_size=0)


def test_repetition_penalty_cuts_chinese_into_characters():
    repeated, plain = rollout("我们再试试我们再试试"), rollout("先把两个数加起来")
    assert RepetitionPenalty()(repeated) == 0.0  # one word, as English is cut
    assert RepetitionPenalty(language="zh")(repeated) == pytest.approx(-3 / 8)
    assert RepetitionPenalty(language="zh")(plain) == 0.0


def test_repetition_penalty_takes_jiebas_words_where_it_is_installed(monkeypatch):
    """jieba itself is faked: it is an extra that the tests do not install."""
    jieba = ModuleType("jieba")
    jieba.__spec__ = object()
    jieba.cut = lambda text: (text[i : i + 2] for i in range(0, len(text), 2))
    monkeypatch.setitem(sys.modules, "jieba", jieba)
    assert RepetitionPenalty(language="zh", chinese="jieba")(rollout("我们我们我们我们")) == -0.5


def test_repetition_penalty_names_the_extra_where_jieba_is_missing(registry, monkeypatch):
    monkeypatch.setattr("r1_rewards.repetition_penalty.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"pip install 'r1sdk\[zh\]'"):
        registry.build("reward", "repetition_penalty", {"language": "zh", "chinese": "jieba"})


@pytest.mark.parametrize(("tokens", "price"), [(1, 0.0), (80, 0.0), (90, -0.5), (100, -1.0), (150, -1.0)])
def test_soft_overlong_falls_in_a_line_over_the_last_fifth(tokens, price):
    assert SoftOverlong(max_tokens=100)(rollout("x", tokens=tokens)) == pytest.approx(price)


def test_soft_overlong_takes_a_cache_of_its_own():
    reward = SoftOverlong(max_tokens=16384, cache_tokens=4096)  # Open-R1's figures
    assert [reward(rollout("x", tokens=t)) for t in (12288, 14336, 16384)] == [0.0, -0.5, -1.0]
    assert SoftOverlong(max_tokens=1)(rollout("x", tokens=1)) == -1.0
    for cache in (0, 101):
        with pytest.raises(ValueError, match="cache_tokens"):
            SoftOverlong(max_tokens=100, cache_tokens=cache)


def coded(block, think="a"):
    return f"<think>\n{think}\n</think>\n<answer>\n{block}\n</answer>"


# reply, what it earns here, what it earns with Open-R1 (both: language python unless the task says otherwise)
CODE = {
    "python": (coded("```python\nx\n```"), 1, 1),
    "Python": (coded("```Python\nx\n```"), 1, 0),
    "py": (coded("```py\nx\n```"), 1, 0),
    "a space": (coded("```python \nx\n```"), 1, 1),
    "words around it": (coded("Here:\n```python\nx\n```\nDone."), 1, 1),
    "four backticks": (coded("````python\n```\nx\n````"), 1, 1),
    "two blocks, the second is python": (coded("```text\nx\n```\n```python\ny\n```"), 1, 1),
    "no language": (coded("```\nx\n```"), 1, 0),
    "no language behind a block with one": (coded("```python\nx\n```\n```\n3\n```"), 1, 1),
    "another language": (coded("```rust\nx\n```"), 0, 0),
    "a longer name": (coded("```pythonic\nx\n```"), 0, 1),
    "never closed": (coded("```python\nx"), 0, 0),
    "empty": (coded("```python\n\n```"), 0, 1),
    "inside the line": (coded("see ```python x```"), 0, 1),
    "only in the reasoning": (coded("x", "```python\nx\n```"), 0, 0),
    "text after the answer": (coded("```python\nx\n```") + "\nmore", 0, 1),
    "no format": ("```python\nx\n```", 0, 0),
    "without newlines": (coded("```python\nx\n```").replace("<think>\n", "<think>"), 1, 0),
    "nothing": ("", 0, 0),
}


@pytest.mark.parametrize("case", CODE)
def test_code_format_wants_a_whole_block_of_the_language_and_as_open_r1_when_told_so(case):
    text, ours, original = CODE[case]
    assert CodeFormat()(rollout(text)) == ours
    assert CodeFormat(original=True)(rollout(text)) == original


@pytest.mark.parametrize(
    ("language", "tag", "ours", "original"),
    [
        ("r", "rust", 0, 1),
        ("r", "r", 1, 1),
        ("java", "javascript", 0, 1),
        ("cpp", "c++", 1, 0),
        ("c", "cpp", 0, 1),
        ("JavaScript", "js", 1, 0),
    ],
)
def test_code_format_compares_whole_names_of_the_tasks_language(language, tag, ours, original):
    reply = rollout(coded(f"```{tag}\nx\n```"), info={"language": language})
    assert CodeFormat()(reply) == ours
    assert CodeFormat(original=True)(reply) == original
    assert CodeFormat(language=language)(rollout(coded(f"```{tag}\nx\n```"))) == ours


def test_code_format_reads_a_reply_inside_an_open_think_block_only_when_told_so():
    inside = rollout(coded("```python\nx\n```").removeprefix("<think>\n"))
    assert CodeFormat()(inside) == 0.0
    assert CodeFormat(think_is_open=True)(inside) == 1.0


# the reasoning, then its share in English and in Chinese
LANGUAGES = {
    "english": ("we add the two numbers", 1, 0),
    "chinese": ("我们把数加起来", 0, 1),
    "three words and two characters": ("add the two 数字", 3 / 5, 2 / 5),
    "run together": ("add数the字two", 3 / 5, 2 / 5),
    "variables and numbers are no words": ("x + y = 10 数", 0, 1),
    "commands are no words": (r"\frac{1}{2} \alpha 数", 0, 1),
    "accents": ("déjà vu", 1, 0),
    "an apostrophe": ("it's", 1, 0),
    "russian": ("складываем числа", 0, 0),
    "half russian": ("числа numbers", 1 / 2, 0),
    "numbers alone": ("3+4=7", None, None),
    "nothing": ("", None, None),
}


@pytest.mark.parametrize("case", LANGUAGES)
def test_language_consistency_is_the_share_of_words_in_the_languages_script(case):
    text, english, chinese = LANGUAGES[case]
    assert LanguageConsistency()(thought(text)) == english
    assert LanguageConsistency(language="zh")(thought(text)) == chinese


@pytest.mark.parametrize(
    ("language", "text"),
    [("ja", "数を足します"), ("ko", "두 수를 더합니다"), ("ru", "складываем числа"), ("ar", "نجمع العددين")],
)
def test_language_consistency_knows_other_scripts(language, text):
    assert LanguageConsistency(language=language)(thought(text)) == 1.0
    assert LanguageConsistency()(thought(text)) == 0.0


def test_language_consistency_looks_at_the_reasoning_only():
    assert LanguageConsistency()(rollout("<think>we add</think><answer>数字</answer>")) == 1.0
    assert LanguageConsistency()(rollout("<think>we add 数字")) == 0.5
    assert LanguageConsistency()(rollout("we add<answer>数字</answer>")) == 1.0


HOSTILE = {
    "digits": "1" * 200_000,
    "spaces": "\n" + " " * 200_000,
    "spaced bullets": "- " * 100_000,
    "think tags": "<think>" * 30_000,
    "half blocks": "<think>\na" + "\n</think>\n<answer>\n```python" * 10_000,
    "a long fence": coded("```" + "a" * 200_000 + "`"),
    "backticks": coded("`" * 200_000),
    "letters": "a" * 200_000,
    "lone surrogates": "\ud800" * 1000,
}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_priced_in_a_moment(text):
    rewards = [*MORE.values(), ReasoningSteps(original=True), CodeFormat(original=True)]
    started = time.process_time()
    for reward in rewards:
        attempt = rollout(HOSTILE[text], tokens=50)
        reward([attempt, attempt] if isinstance(reward, Length) else attempt)
    assert time.process_time() - started < 5.0


# Options that a reward takes from the recipe


@dataclass(frozen=True)
class Within:
    """1.0 within the run's limit, else 0.0."""

    limit: int | None = from_recipe("generation.max_tokens")
    steps: int | None = from_recipe("trainer.max_steps")

    def __call__(self, rollout):
        return float(len(rollout.completion.token_ids) <= self.limit)


@dataclass(frozen=True)
class Misspelt:
    """1.0 or 0.0."""

    limit: int | None = from_recipe("generation.max_tokenz")

    def __call__(self, rollout):
        return 1.0


class Mine:
    @hookimpl
    def r1_register_rewards(self, register):
        register("within", Within)
        register("misspelt", Misspelt)


def built(rewards, keys=None, **recipe):
    recipe = load_recipe(None, {"model": "m", "env": "e", "rewards": rewards, **recipe})
    registry = load_plugins({"mine": Mine, "rewards": lambda: r1_rewards})
    return [reward for reward, _ in build_rewards(registry, recipe, keys).values()]


def test_an_option_from_the_recipe_is_the_runs_own_value():
    trainer = {"max_steps": 7}
    assert built("within", generation={"max_tokens": 64}, trainer=trainer) == [Within(64, 7)]
    assert built("within", trainer=trainer) == [Within(512, 7)]  # the default is the run's value too
    limits = [reward.max_tokens for reward in built("soft_overlong,cosine", generation={"max_tokens": 64})]
    assert limits == [64, 64]


def test_an_option_that_is_given_stands_over_the_recipe():
    given = [{"name": "within", "options": {"limit": 5, "steps": 6}}]
    assert built(given, generation={"max_tokens": 64}) == [Within(5, 6)]


def test_a_recipe_key_that_is_not_set_is_named_with_the_option():
    with pytest.raises(R1Error) as caught:
        built("within")
    assert "reward 'within' takes its option 'steps' from the recipe key 'trainer.max_steps'" in str(caught.value)
    with pytest.raises(R1Error, match=r"'generation\.max_tokenz', which is not set"):
        built("misspelt")


def test_without_a_recipe_the_option_must_be_given():
    with pytest.raises(R1Error, match=r"takes its option 'max_tokens' from the recipe key 'generation\.max_tokens'"):
        built("soft_overlong", keys={})
    given = [{"name": "soft_overlong", "options": {"max_tokens": 10}}]
    assert built(given, keys={}) == [SoftOverlong(max_tokens=10)]
    for reward in (SoftOverlong, Cosine):
        with pytest.raises(ValueError, match="max_tokens must be given"):
            reward()


def test_other_options_are_checked_beside_the_one_from_the_recipe():
    with pytest.raises(PluginError, match="did you mean 'cache_tokens'"):
        built([{"name": "soft_overlong", "options": {"cache_token": 5}}])


# The page


def test_the_page_has_every_reward_with_each_of_its_options(registry):
    page = (Path(__file__).parents[2] / "docs" / "rewards.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for cells in (line.split("|") for line in page.splitlines()) if len(cells) == 7}
    assert rows.keys() - {"name", "---"} == set(registry.names("reward"))
    for name in registry.names("reward"):
        target = registry.get("reward", name).target
        options = {field.name for field in fields(target) if field.init} if is_dataclass(target) else set()
        assert set(re.findall(r"`(\w+)`", rows[name][3])) == options, name
