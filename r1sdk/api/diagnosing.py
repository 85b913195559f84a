"""`diagnose`: is this machine ready, and for this recipe?"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..doctor import Finding, examine
from ..doctor.machine_checks import check_disk, check_gpus, check_machine, check_ports
from ..doctor.model_checks import check_fit, check_model
from ..doctor.recipe_checks import recipe_checks
from ..doctor.service_checks import check_deepspeed, check_sandboxes, check_tokens, check_vllm
from ..doctor.version_checks import check_versions
from ..errors import R1Error
from ..launch.prepare import RUNS
from ..planning.model_source import resolve_model
from ..planning.named_recipe import resolve_recipe
from ..planning.resolve import and_of_the_rest, plan_run
from ..plugins.loading import load_plugins
from .naming import Sets, as_sets, as_start


def diagnose(
    recipe: str | Path | Mapping[str, Any] | None = None,
    *,
    env: str | None = None,
    rewards: str | None = None,
    model: str | None = None,
    settings: Sets = (),
) -> Iterator[Finding]:
    """Check versions, hardware, services and sandboxes; with a recipe also what it needs. Yields findings as they come."""
    registry = load_plugins()
    checks: list[Any] = [
        ("versions", check_versions),
        ("plugins", lambda: (Finding("plugin", "warning", failure) for failure in registry.failures)),
        ("machine", check_machine),
        ("gpus", check_gpus),
        ("disk", lambda: check_disk(RUNS)),
        ("ports", check_ports),
        ("tokens", check_tokens),
        ("sandboxes", lambda: check_sandboxes(registry)),
        ("vllm", check_vllm),
        ("deepspeed", check_deepspeed),
    ]
    if recipe or env:
        flags = {"env": env, "rewards": rewards, "model": model}
        try:
            with and_of_the_rest(registry):
                resolved, _ = resolve_recipe(registry, as_start(recipe), as_sets(settings), flags)
            plan = plan_run(resolved, registry)
        except R1Error as error:
            checks.append(("recipe", partial(_fails, error)))
        else:
            checks += [check for check in recipe_checks(plan, RUNS) if check[0] != "disk"]
            checks += [
                ("model", lambda: check_model(plan.model, plan.recipe.chat)),
                ("lengths", lambda: check_fit(plan)),
            ]
    elif model:
        checks.append(("model", lambda: check_model(resolve_model(registry, model))))
    yield from examine(checks)


def _fails(error: Exception) -> Any:
    raise error
