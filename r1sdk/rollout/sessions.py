"""Find out, before a model is loaded, if an environment has sessions and if they can be used."""

from collections.abc import Iterable

from ..contracts import Composite, Environment, Interactive, Session
from ..errors import PluginError, R1Error
from ..plugins.environment_calls import call_method
from ..plugins.frozen import frozen_task
from ..records import Task
from ..scoring.isolation import unwrapped
from .tools import session_tools


def session_of(environment: Environment, task: Task) -> Session | None:
    """Start a session for one attempt at `task`; return None if its environment has none. Raises: PluginError."""
    own = unwrapped(environment)
    while isinstance(own, Composite) and not isinstance(own, Interactive):
        own = unwrapped(call_method(own, "part_of", frozen_task(task)))
    if not isinstance(own, Interactive):
        return None
    session = call_method(own, "session", frozen_task(task))
    if session is not None and not isinstance(session, Session):
        raise PluginError(f"{type(own).__name__}.session returned {session!r:.80}, which has no answer(reply)")
    return session


def has_sessions(environment: Environment, tasks: Iterable[Task]) -> bool:
    """True if attempts at any of `tasks` have several turns. Raises: PluginError."""
    if not isinstance(unwrapped(environment), (Composite, Interactive)):
        return False
    return any(session_of(environment, task) is not None for task in tasks)


def check_session(environment: Environment, task: Task) -> bool:
    """True if attempts at `task` have several turns. Raises: PluginError if its session cannot be used."""
    try:
        session = session_of(environment, task)
    except R1Error:
        raise
    except Exception as error:
        raise PluginError(
            f"{type(unwrapped(environment)).__name__} makes no session for task {task.id!r}: {type(error).__name__}: {error}"
        ) from error
    if session is None:
        return False
    session_tools(session)
    return True
