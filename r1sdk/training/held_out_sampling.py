"""Sampling of the held-out tasks of a run: the same before, during and after training."""

from ..recipe.schema import Recipe
from ..rollout.sampling import Sampling


def held_out_sampling(recipe: Recipe) -> Sampling:
    """Return the sampling that the recipe's evaluation asks for."""
    return Sampling(
        samples=recipe.evaluation.samples,
        max_tokens=recipe.generation.max_tokens,
        temperature=recipe.evaluation.temperature,
        top_p=recipe.evaluation.top_p,
        seed=recipe.seed,
    )
