"""Runs of method `generate`: collect answers into the run folder."""

import time
from dataclasses import asdict
from typing import Any

from ..errors import R1Error
from ..generation import Meter, collect, plan_of
from ..planning.run_plan import RunPlan
from ..storage.run_folder import RunFolder
from .generation_source import source_of


def collect_into(run: RunPlan, folder: RunFolder) -> None:
    """Write `data.jsonl` (or .parquet) and its card into `folder`, resuming the work of an earlier call.

    Raises: R1Error where the share of answers that did not come, or could not be judged, is above `limits.error`.
    """
    plan = plan_of(run, folder.data)
    phase, shown = "generating", 0.0

    def show(meter: Meter) -> None:
        nonlocal shown
        if time.monotonic() - shown > 1.0:
            shown = time.monotonic()
            folder.set_status("running", phase=phase, done=meter.done, total=meter.total, speed=str(meter))

    collected = collect(plan, source_of(run, plan, folder.path / "base_model"), show)
    meter, chosen = collected.meter, collected.chosen
    amiss = meter.total - meter.done + collected.unjudged
    reasons = [f"{number} x {reason}" for reason, number in collected.failures.most_common(3)]
    if amiss > run.recipe.limits.error * meter.total:
        raise R1Error(
            f"{amiss} of {meter.total} answers did not come or could not be judged, more than limits.error "
            f"{run.recipe.limits.error:g} allows; a resumed run asks for them again"
            + "".join(f"\n  {r}" for r in reasons)
        )
    if not chosen.kept:
        raise R1Error(f"none of {meter.done} answers was kept by {plan.rule!r}; accuracy {collected.accuracy}")
    made: dict[str, Any] = {
        "kept": len(chosen.kept),
        "answers": meter.done,
        "rule": plan.rule,
        "accuracy": asdict(collected.accuracy),
        "duplicates": chosen.duplicates,
        "prompt_tokens": meter.prompt_tokens,
        "completion_tokens": meter.completion_tokens,
        "cost": collected.cost,
        "missing": amiss,
    }
    folder.write_evaluation("collected", made)
    print(f"kept {len(chosen.kept)} of {meter.done} answers ({plan.rule}); accuracy {collected.accuracy}", flush=True)
    folder.set_status("finished", done=meter.done, total=meter.total)
