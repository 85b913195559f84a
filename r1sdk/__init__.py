"""Rewards and environments for R1-style training, as plugins.

Everything that a plugin needs is named here; other modules may change without notice.
"""

from typing import TYPE_CHECKING, Any

from .contracts import (
    Composite,
    Demonstrator,
    Environment,
    Execution,
    ExecutionLimits,
    ExecutionStatus,
    GroupReward,
    Guarantee,
    Interactive,
    Part,
    Reward,
    Sandbox,
    Session,
    ToolSession,
    environments_option,
    from_recipe,
    group_reward,
    sandbox_option,
)
from .errors import PluginError, R1Error, RecipeError, RewardError, RunError, Unavailable, UnknownName
from .plugins.hookspecs import hookimpl
from .plugins.trl_functions import from_trl
from .records import Completion, Message, Rollout, Score, SessionLog, Status, Task, Verdict
from .reply_format import SYSTEM_PROMPT, TAGS, Reply, extract_answer, opened_think, parse_reply
from .rollout.tools import describe_tools, with_tools
from .scoring.isolation import isolated
from .servers import Refused, Server, ServerReply, ServerSession
from .servers.hub import reach_hub
from .workers import Outcome, call_isolated

if TYPE_CHECKING:
    from .interop import environment
    from .train.trl.for_trl import for_trl

LAZY = {
    "environment": "r1sdk.interop",
    "for_trl": "r1sdk.train.trl.for_trl",
}  # for programs, not for plugins; loaded when asked for

__all__ = [
    "SYSTEM_PROMPT",
    "TAGS",
    "Completion",
    "Composite",
    "Demonstrator",
    "Environment",
    "Execution",
    "ExecutionLimits",
    "ExecutionStatus",
    "GroupReward",
    "Guarantee",
    "Interactive",
    "Message",
    "Outcome",
    "Part",
    "PluginError",
    "R1Error",
    "RecipeError",
    "Refused",
    "Reply",
    "Reward",
    "RewardError",
    "Rollout",
    "RunError",
    "Sandbox",
    "Score",
    "Server",
    "ServerReply",
    "ServerSession",
    "Session",
    "SessionLog",
    "Status",
    "Task",
    "ToolSession",
    "Unavailable",
    "UnknownName",
    "Verdict",
    "call_isolated",
    "describe_tools",
    "environment",
    "environments_option",
    "extract_answer",
    "for_trl",
    "from_recipe",
    "from_trl",
    "group_reward",
    "hookimpl",
    "isolated",
    "opened_think",
    "parse_reply",
    "reach_hub",
    "sandbox_option",
    "with_tools",
]


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(LAZY[name]), name)
