"""Write the table of docs/models.md: two steps of everything with a small model of each kind.

    python docs/_generate_models.py     # 2 minutes on two cores

The models have random weights and templates of our own writing (tests/support/small_models.py): the table says that a
model's files are understood, not how well it learns.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- models: written by docs/_generate_models.py -->", "<!-- end of models -->"
HEAD = "| behaves as | GRPO | SFT | eval | generate | a reply ends with | thinking | what r1sdk says |\n|---|---|---|---|---|---|---|---|"


def table() -> str:
    """Return the table, every model tried."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from small_models import KINDS, build
    from try_models import try_kind

    lines = [HEAD]
    with TemporaryDirectory(prefix="r1-") as folder:
        for name in KINDS:
            place = Path(folder) / name
            place.mkdir()
            lines.append(try_kind(name, str(build(name, place / "model")), place).line)
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
