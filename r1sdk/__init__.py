"""Rewards and environments for R1-style training, as plugins.

Everything that a plugin needs is named here; other modules may change without notice.
"""

from typing import TYPE_CHECKING, Any

from .contracts import (
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
    environments_option,
    from_recipe,
    group_reward,
    sandbox_option,
    verifier_option,
)
from .errors import PluginError, R1Error, RecipeError, RewardError, RunError, Unavailable, UnknownName, Unverifiable
from .plugins.hookspecs import hookimpl
from .plugins.trl_functions import from_trl
from .records import Completion, Message, Rollout, Score, SessionLog, Status, Submission, Task, Verdict
from .reply_format import SYSTEM_PROMPT, TAGS, Reply, extract_answer, opened_think, parse_reply, reply_with
from .rollout.tools import describe_tools, with_tools
from .scoring.isolation import isolated
from .scoring.verification import gold_reply_of, verify_with
from .servers import Refused, Server, ServerReply, ServerSession
from .servers.hub import reach_hub
from .workers import Outcome, call_isolated

if TYPE_CHECKING:
    from .interop import environment
    from .plugins.registry import verifier_of
    from .train.trl.for_trl import for_trl

LAZY = {
    "environment": "r1sdk.interop",
    "for_trl": "r1sdk.train.trl.for_trl",
    "verifier_of": "r1sdk.plugins.registry",
}  # loaded when asked for

__all__ = [
    "SYSTEM_PROMPT",
    "TAGS",
    "ChecksRows",
    "Completion",
    "Composite",
    "Demonstrator",
    "Environment",
    "Execution",
    "ExecutionLimits",
    "ExecutionStatus",
    "GroupReward",
    "Guarantee",
    "HasExamples",
    "HasVariants",
    "Interactive",
    "Message",
    "Outcome",
    "Part",
    "PluginError",
    "Posed",
    "PosesRows",
    "R1Error",
    "RecipeError",
    "Refused",
    "Reply",
    "Reward",
    "RewardError",
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
    "Unavailable",
    "UnknownName",
    "Unverifiable",
    "Verdict",
    "Verifier",
    "call_isolated",
    "describe_tools",
    "environment",
    "environments_option",
    "extract_answer",
    "for_trl",
    "from_recipe",
    "from_trl",
    "gold_reply_of",
    "group_reward",
    "hookimpl",
    "isolated",
    "opened_think",
    "parse_reply",
    "reach_hub",
    "reply_with",
    "sandbox_option",
    "verifier_of",
    "verifier_option",
    "verify_with",
    "with_tools",
]


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(LAZY[name]), name)
