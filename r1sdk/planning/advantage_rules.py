"""Rules about the advantage estimator of a run."""

from ..contracts import is_over_batch, is_per_token
from ..errors import R1Error, RecipeError, nearest
from ..recipe.asynchronous import KEY
from ..recipe.losses import loss_settings
from .run_plan import RunPlan

_TRLS_OWN = ("scale_rewards", "multi_objective_aggregation")  # settings of the advantages that TRL computes itself


def advantage_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for each setting that the plan's advantage estimator cannot go with."""
    recipe = plan.recipe
    if recipe.advantage is None or plan.advantage is None or recipe.method != "grpo":
        return []
    name, estimator = recipe.advantage.name, plan.advantage
    errors: list[R1Error] = []
    by_loss = loss_settings(recipe.loss)
    for key in _TRLS_OWN:
        if key in recipe.trainer and recipe.trainer[key] != by_loss.get(key):
            errors.append(
                RecipeError(
                    f"recipe key 'trainer.{key}' is for TRL's own advantages, and advantage {name!r} takes their place: "
                    "leave one of them out"
                )
            )
    for reward in getattr(estimator, "reads", ()):
        if reward not in plan.rewards and plan.rewards:
            errors.append(
                RecipeError(
                    f"advantage {name!r} reads the reward {reward!r}{nearest(reward, plan.rewards)}, and this run has "
                    f"{', '.join(plan.rewards)}: add it to rewards, or set the estimator's option"
                )
            )
    if recipe.experimental_async is not None:
        for kind, found in (("a whole batch", is_over_batch(estimator)), ("single tokens", is_per_token(estimator))):
            if found:
                errors.append(
                    RecipeError(
                        f"{KEY} computes the advantages of one group at a time, one number for each rollout, and "
                        f"advantage {name!r} is over {kind}: leave one of them out"
                    )
                )
    if recipe.trainer.get("off_policy_mask_threshold") is not None and is_per_token(estimator):
        errors.append(
            RecipeError(
                f"recipe key 'trainer.off_policy_mask_threshold' drops whole rollouts by the sign of their advantage, and "
                f"advantage {name!r} has one for each token: leave one of them out"
            )
        )
    return errors
