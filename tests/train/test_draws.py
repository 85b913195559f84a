"""Which tasks are drawn: a stream that meets every task, a curriculum that finds those at its target, and both gone on with."""

import json
from dataclasses import replace
from itertools import islice

import pytest

from r1sdk import R1Error, Task
from r1sdk.data import RatedRow, items, read_rates
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import CurriculumSettings
from r1sdk.recipe.schema import load_recipe
from r1sdk.training.trl.reward_columns import task_row
from r1sdk.training.trl.task_sampler import Curriculum, GroupOutcome, ShuffledTasks, known_rates, task_sampler_of


def drawn(draws, times=6, count=4, learn=lambda tasks: None):
    """The tasks of `times` draws, each learned from."""
    found = []
    for _ in range(times):
        tasks = draws.first(count) or draws.fresh(count, ())
        learn(tasks)
        found.append(tasks)
    return found


def test_a_stream_meets_every_task_once_before_any_again_and_then_in_another_order():
    passes = drawn(ShuffledTasks(8, seed=1), times=4, count=4)
    first, second = passes[0] + passes[1], passes[2] + passes[3]
    assert sorted(first) == sorted(second) == [*range(8)]
    assert first != second


def test_a_stream_leaves_out_what_was_tried_and_ends_where_nothing_else_is_left():
    stream = ShuffledTasks(6, seed=0)
    assert {*stream.fresh(6, {0, 1, 2})} == {3, 4, 5}
    assert stream.fresh(2, {*range(6)}) == []
    assert len({*stream.fresh(6, {0})}) == 5  # none of them twice, where it begins anew


def test_streams_of_one_seed_are_alike_and_of_two_are_not():
    assert drawn(ShuffledTasks(50, 3)) == drawn(ShuffledTasks(50, 3)) != drawn(ShuffledTasks(50, 4))


def test_a_stream_goes_on_where_its_state_was_saved():
    whole, cut = ShuffledTasks(10, 7), ShuffledTasks(10, 7)
    drawn(cut, times=4, count=3)
    again = ShuffledTasks(10, 7)
    again.restore(json.loads(json.dumps(cut.state())))
    assert drawn(whole, times=8, count=3)[4:] == drawn(again, times=4, count=3)


RATES = {task: rate for task, rate in enumerate([0.0] * 30 + [0.5] * 10 + [1.0] * 30)}


def outcomes(tasks, samples=8):
    return [GroupOutcome(task, round(RATES[task] * samples), samples) for task in tasks]


def curriculum(seed=0, known=None, **settings):
    return Curriculum(len(RATES), seed, CurriculumSettings(**settings), known)


def taught(draws, times=60, count=4):
    return drawn(draws, times, count, lambda tasks: draws.learn(outcomes(tasks)))


def share(batches, rate):
    tasks = [task for batch in batches for task in batch]
    return sum(RATES[task] == rate for task in tasks) / len(tasks)


def test_a_curriculum_comes_to_draw_the_tasks_at_its_target():
    batches = taught(curriculum())
    assert share(batches[:5], 0.5) < 0.4  # 10 of 70 tasks, and nothing is known yet
    assert share(batches[-20:], 0.5) > 0.7


def test_a_curriculum_may_aim_at_what_is_nearly_always_right():
    assert share(taught(curriculum(target=0.95))[-20:], 1.0) > 0.9


def test_a_curriculum_tries_every_task_in_time():
    tasks = {task for batch in taught(curriculum(), times=200) for task in batch}
    assert tasks == {*RATES}


def test_a_curriculum_that_knows_pass_rates_draws_by_them_from_the_first_batch():
    known = {task: (16 * rate, 16 * (1 - rate)) for task, rate in RATES.items()}
    assert share(taught(curriculum(known=known), times=5), 0.5) > 0.9


def test_a_curriculum_notices_that_a_task_was_learned():
    draws = curriculum(discount=0.5)
    for _ in range(6):
        draws.learn([GroupOutcome(3, 4, 8)])
    for _ in range(3):
        draws.learn([GroupOutcome(3, 8, 8)])
    right, wrong = draws.counts[:, 3]
    assert right / (right + wrong) > 0.9  # of 72 completions 48 were right: all of the newest


