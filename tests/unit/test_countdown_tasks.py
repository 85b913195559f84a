"""The Countdown environment: which tasks it draws, and how it judges them."""

import json
from itertools import islice

import pytest

import r1sdk
from r1_envs.countdown import Countdown
from r1_envs.countdown.arithmetic import Game, after, reachable, steps


def key(task):
    return tuple(sorted(task.info["nums"])), task.info["target"]


def attempt(task, answer):
    text = f"<think>\nlooking\n</think>\n<answer>{answer}</answer>"
    return r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))


def write_rows(path, rows):
    path.write_text("".join(json.dumps({"nums": nums, "target": target}) + "\n" for nums, target in rows))
    return str(path)


@pytest.mark.parametrize("level", ["easy", "full", "mixed"])
def test_same_settings_give_the_same_tasks(level):
    first, second = (list(islice(Countdown(level=level).tasks("train"), 50)) for _ in range(2))
    assert first == second
    assert first != list(islice(Countdown(level=level, seed=1).tasks("train"), 50))


@pytest.mark.parametrize("level", ["easy", "full", "mixed"])
def test_the_seed_draws_other_training_tasks_and_the_same_test_tasks(level):
    one, other = Countdown(level=level, test_size=50), Countdown(level=level, test_size=50, seed=11)
    assert list(one.tasks("test")) == list(other.tasks("test"))
    assert list(islice(one.tasks("train"), 50)) != list(islice(other.tasks("train"), 50))


def test_a_task_does_not_depend_on_how_many_are_drawn():
    few, many = Countdown(train_size=10), Countdown(train_size=100)
    assert list(few.tasks("train")) == list(islice(many.tasks("train"), 10))


@pytest.mark.heavy
def test_no_problem_is_in_both_splits_whatever_the_level_and_seed():
    train = {key(t) for level in ("easy", "full") for t in islice(Countdown(level=level).tasks("train"), 3000)}
    for level in ("easy", "full", "mixed"):
        assert not train & {key(t) for t in islice(Countdown(level=level, seed=7).tasks("test"), 300)}


@pytest.mark.parametrize("level", ["easy", "full"])
@pytest.mark.heavy
def test_test_tasks_are_all_different(level):
    tasks = list(Countdown(level=level).tasks("test"))
    assert len({key(t) for t in tasks}) == len(tasks) == 500


@pytest.mark.parametrize(
    ("level", "operators", "count", "largest"), [("easy", "+-", {3}, 20), ("full", "+-*/", {3, 4}, 99)]
)
def test_every_task_is_solvable_within_its_rules(level, operators, count, largest):
    for task in islice(Countdown(level=level).tasks("test"), 100):
        nums, target = task.info["nums"], task.info["target"]
        assert len(nums) in count and all(1 <= n <= largest for n in nums) and 1 <= target <= 100
        assert reachable(Game(operators, 200), tuple(sorted(nums)), target)


def test_reachable_agrees_with_trying_every_step():
    game = Game("+-*/", 200)

    def all_targets(numbers):
        return (
            {numbers[0]}
            if len(numbers) == 1
            else {t for s in steps(game, numbers) for t in all_targets(after(numbers, s))}
        )

    for numbers in ((1, 1, 1), (3, 7, 25), (2, 2, 6, 9)):
        found = all_targets(numbers)
        assert {t for t in range(1, 201) if reachable(game, numbers, t)} == found


def test_the_prompt_asks_in_plain_english():
    task = next(Countdown(level="easy").tasks("test"))
    a, b, c = task.info["nums"]
    assert task.prompt[0] == {"role": "system", "content": r1sdk.SYSTEM_PROMPT}
    assert task.prompt[1]["content"] == (
        f"Use the numbers {a}, {b} and {c}, each exactly once, with + - and parentheses, to make {task.info['target']}."
    )
    json.dumps(dict(task.info))


def test_a_right_answer_is_one_and_near_misses_are_zero(tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", [([n, n + 4, 13], n + n + 17) for n in range(2, 40)])
    task = next(Countdown(file=source).tasks("train"))
    env = Countdown(file=source)
    a, b, c = task.info["nums"]
    assert env.verify(attempt(task, f"{a} + {b} + {c}")).value == 1.0
    for wrong in (f"{a}+{b}", f"{a}+{b}+{c}+0", f"{a}+{b}-{c}", task.info["target"], "", f"{a}+{b}+{c}+{c}-{c}"):
        assert env.verify(attempt(task, wrong)).value == 0.0


def test_operators_that_the_task_does_not_give_are_refused(tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", [([n, 3, 5], 3 * n + 5) for n in range(2, 40)])
    for operators, value in (("+-*/", 1.0), ("+-", 0.0)):
        env = Countdown(file=source, operators=operators)
        task = next(env.tasks("train"))
        assert env.verify(attempt(task, f"{task.info['nums'][0]}*3+5")).value == value


def test_numbers_may_be_left_out_where_the_settings_say_so(tmp_path):
    source = write_rows(tmp_path / "rows.jsonl", [([n, 3, 5], n + 3) for n in range(2, 40)])
    env = Countdown(file=source, use_all=False)
    task = next(env.tasks("train"))
    assert "each at most once" in task.prompt[1]["content"]
    assert env.verify(attempt(task, f"{task.info['nums'][0]}+3")).value == 1.0


@pytest.mark.heavy
def test_files_of_every_form_read_alike(tmp_path):
    rows = [([n, 3, 5], n + 8) for n in range(2, 60)]
    jsonl = write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "rows.csv").write_text("nums,target\n" + "".join(f'"{nums}",{target}\n' for nums, target in rows))
    expected = [t.info for t in Countdown(file=jsonl).tasks("test")]
    assert expected and expected == [t.info for t in Countdown(file=str(tmp_path / "rows.csv")).tasks("test")]
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_list([{"nums": nums, "target": target} for nums, target in rows])
    table.to_parquet(tmp_path / "rows.parquet")
    assert expected == [t.info for t in Countdown(file=str(tmp_path / "rows.parquet")).tasks("test")]


def test_a_file_without_the_columns_says_which_row_and_what_it_found(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"numbers": [1, 2], "target": 3}\n')
    with pytest.raises(r1sdk.R1Error, match="row 1: no column 'nums'.*found numbers, target"):
        list(Countdown(file=str(tmp_path / "rows.jsonl")).tasks("train"))
    with pytest.raises(r1sdk.R1Error, match="no file"):
        list(Countdown(file="missing.csv").tasks("train"))


@pytest.mark.parametrize(
    "options",
    [
        {"operators": "+^"},
        {"operators": ""},
        {"numbers": (4, 3)},
        {"numbers": (1, 3)},
        {"min_number": 0},
        {"max_target": 0},
        {"min_number": 30, "max_number": 20},
    ],
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        Countdown(**options)


def test_settings_that_allow_too_few_problems_say_so():
    with pytest.raises(r1sdk.R1Error, match="different problems for the test split"):
        list(Countdown(level="easy", max_number=2, test_size=500).tasks("test"))


def test_an_unknown_split_is_refused():
    with pytest.raises(r1sdk.R1Error, match="train and test"):
        next(Countdown().tasks("validation"))
