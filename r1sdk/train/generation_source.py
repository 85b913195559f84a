"""A composed run in, where its answers come from out: its model in this process, or its server."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from ..generate import AnswerSource, LocalSource, Plan, ServerSource
from ..generate.plan import server_of
from ..planning.backend import backend_of, choose
from ..planning.build import Run
from ..planning.model_source import ModelSource
from ..recipe.key_groups import Generation
from ..records import Task
from ..rollout.sampling import Generator

TOGETHER = {"transformers": 128, "vllm": 1024}  # completions: vLLM takes up the next where one ends


def source_of(run: Run, plan: Plan, folder: Path | None = None) -> AnswerSource:
    """Loads the model, if it is one of this process. Raises: R1Error."""
    if run.recipe.collect.server is not None:
        return ServerSource(server_of(run.recipe), plan.environment, plan.limits, plan.sampling.max_tokens)
    batch = TOGETHER[backend_of(run.recipe).name]
    generator = local_generator(run, plan.tasks, folder)
    return LocalSource(generator, plan.sampling, batch, plan.environment, plan.limits)


def local_generator(run: Run, tasks: Sequence[Task], folder: Path | None = None) -> Generator:
    """The model, after a look whether `tasks` and the token limit fit it. One that is made is written to `folder`. Raises: R1Error."""
    generation = run.recipe.generation
    return load_local(run.model, run.recipe.seed, [(tasks, generation.max_tokens)], folder, generation)


def load_local(
    model: ModelSource,
    seed: int,
    wanted: Sequence[tuple[Sequence[Task], int]],
    folder: Path | None = None,
    generation: Generation | None = None,
) -> Generator:
    """The model, after a look whether the tasks fit it, each with the tokens that a reply may have. Raises: R1Error.

    `generation` names the engine; None: transformers.
    """
    from .models import check_lengths, end_tokens_of, load_model, load_tokenizer, locate

    made = folder or (Path(mkdtemp(prefix="r1-")) if model.make else Path())
    where = locate(model, made, seed)
    tokenizer = load_tokenizer(where)
    for tasks, max_tokens in wanted:
        check_lengths(tasks, tokenizer, where, max_tokens)
    if generation is not None and choose(generation).name == "vllm":
        from ..rollout.vllm_engine import VllmEngine

        return VllmEngine(where, tokenizer, end_tokens_of(where, tokenizer), generation.vllm)
    from ..rollout.hf_model import HFModel

    return HFModel(load_model(where), tokenizer)
