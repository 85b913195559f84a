"""The warnings about a run: each fires on what it is about, and on nothing else."""

import pytest

from r1sdk.training.monitor.warnings import warnings

WELL = {
    "kind": "step",
    "reward": 0.5,
    "reward_std": 0.3,
    "frac_reward_zero_std": 0.3,
    "completions/clipped_ratio": 0.02,
    "sampler_difference": 0.001,
}


def run(steps=20, first=None, **rest):
    """The metrics of a run: `first` holds in the first ten steps, `rest` afterwards."""
    lines = [{**WELL, "step": i + 1, "reward": 0.2 + 0.01 * i} for i in range(steps)]
    for line in lines[:10]:
        line.update(first or {})
    for line in lines[10:]:
        line.update(rest)
    return lines


def test_a_run_that_learns_has_no_warnings():
    assert warnings(run(100)) == {}


def test_there_is_no_warning_before_the_window_is_full():
    bad = [{**WELL, "frac_reward_zero_std": 1.0, "completions/clipped_ratio": 1.0}] * 9
    assert warnings(bad) == {}
    assert {*warnings([*bad, bad[0]])} == {"zero_variance", "clipped"}


def test_groups_without_spread_are_said_to_be_too_hard_where_nothing_was_gained():
    found = warnings(run(first={"reward": 0.1}, frac_reward_zero_std=0.9, reward=0.1))
    assert {*found} == {"zero_variance"}
    assert found["zero_variance"].startswith("90% of the groups") and "nothing is right yet" in found["zero_variance"]
    assert "generation.samples" in found["zero_variance"]


def test_groups_without_spread_are_said_to_be_too_easy_where_the_reward_rose():
    found = warnings(run(first={"reward": 0.1}, frac_reward_zero_std=0.9, reward=1.9))
    assert "too easy" in found["zero_variance"]


def test_completions_cut_by_the_limit_name_the_limit():
    found = warnings(run(**{"completions/clipped_ratio": 0.25}))
    assert {*found} == {"clipped"}
    assert found["clipped"].startswith("25% of the completions") and "generation.max_tokens" in found["clipped"]


def test_a_flat_reward_is_noticed_after_forty_steps():
    flat = {"reward": 0.2}
    assert warnings(run(39, first=flat, reward=0.2)) == {}
    found = warnings(run(40, first=flat, reward=0.2))
    assert {*found} == {"flat"}
    assert "0.200 in the first 10 steps, 0.200 in the last" in found["flat"]


def test_where_groups_are_replaced_what_was_drawn_tells_whether_anything_is_learned():
    """The batch has spread however good the policy is, so its own mean stays where it is."""
    flat = {"reward": 0.5, "drawn/replaced": 3.0}
    climbing = run(60, first={**flat, "drawn/reward": 0.2}, **flat, **{"drawn/reward": 0.4})
    assert warnings(climbing) == {}
    assert {*warnings(run(60, first={**flat, "drawn/reward": 0.2}, **flat, **{"drawn/reward": 0.2}))} == {"flat"}


def test_a_sampler_that_disagrees_with_the_trainer_is_noticed():
    found = warnings(run(first={"sampler_difference": 0.15}, sampler_difference=0.2))
    assert {*found} == {"diverging"} and "0.200" in found["diverging"]


def test_a_sampler_that_drifts_from_its_first_level_is_noticed_long_before_the_limit():
    # A sampler that never gets the weights, measured with `tiny`: 0.019 after 20 steps.
    frozen = [{**WELL, "step": at + 1, "sampler_difference": 1e-6 + 0.019 * at / 20} for at in range(10)]
    found = warnings(frozen)
    assert {*found} == {"sampler_drifts"} and "drifts away" in found["sampler_drifts"]
    healthy = {"sampler_difference": 0.011, "sampler_difference_max": 1.4}  # bfloat16
    assert warnings(run(60, first=healthy, sampler_difference=0.036, sampler_difference_max=2.0)) == {}


def test_the_largest_token_tells_before_the_mean_does():
    first = {"sampler_difference": 1e-6, "sampler_difference_max": 1e-5}
    found = warnings(run(first=first, sampler_difference=1e-3, sampler_difference_max=0.4))
    assert {*found} == {"sampler_drifts"} and "in the token that differs most" in found["sampler_drifts"]


@pytest.mark.parametrize("key", [key for key in WELL if key not in ("kind", "reward")])
def test_a_metric_that_is_missing_warns_of_nothing(key):
    lines = run(60)
    for line in lines:
        del line[key]
    assert warnings(lines) == {}


def test_the_metrics_of_sft_warn_of_nothing():
    assert warnings([{"kind": "step", "step": i, "loss": 1.0} for i in range(50)]) == {}


GAMED = {
    "verdict/mean": 0.3,
    "rewards/polite/mean": 0.2,
    "rewards/polite/std": 0.3,
    "rewards/polite/verdict_correlation": 0.0,
}


