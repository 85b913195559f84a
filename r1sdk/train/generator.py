"""A composed run in, its model in this process as a Generator out."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from ..compose import Run
from ..generation import Generator
from ..records import Task
from .models import check_lengths, load_model, load_tokenizer, locate


def local_generator(run: Run, tasks: Sequence[Task], folder: Path | None = None) -> Generator:
    """The model, after a look whether `tasks` and the token limit fit it. One that is made is written to `folder`. Raises: R1Error."""
    from ..generation.hf_model import HFModel

    made = folder or (Path(mkdtemp(prefix="r1-")) if run.model.make else Path())
    where = locate(run.model, made, run.recipe.seed)
    tokenizer = load_tokenizer(where)
    check_lengths(tasks, tokenizer, where, run.recipe.generation.max_tokens)
    return HFModel(load_model(where), tokenizer)
