"""The trackers that a recipe may report to, known before anything heavy is imported."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from ..errors import R1Error, RecipeError, nearest

TRACKERS = {  # the trainer's name for a tracker -> the package that it needs
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "azure_ml": "azureml",
    "clearml": "clearml",
    "codecarbon": "codecarbon",
    "comet_ml": "comet_ml",
    "dagshub": "dagshub",
    "dvclive": "dvclive",
    "flyte": "flytekit",
    "kubeflow": "kubeflow",
    "neptune": "neptune",
    "swanlab": "swanlab",
}


def tracker_errors(report_to: Any) -> Sequence[R1Error]:
    """Return the errors in `trainer.report_to`: unknown trackers, and trackers that are not installed."""
    names = [report_to] if isinstance(report_to, str) else report_to or []
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        return [RecipeError(f"recipe key 'trainer.report_to' takes a tracker's name or a list of them, got {names!r}")]
    errors: list[R1Error] = []
    for name in names:
        if name in ("all", "none"):
            continue
        if name not in TRACKERS:
            told = ", ".join(TRACKERS)
            errors.append(
                RecipeError(
                    f"recipe key 'trainer.report_to': unknown tracker {name!r}{nearest(name, TRACKERS)}; there are {told}"
                )
            )
        elif find_spec(TRACKERS[name]) is None:
            errors.append(RecipeError(f"recipe key 'trainer.report_to': {name} needs: pip install {TRACKERS[name]}"))
    return errors
