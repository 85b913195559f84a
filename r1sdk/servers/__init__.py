"""The client of OpenAI-compatible servers, used for verdicts and for completions."""

from .reply import ServerReply
from .server import Server, read_key
from .session import Refused, ServerSession

__all__ = ["Refused", "Server", "ServerReply", "ServerSession", "read_key"]