def test_a_reward_that_climbs_without_the_verdict_is_named():
    found = warnings(run(40, first=GAMED, **{**GAMED, "rewards/polite/mean": 0.9}))
    assert {*found} == {"hacked"}
    assert "reward polite climbs, 0.200 to 0.900" in found["hacked"] and "0.300 to 0.300" in found["hacked"]


@pytest.mark.parametrize(
    "now",
    [
        {"rewards/polite/mean": 0.9, "verdict/mean": 0.5},  # the verdicts climb too
        {"rewards/polite/mean": 0.9, "rewards/polite/verdict_correlation": 0.9},  # it is the verdict by another name
        {"rewards/polite/mean": 0.22},  # noise
    ],
)
def test_a_reward_that_climbs_with_the_verdict_or_hardly_is_not(now):
    assert warnings(run(40, first=GAMED, **{**GAMED, **now})) == {}


HEARD = {"rewards/long/mean": 1.0, "rewards/accuracy/mean": 0.3}


def test_a_reward_that_drowns_the_rest_is_named_unless_it_follows_the_verdict():
    loud = {**HEARD, "rewards/long/spread_share": 0.95, "rewards/long/verdict_correlation": 0.1}
    found = warnings(run(20, first=loud, **loud))
    assert {*found} == {"drowned"}
    assert "reward long makes 95%" in found["drowned"]
    follows = loud | {"rewards/long/verdict_correlation": 0.9}
    assert warnings(run(20, first=follows, **follows)) == {}


@pytest.mark.parametrize(("length", "word"), [(400.0, "longer"), (40.0, "shorter")])
def test_length_that_drifts_while_no_more_is_right_is_said(length, word):
    start = {"completions/mean_length": 100.0, "verdict/mean": 0.3}
    found = warnings(run(40, first=start, **{**start, "completions/mean_length": length}))
    assert {*found} == {"length_drifts"}
    assert f"grow {word}, 100 to {length:.0f} tokens" in found["length_drifts"]
    learning = {**start, "completions/mean_length": length, "verdict/mean": 0.6}
    assert warnings(run(40, first=start, **learning)) == {}


def test_groups_whose_completions_are_the_same_have_collapsed():
    found = warnings(run(20, **{"groups/distinct": 0.3}))
    assert {*found} == {"collapsed"}
    assert "only 30% of a group's completions differ" in found["collapsed"]
    assert warnings(run(20, **{"groups/distinct": 0.9})) == {}


def test_groups_that_become_the_same_because_they_become_right_have_not_collapsed():
    alike = {"groups/distinct": 0.3, "verdict/mean": 0.7}
    assert warnings(run(20, first={"verdict/mean": 0.2}, **alike)) == {}
    assert {*warnings(run(20, first={"verdict/mean": 0.7}, **alike))} == {"collapsed"}


def test_prices_that_could_not_be_given_are_named_with_their_status():
    found = warnings(run(20, **{"rewards/slow/mean": 0.5, "rewards/slow/timeout": 0.03, "rewards/slow/error": 0.0}))
    assert {*found} == {"unpriced"}
    assert (
        "reward slow" in found["unpriced"] and "3.0% timeout" in found["unpriced"] and "error" not in found["unpriced"]
    )


def test_rewards_that_are_all_none_are_told_early_with_the_cause():
    lines = [
        {"kind": "step", "step": at, "rewards/mine/none": 1.0, "verdict/mean": 0.5, "verdict/std": 0.5}
        for at in range(5)
    ]
    assert warnings(lines[:4]) == {}
    assert "all rewards (mine) are None" in warnings(lines)["unrewarded"]
    assert "what the reward functions return" in warnings(lines)["unrewarded"]
    gold = [{**line, "verdict/unverifiable": 1.0} for line in lines]
    assert "look at the gold answers" in warnings(gold)["unrewarded"]
    one = [{**line, "rewards/format/none": 0.0} for line in lines]
    assert "unrewarded" not in warnings(one)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"completions/clipped_ratio": 1.0}, "truncated before they give an answer"),
        ({"rewards/format/mean": 0.9}, "the gold answers have another form"),
        ({}, "may not know the reply format"),
    ],
)
def test_verdicts_that_never_vary_are_told_early_with_the_likely_cause(more, said):
    lines = [{"kind": "step", "step": at, "verdict/mean": 0.0, "verdict/std": 0.0, **more} for at in range(5)]
    assert said in warnings(lines)["never_varies"]
    assert "accepts anything" in warnings([{**line, "verdict/mean": 1.0} for line in lines])["never_varies"]
    assert "never_varies" not in warnings([*lines[:4], {**lines[4], "verdict/mean": 0.25, "verdict/std": 0.4}])


def test_a_model_that_does_not_end_its_replies_is_not_told_to_write_longer_ones():
    cut = run(**{"completions/clipped_ratio": 1.0, "completions/ran_on": 0.1})
    assert "raise generation.max_tokens" in warnings(cut)["clipped"]
    endless = run(**{"completions/clipped_ratio": 1.0, "completions/ran_on": 0.9})
    assert "does not end its replies" in warnings(endless)["clipped"] and "raise" not in warnings(endless)["clipped"]
