"""How the held-out tasks of a run are sampled: the same before, during and after its training."""

from ..recipe.schema import Recipe
from ..rollout.sampling import Sampling


def held_out_sampling(recipe: Recipe) -> Sampling:
    """The settings of the recipe's evaluation."""
    return Sampling(
        samples=recipe.evaluation.samples,
        max_tokens=recipe.generation.max_tokens,
        temperature=recipe.evaluation.temperature,
        top_p=recipe.evaluation.top_p,
        seed=recipe.seed,
    )
