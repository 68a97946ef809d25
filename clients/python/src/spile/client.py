"""The client for programs that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from ._feed import ConnectionState
from ._loop import LoopThread
from ._timing import Timing
from .aio import AsyncClient, AsyncStream, Opening
from .fleet import Agent, Session
from .frames import Control, Frame, Json, Log, SessionEnded, Stats


class Client:
    """Calls one server and waits for the answers. Safe for several threads, each with streams of its own.

    It does its work in a thread of its own, which close ends; with does so too.
    """

    def __init__(
        self,
        token: str | None = None,
        base_url: str | None = None,
        *,
        transports: Sequence[str] | None = None,
        max_offline: float | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Settle the token and the server, as AsyncClient does."""
        self._client = AsyncClient(token, base_url, transports=transports, max_offline=max_offline, timing=timing)
        self._thread = LoopThread()

    def stream(self, agent_id: str | None = None, **options: Any) -> Stream:
        """Start a session and connect to it; the arguments are the members of StreamOptions.

        The callbacks run in the client's own thread. With the answer in a with statement the session is stopped at the
        end of the block.
        """
        return Stream(self._thread, self._open(self._client.stream(agent_id, **options)))

    def attach(
        self,
        session_id: str,
        *,
        after: str | None = None,
        begin: str | None = None,
        events: str = "default",
        on_control: Callable[[Control], None] | None = None,
        on_connection: Callable[[ConnectionState], None] | None = None,
    ) -> Stream:
        """Connect to a session that is open, after a cursor, or from its "start" or from "now"; it is left open."""
        opening = self._client.attach(
            session_id, after=after, begin=begin, events=events, on_control=on_control, on_connection=on_connection
        )
        return Stream(self._thread, self._open(opening))

    def _open(self, opening: Opening) -> AsyncStream:
        async def opened() -> AsyncStream:
            return await opening

        return self._thread.run(opened())

    def agents(self) -> list[Agent]:
        """List the agents."""
        return self._thread.run(self._client.agents())

    def agent(self, agent_id: str) -> Agent:
        """Get one agent, by its id or name."""
        return self._thread.run(self._client.agent(agent_id))

    def agent_metrics(self, agent_id: str) -> list[Json]:
        """Get what an agent counted in the last hour, the oldest first."""
        return self._thread.run(self._client.agent_metrics(agent_id))

    def delete_agent(self, agent_id: str) -> None:
        """Forget an agent; it has to be enrolled again."""
        self._thread.run(self._client.delete_agent(agent_id))

    def sessions(self, status: str | None = None) -> list[Session]:
        """List the sessions: those that are active, unless another status or "all" is asked for."""
        return self._thread.run(self._client.sessions(status))

    def session(self, session_id: str) -> Session:
        """Get one session."""
        return self._thread.run(self._client.session(session_id))

    def extend_session(self, session_id: str, seconds: int) -> Session:
        """Give a session a new remaining length, counted from now."""
        return self._thread.run(self._client.extend_session(session_id, seconds))

    def stop_session(self, session_id: str) -> Session:
        """End a session and get it with its final accounts. To do so twice is no error."""
        return self._thread.run(self._client.stop_session(session_id))

    def close(self) -> None:
        """Close what is kept open and end the client's thread. Streams of it can be used no more."""
        self._thread.run(self._client.close())
        self._thread.close()

    def __enter__(self) -> Client:
        """Use the client in a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()


class Stream:
    """One reader of a session, as AsyncStream is, for programs that wait. Not safe for several threads."""

    def __init__(self, thread: LoopThread, stream: AsyncStream) -> None:
        """Make one; only clients do."""
        self._thread, self._stream = thread, stream

    @property
    def session(self) -> Session:
        """The session as far as it is known: its end moves when it is extended, the rest is that of the beginning."""
        return self._stream.session

    @property
    def warnings(self) -> list[str]:
        """What the server said about the start."""
        return self._stream.warnings

    @property
    def ended(self) -> SessionEnded | None:
        """The end of the session with its accounts, once it has come."""
        return self._stream.ended

    @property
    def stats(self) -> Stats | None:
        """The last accounts that were told."""
        return self._stream.stats

    @property
    def gapped(self) -> int:
        """How many events were told to be missing so far."""
        return self._stream.gapped

    @property
    def cursor(self) -> str | None:
        """Where the reader stands, to come back with attach(session.id, after=…); None before any agent has spoken."""
        return self._stream.cursor

    @property
    def transport(self) -> str | None:
        """The way that the frames take."""
        return self._stream.transport

    def __iter__(self) -> Iterator[Log]:
        """Iterate over the events of logs, to the end of the session."""
        for frame in self.frames():
            if isinstance(frame, Log):
                yield frame
            else:
                self._stream._warn(frame)

    def frames(self) -> Iterator[Frame]:
        """Iterate over the events of logs and the control frames that were asked for."""
        while (frame := self.next()) is not None:
            yield frame

    def next(self) -> Frame | None:
        """Wait for the next frame; None after the end of the session, or once the stream was closed."""
        frame = self._stream._ready_frame()
        return frame if frame is not None else self._thread.run(self._stream.next())

    def extend(self, seconds: int) -> Session:
        """Give the session a new remaining length, counted from now."""
        return self._thread.run(self._stream.extend(seconds))

    def stop(self) -> Session:
        """End the session for everybody and get it with its accounts. What was on its way can still be iterated."""
        return self._thread.run(self._stream.stop())

    def close(self) -> None:
        """Leave; the session goes on, for others or to come back to."""
        self._thread.run(self._stream.close())

    def __enter__(self) -> Stream:
        """Use the stream in a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the stream, and stop the session if this stream has started it."""
        self._thread.run(self._stream._leave(failed=error is not None))
