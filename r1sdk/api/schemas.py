"""The JSON Schema of a recipe, for editors and other programs."""

from typing import Any

from ..planning.recipe_schema import recipe_schema as schema_of
from ..plugins.loading import load_plugins


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of recipes, with the options of every installed plugin."""
    return schema_of(load_plugins())
