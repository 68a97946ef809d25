"""What a stream carries: events of logs, and control frames beside them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


def read_time(text: str) -> datetime:
    """Read a time of the wire: RFC 3339 in UTC."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def _maybe_time(text: str | None) -> datetime | None:
    return read_time(text) if text else None


@dataclass(slots=True)
class Log:
    """One event of a log.

    raw is the line as it was written, where the session asked for it. context says that the line does not match itself
    and came for one nearby that does.
    """

    timestamp: datetime
    level: str
    source: str
    message: str
    metadata: Json
    agent: str
    epoch: int
    seq: int
    raw: bytes | None = None
    context: bool = False

    @classmethod
    def of(cls, frame: Json) -> Log:
        """Make one of a frame."""
        raw = None
        if "raw" in frame:
            raw = frame["raw"].encode()
        elif "raw_base64" in frame:
            raw = base64.b64decode(frame["raw_base64"])
        return cls(
            read_time(frame["timestamp"]),
            frame["level"],
            frame["source"],
            frame["message"],
            frame["metadata"],
            frame["agent"],
            frame["epoch"],
            frame["seq"],
            raw,
            frame.get("context", False),
        )

    def follows(self, other: Log) -> bool:
        """Whether this line follows directly on another one in its file, as far as a session with context tells."""
        mine, its = self.metadata, other.metadata
        if self.agent != other.agent or mine.get("file") != its.get("file"):
            return False
        return "end_offset" in its and mine.get("offset") == its["end_offset"]


@dataclass(slots=True, frozen=True)
class AgentAccounts:
    """An agent's equation for a session, in events.

    seen = filtered + sampled + redacted_away + dropped + sent + pending

    What could not be read at all stands beside it, in lost_bytes by reason.
    """

    seen: int = 0
    filtered: int = 0
    sampled: int = 0
    redacted_away: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    pending: int = 0
    truncated_lines: int = 0
    lost_bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def closes(self) -> bool:
        """Whether the equation holds."""
        rest = self.filtered + self.sampled + self.redacted_away + self.sent + self.pending
        return self.seen == rest + sum(self.dropped.values())


@dataclass(slots=True, frozen=True)
class ViewerAccounts:
    """A viewer's equation for an agent, in events: offered = narrowed + delivered + gapped + in_flight."""

    offered: int = 0
    narrowed: int = 0
    delivered: int = 0
    gapped: int = 0
    in_flight: int = 0

    @property
    def closes(self) -> bool:
        """Whether the equation holds."""
        return self.offered == self.narrowed + self.delivered + self.gapped + self.in_flight


@dataclass(slots=True, frozen=True)
class Accounts:
    """Both equations, by the agent's id."""

    agents: Mapping[str, AgentAccounts] = field(default_factory=dict)
    viewer: Mapping[str, ViewerAccounts] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Json | None) -> Accounts:
        """Make them of a frame's or a session's."""
        data = data or {}
        return cls(
            {agent: _known(AgentAccounts, one) for agent, one in data.get("agents", {}).items()},
            {agent: _known(ViewerAccounts, one) for agent, one in data.get("viewer", {}).items()},
        )


def _known(cls: Any, data: Json) -> Any:
    """Make a dataclass of those members that this version knows."""
    return cls(**{key: value for key, value in data.items() if key in cls.__slots__})


@dataclass(slots=True)
class Control:
    """A control frame; the events that this version knows have a class of their own. data is the whole frame."""

    event: str
    data: Json = field(repr=False)


@dataclass(slots=True)
class SessionStarted(Control):
    """The stream has begun."""

    session_id: str
    expires_at: datetime | None
    next_seq: Mapping[str, int]


@dataclass(slots=True)
class SessionEnding(Control):
    """The session ends soon."""

    reason: str
    seconds_remaining: int


@dataclass(slots=True)
class SessionExtended(Control):
    """The session ends later than it would have."""

    expires_at: datetime | None


@dataclass(slots=True)
class SessionEnded(Control):
    """The session has ended, and what became of every event."""

    reason: str
    accounts: Accounts


@dataclass(slots=True)
class Gap(Control):
    """Something is missing here, and how much: count events or bytes.

    at_least says that count is a lower bound; stage and reason say where and why it was lost. One in events covers the
    numbers first to last, one in bytes has a file.
    """

    agent: str
    count: int
    unit: str
    reason: str
    stage: str | None
    at_least: bool
    file: str | None
    epoch: int | None
    first: int | None
    last: int | None


@dataclass(slots=True)
class AgentStatus(Control):
    """What an agent does for the session: streaming, unreachable, lagging or ended."""

    agent: str
    status: str


@dataclass(slots=True)
class Stats(Control):
    """The accounts so far."""

    accounts: Accounts


@dataclass(slots=True)
class StreamProblem(Control):
    """A problem that the server tells on the stream."""

    code: str
    message: str


Frame = Log | Control


def frame_of(data: Json) -> Frame | None:
    """Make a frame of JSON; None for one of a type that this version does not know."""
    if data.get("type") == "log":
        return Log.of(data)
    if data.get("type") != "control":
        return None
    event = data["event"]
    make = _MAKERS.get(event)
    return make(event, data) if make else Control(event, data)


def _gap(event: str, data: Json) -> Gap:
    return Gap(
        event, data, data["agent"], data.get("count", 0), data.get("unit", "events"), data.get("reason", ""),
        data.get("stage"), data.get("at_least", False), data.get("file"), data.get("epoch"), data.get("from"),
        data.get("to"),
    )  # fmt: skip


_MAKERS: dict[str, Any] = {
    "session_started": lambda event, data: SessionStarted(
        event, data, data.get("session_id", ""), _maybe_time(data.get("expires_at")), data.get("next_seq", {})
    ),
    "session_ending": lambda event, data: SessionEnding(
        event, data, data.get("reason", ""), data.get("seconds_remaining", 0)
    ),
    "session_extended": lambda event, data: SessionExtended(event, data, _maybe_time(data.get("expires_at"))),
    "session_ended": lambda event, data: SessionEnded(
        event, data, data.get("reason", ""), Accounts.of(data.get("accounts"))
    ),
    "gap": _gap,
    "agent_status": lambda event, data: AgentStatus(event, data, data.get("agent", ""), data.get("status", "")),
    "stats": lambda event, data: Stats(event, data, Accounts.of(data.get("accounts"))),
    "error": lambda event, data: StreamProblem(event, data, data.get("code", ""), data.get("message", "")),
}

DEFAULT_EVENTS = frozenset({"gap", "session_ending", "session_ended", "error"})
