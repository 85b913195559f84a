"""Write the layers of r1sdk into docs/architecture.md: the one place where their order stands.

    python docs/_generate_layers.py

tests/docs/test_layout.py imports `LAYERS`, so the page and the check cannot differ.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- layers: written by docs/_generate_layers.py -->", "<!-- end of layers -->"

# A module imports only from its own layer and from layers above it in this list.
LAYERS = [
    "errors",
    "value_words",
    "visible_text",
    "terminal_text",
    "reply_format",
    "records",
    "contracts",
    "workers",
    "servers",
    "plugins",
    "recipe",
    "storage",
    "receipts",
    "scoring",
    "rollout",
    "evaluation",
    "data",
    "planning",
    "generation",
    "conformance",
    "testing",
    "report",
    "progress",
    "training",
    "doctor",
    "launch",
    "api",
]


def duty(layer: str) -> str:
    """The first line of the layer's docstring."""
    module = ROOT / "r1sdk" / layer
    path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def modules(layer: str) -> str:
    """The names of the layer's modules, and of those in its folders as `folder/`."""
    folder = ROOT / "r1sdk" / layer
    if not folder.is_dir():
        return ""
    files = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("__"))
    folders = sorted(f"{path.parent.name}/" for path in folder.glob("*/__init__.py"))
    return ", ".join(f"`{name}`" for name in [*files, *folders])


def table() -> str:
    """The table of layers, in Markdown."""
    rows = [f"| `{layer}` | {duty(layer)} | {modules(layer)} |" for layer in LAYERS]
    return "\n".join(["| layer | duty | modules |", "|---|---|---|", *rows])


def page() -> str:
    """The whole page with its table of today."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
