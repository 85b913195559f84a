"""Write recipes/r1_recipes/recipe.schema.json: the JSON Schema of recipes with the plugins that r1sdk brings.

    python docs/_generate_schema.py

`r1 recipes schema` prints the same with all plugins that you installed.
"""

import dataclasses
import json
from pathlib import Path

from r1sdk import load_plugins
from r1sdk.planning.recipe_schema import recipe_schema

FILE = Path(__file__).parents[1] / "recipes" / "r1_recipes" / "recipe.schema.json"


def text() -> str:
    """The whole file."""
    registry = load_plugins()
    own = {
        key: entries for key, entries in registry.entries.items() if all(e.source.startswith("r1sdk ") for e in entries)
    }
    return (
        json.dumps(recipe_schema(dataclasses.replace(registry, entries=own)), ensure_ascii=False, separators=(",", ":"))
        + "\n"
    )


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
