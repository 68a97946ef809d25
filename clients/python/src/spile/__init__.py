"""Client for Spile: logs stay where they are written, and you draw them when you need them.

    from spile import Client

    client = Client(token="…")
    with client.stream(agent_id="web-1", timeout=300, filters={"level": ["ERROR"]}) as stream:
        for log in stream:
            print(f"[{log.level}] {log.message}")

AsyncClient is the same for asyncio.
"""

from ._feed import ConnectionState
from ._timing import Timing
from .aio import AsyncClient, AsyncStream, StreamOptions
from .client import Client, Stream
from .errors import (
    AgentOfflineError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    SessionEndedError,
    SlowViewerError,
    SpileError,
    StorageError,
    UnauthorizedError,
    UnavailableError,
    ValidationError,
)
from .fleet import Agent, AgentRef, Session, Source
from .frames import (
    Accounts,
    AgentAccounts,
    AgentStatus,
    Control,
    Frame,
    Gap,
    Log,
    SessionEnded,
    SessionEnding,
    SessionExtended,
    SessionStarted,
    Stats,
    StreamProblem,
    ViewerAccounts,
)

__all__ = [
    "Accounts",
    "Agent",
    "AgentAccounts",
    "AgentOfflineError",
    "AgentRef",
    "AgentStatus",
    "AsyncClient",
    "AsyncStream",
    "Client",
    "ConflictError",
    "ConnectionState",
    "Control",
    "ForbiddenError",
    "Frame",
    "Gap",
    "Log",
    "NotFoundError",
    "RateLimitedError",
    "Session",
    "SessionEnded",
    "SessionEndedError",
    "SessionEnding",
    "SessionExtended",
    "SessionStarted",
    "SlowViewerError",
    "Source",
    "SpileError",
    "Stats",
    "StorageError",
    "Stream",
    "StreamOptions",
    "StreamProblem",
    "Timing",
    "UnauthorizedError",
    "UnavailableError",
    "ValidationError",
    "ViewerAccounts",
]
