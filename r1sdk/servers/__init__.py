"""The client of OpenAI-compatible servers, used for verdicts and for completions."""

from .reply import ServerReply
from .server import Server, read_key
from .session import Refused, ServerSession, Unanswered

__all__ = ["Refused", "Server", "ServerReply", "ServerSession", "Unanswered", "read_key"]
