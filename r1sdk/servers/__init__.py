"""The one client of OpenAI-compatible servers: what asks them for judgements and for completions asks through it."""

from .reply import ServerReply
from .server import Server, read_key
from .session import Refused, ServerSession

__all__ = ["Refused", "Server", "ServerReply", "ServerSession", "read_key"]
