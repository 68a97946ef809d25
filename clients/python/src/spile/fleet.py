"""What a server knows: agents and sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .frames import Accounts, Json, _maybe_time, read_time


@dataclass(slots=True, frozen=True)
class AgentRef:
    """The id and the name of an agent."""

    id: str
    name: str


@dataclass(slots=True)
class Session:
    """A lease on the logs of some agents. data is the whole answer of the server."""

    id: str
    agent_id: str
    agent_name: str
    agents: Sequence[AgentRef]
    status: str
    mode: str
    started_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    viewers: int
    accounts: Accounts
    data: Json = field(repr=False)

    @classmethod
    def of(cls, data: Json) -> Session:
        """Make one of an answer."""
        return cls(
            id=data["id"],
            agent_id=data["agent_id"],
            agent_name=data["agent_name"],
            agents=[AgentRef(one["id"], one["name"]) for one in data.get("agents", [])],
            status=data["status"],
            mode=data["mode"],
            started_at=read_time(data["started_at"]),
            expires_at=read_time(data["expires_at"]),
            ended_at=_maybe_time(data.get("ended_at")),
            end_reason=data.get("end_reason"),
            viewers=data.get("viewers", 0),
            accounts=Accounts.of(data.get("accounts")),
            data=data,
        )


@dataclass(slots=True, frozen=True)
class Source:
    """Where an agent's events come from; problem says what keeps some file from being read."""

    name: str
    kind: str
    files: int
    problem: str | None


@dataclass(slots=True)
class Agent:
    """One member of the fleet. data is the whole answer of the server."""

    id: str
    name: str
    labels: Mapping[str, str]
    status: str
    status_since: datetime | None
    last_seen: datetime | None
    version: str
    sources: Sequence[Source]
    sessions: int
    data: Json = field(repr=False)

    @classmethod
    def of(cls, data: Json) -> Agent:
        """Make one of an answer."""
        return cls(
            id=data["id"],
            name=data["name"],
            labels=data.get("labels") or {},
            status=data["status"],
            status_since=_maybe_time(data.get("status_since")),
            last_seen=_maybe_time(data.get("last_seen")),
            version=data.get("version", ""),
            sources=[_source(one) for one in data.get("sources") or []],
            sessions=data.get("sessions", 0),
            data=data,
        )


def _source(data: Json) -> Source:
    return Source(data["name"], data["kind"], data.get("files", 0), data.get("problem"))


Filters = Mapping[str, Any]
"""level (a list of words), min_level, source (a glob or a list), pattern (RE2), scope (a list of key:value)."""

Context = Mapping[str, int]
"""before and after: so many lines of the same file around each that matches, 0 to 100, as grep -B and -A find them."""
