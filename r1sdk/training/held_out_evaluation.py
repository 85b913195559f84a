"""Evaluate a run on held-out tasks before and after training. Each process takes its share of the tasks."""

import time
from dataclasses import replace
from itertools import islice
from typing import Any

from ..evaluation.attempts import attempts
from ..evaluation.evaluation_summary import summarize
from ..planning.run_plan import NoEnvironment, RunPlan
from ..plugins.environment_calls import tasks_of
from ..records import Rollout, Score
from ..storage.run_folder import RunFolder
from .held_out_sampling import held_out_sampling
from .process_group import ProcessGroup
from .sft.sft_run import held_out_part, measures_loss

_SEED_STEP = 7919  # between the seeds of two processes


def evaluate_model(
    run: RunPlan, folder: RunFolder, model: Any, tokenizer: Any, name: str, processes: ProcessGroup
) -> None:
    """Evaluate and write the result to the folder, unless it is already there or the recipe skips it. Raises: R1Error."""
    from ..rollout.hf_model import HFModel

    settings = run.recipe.evaluation
    count = 0 if isinstance(run.environment, NoEnvironment) else settings.tasks
    if not (count or measures_loss(run)) or not processes.run_on_main(lambda: folder.evaluation(name) is None):
        return
    phase = f"evaluating {name} training"
    sampling = held_out_sampling(run.recipe)
    tasks = list(islice(tasks_of(run.environment, settings.split), count))
    start, end = (len(tasks) * at // processes.world for at in (processes.rank, processes.rank + 1))

    def progress(done: int, total: int) -> None:
        if processes.main:
            folder.set_status("running", phase=phase, done=min(done * processes.world, len(tasks)), total=len(tasks))

    def share() -> list[tuple[list[Rollout], list[Score]]]:
        own = replace(sampling, seed=sampling.seed + _SEED_STEP * processes.rank)
        generator = HFModel(model, tokenizer)
        return list(
            attempts(
                tasks[start:end], run.environment, run.rewards, generator, own, progress, limits=run.recipe.sessions
            )
        )

    progress(0, 0)
    started = time.perf_counter()
    shares = processes.gather_on_main(share)
    loss = held_out_part(run, model, tokenizer, processes)
    if processes.main:
        rollouts = [rollout for share in shares for some, _ in share for rollout in some]
        scores = [score for share in shares for _, some in share for score in some]
        result = summarize(rollouts, scores, sampling)
        if count:
            folder.drop_evaluation(name)
            folder.append_evaluation(name, rollouts, scores)
        folder.write_evaluation(name, {**result.to_json(), **loss, "seconds": time.perf_counter() - started})
        if count:
            print(f"accuracy {name} training: {result.accuracy}", flush=True)
        if loss:
            print(f"held-out loss {name} training: {loss['loss']['mean']:.3f}", flush=True)