def test_draws_of_a_curriculum_are_of_different_tasks_and_leave_out_what_was_tried():
    draws = curriculum()
    tasks = draws.first(40)
    assert len({*tasks}) == 40
    assert {*draws.fresh(40, tasks)} == {*RATES} - {*tasks}


def test_what_was_expected_of_the_drawn_is_told_beside_how_many_were_new():
    draws = curriculum(known={0: (3, 1)})
    tasks = [*draws.fresh(1, {*RATES} - {0}), *draws.fresh(1, {*RATES} - {5})]
    found = draws.learn(outcomes(tasks))
    assert tasks == [0, 5]
    assert found["curriculum/expected_pass_rate"] == pytest.approx((4 / 6 + 1 / 2) / 2)
    assert found["curriculum/untried"] == 0.5
    assert found["curriculum/tried_tasks"] == 2


def test_a_curriculum_goes_on_where_its_state_was_saved():
    whole, cut = curriculum(seed=5), curriculum(seed=5)
    taught(cut, times=7)
    again = curriculum(seed=5, known={0: (5, 5)})  # what was known at the beginning does not count twice
    again.restore(json.loads(json.dumps(cut.state())))
    assert taught(whole, times=15)[7:] == taught(again, times=8)
    assert taught(curriculum(seed=6), times=15) != taught(curriculum(seed=5), times=15)


class Numbers:
    """Sums whose rows are not what their tasks are made of."""

    def tasks(self, split):
        return [task for task, _, _ in self.rows(split)]

    def rows(self, split):
        for number in range(4):
            row = {"question": f"{number} + 1?", "answer": number + 1}
            yield Task([{"role": "user", "content": row["question"]}], str(number + 1), {}, f"train/{number}"), "", row


def written(tmp_path, *lines):
    file = tmp_path / "rates.jsonl"
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return file


def test_the_rates_that_r1_data_difficulty_wrote_are_found_by_their_rows(tmp_path):
    rows = [row for _, _, row in islice(Numbers().rows("train"), 2)]
    other = {"question": "9 + 9?", "answer": 18, "pass_rate": 1.0, "pass_samples": 4}
    rated = [{**row, "pass_rate": 0.25 * at, "pass_samples": 8} for at, row in enumerate(rows, 1)]
    found = read_rates(written(tmp_path, *rated, other), items(Numbers(), "train"))
    assert {task: (one.right, one.samples) for task, one in found.items()} == {"train/0": (2, 8), "train/1": (4, 8)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"question": "9 + 9?", "pass_rate": 1.0, "pass_samples": 4}, "none of its 1 rows is a training task"),
        ({"question": "0 + 1?", "answer": 1}, "line 1: needs pass_rate from 0 to 1 and pass_samples"),
        ({"question": "0 + 1?", "pass_rate": 40, "pass_samples": 4}, "line 1: needs pass_rate from 0 to 1"),
        ("[1]\n", "line 1 must be an object"),
        ("{half", "line 1 is not JSON"),
    ],
)
def test_a_file_that_holds_no_pass_rates_of_these_tasks_is_refused(tmp_path, line, said):
    with pytest.raises(R1Error, match=said):
        read_rates(written(tmp_path, line), items(Numbers(), "train"))


def test_a_run_begins_with_the_rates_of_its_own_tasks_whatever_was_left_out_of_them(tmp_path):
    keys = {"model": "tiny", "env": {"name": "countdown", "options": {"train_size": 6}}, "evaluation": {"tasks": 0}}
    run = plan_run(load_recipe(None, keys), load_plugins())
    rated = [RatedRow(item.row, 0.25, 8).line for item in items(run.environment, "train") if item.task.id != "train/2"]
    keys["curriculum"] = {"pass_rates": str(written(tmp_path, *rated))}
    run = plan_run(load_recipe(None, keys), load_plugins())
    known = known_rates(run)
    assert known == {f"train/{at}": (2.0, 6.0) for at in (0, 1, 3, 4, 5)}
    tasks = [task for task in run.environment.tasks("train") if task.id != "train/0"]  # its gold answer was at fault
    draws = task_sampler_of(replace(run, pass_rates=known), [task_row(task) for task in tasks])
    assert draws.counts.T.tolist() == [[2, 6], [0, 0], [2, 6], [2, 6], [2, 6]]
