"""The verbs of r1sdk for programs and notebooks, and the records they return. The `r1` command calls these and prints.

`import r1sdk` names the verbs that you need most. Everything here is loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..doctor import Finding
    from ..errors import nearest, raise_all
    from ..evaluation.evaluation_summary import Evaluation
    from ..evaluation.rescore import Tally
    from ..evaluation.seed_spread import SeedDifference, SeedSpread, seed_accuracy
    from ..generation.push import check_push, push_model
    from ..planning.build import first_task
    from ..recipe.layers import dotted
    from ..rollout.sessions import has_sessions
    from ..storage.run_folder import RunFolder, rollout_line
    from ..storage.seed_folder import SeedFolder, is_seed_folder
    from .chatting import ModelChat, open_chat
    from .demonstration_check import check_demonstrations
    from .diagnosing import diagnose
    from .environment_judge import EnvironmentJudge, environment
    from .evaluating import Comparison, compare, evaluate
    from .evaluation_setup import options_by_env
    from .generating import GeneratedData, IncompleteData, generate, push
    from .key_words import KeyWord, is_read, key_default, key_word, near_key_words
    from .naming import (
        EvaluatedEnvironment,
        evaluated_environment,
        load_environment,
        load_recipe,
        model_tokens,
        split_names,
    )
    from .run_table import RunComparison, RunSummary, check_run, compare_runs, list_runs, remove_run
    from .schemas import recipe_schema
    from .scoring import ScoredFile, score, score_file
    from .training import TrainedRun, TrainOptions, dry_run, train

LAZY = {  # name -> the module that has it
    "near_key_words": ".key_words",
    "key_word": ".key_words",
    "key_default": ".key_words",
    "is_read": ".key_words",
    "KeyWord": ".key_words",
    "ModelChat": ".chatting",
    "Comparison": ".evaluating",
    "EnvironmentJudge": ".environment_judge",
    "EvaluatedEnvironment": ".naming",
    "Evaluation": "..evaluation.evaluation_summary",
    "Finding": "..doctor",
    "GeneratedData": ".generating",
    "IncompleteData": ".generating",
    "RunComparison": ".run_table",
    "RunFolder": "..storage.run_folder",
    "RunSummary": ".run_table",
    "ScoredFile": ".scoring",
    "SeedDifference": "..evaluation.seed_spread",
    "SeedFolder": "..storage.seed_folder",
    "SeedSpread": "..evaluation.seed_spread",
    "Tally": "..evaluation.rescore",
    "TrainOptions": ".training",
    "TrainedRun": ".training",
    "check_demonstrations": ".demonstration_check",
    "check_push": "..generation.push",
    "check_run": ".run_table",
    "compare": ".evaluating",
    "compare_runs": ".run_table",
    "diagnose": ".diagnosing",
    "dotted": "..recipe.layers",
    "dry_run": ".training",
    "environment": ".environment_judge",
    "evaluate": ".evaluating",
    "evaluated_environment": ".naming",
    "first_task": "..planning.build",
    "generate": ".generating",
    "has_sessions": "..rollout.sessions",
    "list_runs": ".run_table",
    "is_seed_folder": "..storage.seed_folder",
    "load_environment": ".naming",
    "load_recipe": ".naming",
    "model_tokens": ".naming",
    "nearest": "..errors",
    "open_chat": ".chatting",
    "options_by_env": ".evaluation_setup",
    "push": ".generating",
    "push_model": "..generation.push",
    "raise_all": "..errors",
    "remove_run": ".run_table",
    "recipe_schema": ".schemas",
    "rollout_line": "..storage.run_folder",
    "score": ".scoring",
    "score_file": ".scoring",
    "seed_accuracy": "..evaluation.seed_spread",
    "split_names": ".naming",
    "train": ".training",
}

__all__ = [
    "Comparison",
    "EnvironmentJudge",
    "EvaluatedEnvironment",
    "Evaluation",
    "Finding",
    "GeneratedData",
    "IncompleteData",
    "KeyWord",
    "ModelChat",
    "RunComparison",
    "RunFolder",
    "RunSummary",
    "ScoredFile",
    "SeedDifference",
    "SeedFolder",
    "SeedSpread",
    "Tally",
    "TrainOptions",
    "TrainedRun",
    "check_demonstrations",
    "check_push",
    "check_run",
    "compare",
    "compare_runs",
    "diagnose",
    "dotted",
    "dry_run",
    "environment",
    "evaluate",
    "evaluated_environment",
    "first_task",
    "generate",
    "has_sessions",
    "is_read",
    "is_seed_folder",
    "key_default",
    "key_word",
    "list_runs",
    "load_environment",
    "load_recipe",
    "model_tokens",
    "near_key_words",
    "nearest",
    "open_chat",
    "options_by_env",
    "push",
    "push_model",
    "raise_all",
    "recipe_schema",
    "remove_run",
    "rollout_line",
    "score",
    "score_file",
    "seed_accuracy",
    "split_names",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(LAZY[name], __name__), name)
