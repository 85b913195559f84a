"""Rewards and environments for R1-style training, as plugins.

Everything that a plugin needs is named here; other modules may change without notice.
"""

from typing import TYPE_CHECKING, Any

from .contracts import (
    Advantage,
    BatchAdvantage,
    ChecksRows,
    Composite,
    Demonstrator,
    Environment,
    Execution,
    ExecutionLimits,
    ExecutionStatus,
    GroupReward,
    Guarantee,
    HasExamples,
    HasVariants,
    Interactive,
    Part,
    Posed,
    PosesRows,
    Reward,
    RowView,
    Sandbox,
    Session,
    ShowsGold,
    ToolSession,
    Verifier,
    advantage,
    environments_option,
    from_recipe,
    group_reward,
    sandbox_option,
    verifier_option,
)
from .errors import (
    Interrupted,
    PluginError,
    R1Error,
    RecipeError,
    RewardError,
    RunError,
    Unavailable,
    UnknownName,
    Unverifiable,
)
from .plugins.hookspecs import hookimpl
from .plugins.trl_functions import from_trl
from .records import (
    Completion,
    Message,
    ModelTurn,
    RewardedRollout,
    RewardGroup,
    Rollout,
    Score,
    SessionLog,
    Status,
    Submission,
    Task,
    TurnReward,
    Verdict,
)
from .reply_format import SYSTEM_PROMPT, TAGS, Reply, extract_answer, opened_think, parse_reply, reply_with
from .rollout.loaded_weights import check_loaded
from .rollout.tools import describe_tools, with_tools
from .scoring.isolation import isolated
from .scoring.verification import gold_reply_of, verify_with, wrong_replies_of
from .servers import Refused, Server, ServerReply, ServerSession
from .servers.hub import reach_hub
from .workers import Outcome, call_isolated

if TYPE_CHECKING:
    from .api.environment_judge import environment
    from .api.evaluating import evaluate
    from .api.generating import GeneratedData, generate
    from .api.naming import load_recipe
    from .api.scoring import score
    from .api.training import TrainedRun, TrainOptions, train
    from .data.table_files import TABLE_FORMATS, is_table, read_table, split_files
    from .data.text_only import check_text_only, content_text
    from .evaluation.evaluation_summary import Evaluation
    from .evaluation.statistics import Estimate
    from .plugins.loading import load_plugins, verifier_of
    from .plugins.registry import Registry
    from .scoring.blocking import run_blocking
    from .training.trl.for_trl import for_trl

LAZY = {  # loaded when asked for: the verbs and their records, for programs, and what needs asyncio
    "Estimate": "r1sdk.evaluation.statistics",
    "Evaluation": "r1sdk.evaluation.evaluation_summary",
    "GeneratedData": "r1sdk.api.generating",
    "Registry": "r1sdk.plugins.registry",
    "TABLE_FORMATS": "r1sdk.data.table_files",
    "TrainOptions": "r1sdk.api.training",
    "TrainedRun": "r1sdk.api.training",
    "check_text_only": "r1sdk.data.text_only",
    "content_text": "r1sdk.data.text_only",
    "environment": "r1sdk.api.environment_judge",
    "evaluate": "r1sdk.api.evaluating",
    "for_trl": "r1sdk.training.trl.for_trl",
    "generate": "r1sdk.api.generating",
    "is_table": "r1sdk.data.table_files",
    "load_plugins": "r1sdk.plugins.loading",
    "load_recipe": "r1sdk.api.naming",
    "read_table": "r1sdk.data.table_files",
    "run_blocking": "r1sdk.scoring.blocking",
    "score": "r1sdk.api.scoring",
    "split_files": "r1sdk.data.table_files",
    "train": "r1sdk.api.training",
    "verifier_of": "r1sdk.plugins.loading",
}

__all__ = [
    "SYSTEM_PROMPT",
    "TABLE_FORMATS",
    "TAGS",
    "Advantage",
    "BatchAdvantage",
    "ChecksRows",
    "Completion",
    "Composite",
    "Demonstrator",
    "Environment",
    "Estimate",
    "Evaluation",
    "Execution",
    "ExecutionLimits",
    "ExecutionStatus",
    "GeneratedData",
    "GroupReward",
    "Guarantee",
    "HasExamples",
    "HasVariants",
    "Interactive",
    "Interrupted",
    "Message",
    "ModelTurn",
    "Outcome",
    "Part",
    "PluginError",
    "Posed",
    "PosesRows",
    "R1Error",
    "RecipeError",
    "Refused",
    "Registry",
    "Reply",
    "Reward",
    "RewardError",
    "RewardGroup",
    "RewardedRollout",
    "Rollout",
    "RowView",
    "RunError",
    "Sandbox",
    "Score",
    "Server",
    "ServerReply",
    "ServerSession",
    "Session",
    "SessionLog",
    "ShowsGold",
    "Status",
    "Submission",
    "Task",
    "ToolSession",
    "TrainOptions",
    "TrainedRun",
    "TurnReward",
    "Unavailable",
    "UnknownName",
    "Unverifiable",
    "Verdict",
    "Verifier",
    "advantage",
    "call_isolated",
    "check_loaded",
    "check_text_only",
    "content_text",
    "describe_tools",
    "environment",
    "environments_option",
    "evaluate",
    "extract_answer",
    "for_trl",
    "from_recipe",
    "from_trl",
    "generate",
    "gold_reply_of",
    "group_reward",
    "hookimpl",
    "is_table",
    "isolated",
    "load_plugins",
    "load_recipe",
    "opened_think",
    "parse_reply",
    "reach_hub",
    "read_table",
    "reply_with",
    "run_blocking",
    "sandbox_option",
    "score",
    "split_files",
    "train",
    "verifier_of",
    "verifier_option",
    "verify_with",
    "with_tools",
    "wrong_replies_of",
]


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(LAZY[name]), name)
