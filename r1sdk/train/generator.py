"""A composed run in, where its answers come from out: its model in this process, or its server."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from ..compose import Run
from ..generate import LocalSource, Plan, ServerSource, Source
from ..generate.plan import server_of
from ..generation import Generator
from ..records import Task


def source_of(run: Run, plan: Plan, folder: Path | None = None) -> Source:
    """Loads the model, if it is one of this process. Raises: R1Error."""
    if run.recipe.collect.server is not None:
        return ServerSource(server_of(run.recipe))
    return LocalSource(local_generator(run, plan.tasks, folder), plan.sampling)


def local_generator(run: Run, tasks: Sequence[Task], folder: Path | None = None) -> Generator:
    """The model, after a look whether `tasks` and the token limit fit it. One that is made is written to `folder`. Raises: R1Error."""
    from ..generation.hf_model import HFModel
    from .models import check_lengths, load_model, load_tokenizer, locate

    made = folder or (Path(mkdtemp(prefix="r1-")) if run.model.make else Path())
    where = locate(run.model, made, run.recipe.seed)
    tokenizer = load_tokenizer(where)
    check_lengths(tasks, tokenizer, where, run.recipe.generation.max_tokens)
    return HFModel(load_model(where), tokenizer)
