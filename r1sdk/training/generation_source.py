"""The source of a run's answers: its model, loaded into this process, or its server."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from ..generation import AnswerSource, LocalSource, Plan, ServerSource
from ..generation.plan import server_of
from ..planning.backend import Backend
from ..planning.model_source import ModelSource
from ..planning.run_plan import RunPlan
from ..recipe.key_groups import Generation
from ..recipe.schema import Chat
from ..records import Task
from ..rollout.cpu_threads import wait_briefly_here
from ..rollout.sampling import Generator

TOGETHER = {"transformers": 128, "vllm": 1024}  # completions per batch; vLLM starts the next one as soon as one ends


def source_of(run: RunPlan, plan: Plan, folder: Path | None = None) -> AnswerSource:
    """Return the answer source of `plan`; a local model is loaded. Raises: R1Error."""
    if run.recipe.collect.server is not None:
        return ServerSource(server_of(run.recipe), plan.environment, plan.limits, plan.sampling.max_tokens)
    batch = TOGETHER[run.backend.name]
    generator = local_generator(run, plan.tasks, folder)
    return LocalSource(generator, plan.sampling, batch, plan.environment, plan.limits)


def local_generator(run: RunPlan, tasks: Sequence[Task], folder: Path | None = None) -> Generator:
    """Load the model after checking that `tasks` and the token limit fit it. A generated model is written to `folder`. Raises: R1Error."""
    generation = run.recipe.generation
    wanted = [(tasks, generation.max_tokens)]
    return load_local(run.model, run.recipe.seed, wanted, folder, run.backend, generation, run.recipe.chat)


def load_local(
    model: ModelSource,
    seed: int,
    wanted: Sequence[tuple[Sequence[Task], int]],
    folder: Path | None = None,
    backend: Backend | None = None,
    generation: Generation | None = None,
    chat: Chat | None = None,
) -> Generator:
    """Load the model after checking that each task fits it together with the longest possible reply. Raises: R1Error.

    `backend`: the engine; None is transformers. `generation`: the settings of vLLM. `chat`: how conversations are written.
    """
    wait_briefly_here()
    from .models import check_lengths, end_tokens_of, load_model, load_tokenizer, locate

    made = folder or (Path(mkdtemp(prefix="r1-")) / "model" if model.make or model.adapter else Path())
    where = locate(model, made, seed)
    tokenizer = load_tokenizer(where, chat)
    for tasks, max_tokens in wanted:
        check_lengths(tasks, tokenizer, where, max_tokens)
    if backend is not None and backend.name == "vllm":
        from ..rollout.vllm_engine import VllmEngine

        return VllmEngine(where, tokenizer, end_tokens_of(where, tokenizer), (generation or Generation()).vllm)
    from ..rollout.hf_model import HFModel

    return HFModel(load_model(where, trust_remote_code=bool(chat and chat.trust_remote_code)), tokenizer)
