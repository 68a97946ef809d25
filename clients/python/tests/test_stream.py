"""Streams against a real server and a real agent."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from conftest import Fleet, Proxy, until

import spile

WAYS = ["websocket", "sse", "poll"]


def numbers(stream: spile.Stream, last: int) -> list[int]:
    """The numbers of the lines up to the last."""
    found = []
    for log in stream:
        found.append(int(re.search(r"n=(\d+)", log.message)[1]))  # type: ignore[index]
        if found[-1] == last:
            break
    return found


def test_guide(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """The guide's snippet with only the names changed."""
    fleet.write(0, 1)
    Client = spile.Client
    client = Client(token=fleet.token)

    with client.stream(agent_id="web-1", timeout=300, filters={"level": ["ERROR"]}) as stream:
        fleet.write(1, 2)
        fleet.write(2, 3, "ERROR")
        for log in stream:
            print(f"[{log.level}] {log.message}")
            break
    assert capsys.readouterr().out == "[ERROR] ERROR line n=2\n"
    assert fleet.open_sessions() == 0
    client.close()


@pytest.mark.parametrize("way", WAYS)
def test_every_way(fleet: Fleet, way: str) -> None:
    fleet.write(0, 500)
    with spile.Client(transports=[way]) as client, client.stream("web-1", tail=500, mode="complete") as stream:
        assert stream.transport == way
        fleet.write(500, 1000)
        assert numbers(stream, 999) == list(range(1000))
        stopped = stream.stop()
        assert [frame for frame in stream.frames() if isinstance(frame, spile.Log)] == []
        assert stream.ended is not None
        assert stopped.status == "ended"
        (accounts,) = stopped.accounts.agents.values()
        assert accounts.closes and accounts.sent == 1000
        (viewer,) = stream.ended.accounts.viewer.values()
        assert viewer.closes and viewer.delivered == 1000


@pytest.mark.parametrize("way", WAYS)
def test_returns_after_the_death_of_the_server(fleet: Fleet, way: str) -> None:
    states: list[spile.ConnectionState] = []
    with (
        spile.Client(transports=[way], max_offline=60) as client,
        client.stream("web-1", mode="complete", on_connection=states.append) as stream,
    ):
        fleet.write(0, 1000)
        assert numbers(stream, 999) == list(range(1000))
        cursor = stream.cursor
        fleet.kill_server()
        fleet.write(1000, 2000)
        fleet.start_server()
        assert numbers(stream, 1999) == list(range(1000, 2000))
        if way != "poll":  # between two polls there is nothing to lose
            assert states[0].attempt == 0 and not states[0].connected
        assert all(one.transport == way for one in states) and (not states or states[-1].connected)
        assert stream.gapped == 0
        assert stream.cursor != cursor


@pytest.mark.parametrize("way", WAYS)
def test_cut_connections(fleet: Fleet, proxy: Callable[..., Proxy], way: str) -> None:
    between = proxy()
    with (
        spile.Client(base_url=between.url, transports=[way]) as client,
        client.stream("web-1", mode="complete") as stream,
    ):
        found: list[int] = []
        for n in range(0, 1000, 100):
            fleet.write(n, n + 100)
            found += numbers(stream, n + 50)
            between.cut()
            found += numbers(stream, n + 99)
        assert found == list(range(1000))
        assert stream.gapped == 0


def strip_upgrade(request: bytes) -> bytes:
    """What a proxy does that does not know WebSockets."""
    return re.sub(rb"(?im)^(upgrade|connection): .*\r\n", b"", request)


def test_takes_another_way_where_upgrades_are_stripped(fleet: Fleet, proxy: Callable[..., Proxy]) -> None:
    with spile.Client(base_url=proxy(change=strip_upgrade).url) as client, client.stream("web-1") as stream:
        assert stream.transport == "sse"
        fleet.write(0, 10)
        assert numbers(stream, 9) == list(range(10))


def test_takes_the_last_way_where_answers_are_held_back(fleet: Fleet, proxy: Callable[..., Proxy]) -> None:
    between = proxy(change=strip_upgrade, hold=True)
    timing = spile.Timing(first_frame=0.5)
    with spile.Client(base_url=between.url, timing=timing) as client, client.stream("web-1") as stream:
        assert stream.transport == "poll"
        fleet.write(0, 10)
        assert numbers(stream, 9) == list(range(10))


def test_join_narrow_and_come_back(fleet: Fleet) -> None:
    with spile.Client() as client, client.stream("web-1", mode="complete") as stream:
        fleet.write(0, 100)
        assert numbers(stream, 49) == list(range(50))
        with client.attach(stream.session.id, after=stream.cursor) as second:
            assert numbers(second, 99) == list(range(50, 100))
        assert client.session(stream.session.id).status == "active"
        assert [one.id for one in client.sessions()] == [stream.session.id]
        assert client.extend_session(stream.session.id, 600).expires_at > stream.session.expires_at
        with client.attach(stream.session.id, begin="start") as third:
            assert numbers(third, 99) == list(range(100))


@pytest.mark.parametrize("way", WAYS)
def test_every_character_comes_through(fleet: Fleet, way: str) -> None:
    """Python and the web see line ends where JSON sees none."""
    message = "a\u2028b\u2029c\x85d\x0be\x1cf\u202eg\U0001f600\x00"
    with fleet.log.open("a") as out:
        out.write(f"{message} n=0\n")
    with spile.Client(transports=[way]) as client, client.stream("web-1", tail=1) as stream:
        frame = stream.next()
        assert isinstance(frame, spile.Log) and frame.message == f"{message} n=0"


def test_raw_lines(fleet: Fleet) -> None:
    with fleet.log.open("ab") as out:
        out.write(b"ERROR caf\xe9\nERROR plain\n")
    with spile.Client() as client, client.stream("web-1", tail=2, raw=True) as stream:
        first, second = stream.next(), stream.next()
        assert isinstance(first, spile.Log) and isinstance(second, spile.Log)
        assert (first.raw, second.raw) == (b"ERROR caf\xe9", b"ERROR plain")


def test_slow_reader_is_told_what_it_missed(fleet: Fleet) -> None:
    lines = 300_000
    controls: list[spile.Control] = []
    with spile.Client() as client, client.stream("web-1", on_control=controls.append) as stream:
        fleet.write(0, 1)
        assert numbers(stream, 0) == [0]
        fleet.write(1, lines)
        until("the agent has read it all", lambda: seen(fleet, stream.session.id) == lines)
        stream.stop()
        found = numbers(stream, -1)
        gaps = [one for one in controls if isinstance(one, spile.Gap)]
        assert 1 + len(found) + sum(one.count for one in gaps) == lines
        assert gaps and stream.gapped == sum(one.count for one in gaps)
        assert found == sorted(set(found))
        assert stream.ended is not None and all(one.closes for one in stream.ended.accounts.viewer.values())


def seen(fleet: Fleet, session: str) -> int:
    accounts = fleet.get(f"/api/v1/sessions/{session}")["accounts"]["agents"]
    return sum(one["seen"] for one in accounts.values())


def test_ends_by_itself_with_warning_and_accounts(fleet: Fleet) -> None:
    with spile.Client() as client, client.stream("web-1", timeout=1, events="all") as stream:
        events = [frame.event for frame in stream.frames() if isinstance(frame, spile.Control)]
        assert events[0] == "session_started" and "session_ending" in events and events[-1] == "session_ended"
        assert stream.ended is not None and stream.ended.reason == "timeout"
        assert stream.next() is None


def test_a_server_that_is_gone_is_told(fleet: Fleet) -> None:
    with spile.Client(max_offline=0.5) as client:
        stream = client.stream("web-1")
        fleet.kill_server()
        with pytest.raises(spile.UnavailableError, match="lost the server"):
            stream.next()
        stream.close()


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda c: c.stream("nobody"), spile.NotFoundError, "nobody"),
        (lambda c: c.stream("web-1", timeout=7200), spile.ValidationError, "timeout_seconds"),
        (lambda c: c.stream("web-1", filters={"pattern": "("}), spile.ValidationError, "filters.pattern"),
        (lambda c: c.stream("web-1", filters={"colour": "red"}), spile.ValidationError, "colour"),
        (lambda c: c.stream("web-1", events="some"), spile.ValidationError, "events"),
        (lambda c: c.session("sess_none"), spile.NotFoundError, "sess_none"),
        (lambda c: c.attach("sess_none"), spile.NotFoundError, "sess_none"),
        (lambda c: c.agent("nobody"), spile.NotFoundError, "nobody"),
    ],
)
def test_refusals(
    fleet: Fleet, act: Callable[[spile.Client], object], error: type[spile.SpileError], says: str
) -> None:
    with spile.Client() as client:
        with pytest.raises(error) as caught:
            act(client)
        assert says in str(caught.value) or says in str(caught.value.details)
        assert fleet.open_sessions() == 0


def test_refusals_without_a_server_of_ours(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with spile.Client("not.a.token") as client, pytest.raises(spile.UnauthorizedError):
        client.agents()
    with spile.Client("x", "http://127.0.0.1:1") as client, pytest.raises(spile.UnavailableError):
        client.agents()
    for url in ("localhost", "ftp://x", "http://user@x", "http://x/?a=b"):
        with pytest.raises(spile.ValidationError, match="base_url"):
            spile.Client("x", url)
    with pytest.raises(spile.ValidationError, match="token"):
        spile.Client("two words")
    with pytest.raises(spile.ValidationError, match="transports"):
        spile.Client(transports=["pigeon"])
    with spile.Client() as client, pytest.raises(TypeError, match="colour"):
        client.stream("web-1", colour="red")


def test_error_in_the_block_stops_the_session(fleet: Fleet) -> None:
    with spile.Client() as client:
        with contextlib.suppress(ZeroDivisionError), client.stream("web-1"):
            raise ZeroDivisionError
        assert fleet.open_sessions() == 0


def test_asyncio(fleet: Fleet) -> None:
    async def main() -> list[int]:
        async with spile.AsyncClient() as client:
            found = []
            async with client.stream("web-1", mode="complete") as stream:
                fleet.write(0, 100)
                async for log in stream:
                    found.append(log.seq)
                    if len(found) == 50:
                        break
            other = await client.stream("web-1", tail=10)
            async for frame in other.frames():
                if isinstance(frame, spile.Log) and frame.message.endswith("n=99"):
                    break
            # One that waits for a line can be cancelled, and goes on afterwards.
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(other.next(), 0.2)
            fleet.write(100, 101)
            frame = await other.next()
            assert isinstance(frame, spile.Log) and frame.message.endswith("n=100")
            assert (await other.stop()).status == "ended"
            await other.close()
            return found

    assert asyncio.run(main()) == list(range(1, 51))
    assert fleet.open_sessions() == 0


def grep(logs: list[spile.Log]) -> str:
    """The lines as grep writes them."""
    text, last = "", None
    for log in logs:
        assert log.raw is not None and log.context == (b"hit" not in log.raw)
        if last and not log.follows(last):
            text += "--\n"
        text, last = text + log.raw.decode() + "\n", log
    return text


@pytest.mark.parametrize("waits", [True, False], ids=["sync", "async"])
def test_context(fleet: Fleet, waits: bool) -> None:
    """The lines around matches are those that grep finds in the same file."""
    hits = {2, 5, 10, 11, 30}
    with fleet.log.open("a") as out:
        out.write("".join(f"INFO {'hit' if n in hits else 'line'} n={n}\n" for n in range(31)))
    found = subprocess.run(["grep", "-B2", "-A3", "hit", fleet.log], capture_output=True, check=True, text=True).stdout
    options = {
        "timeout": 60, "tail": 5, "raw": True, "filters": {"pattern": "hit"}, "context": {"before": 2, "after": 3},
    }  # fmt: skip

    async def collect() -> list[spile.Log]:
        logs = []
        async with spile.AsyncClient() as client, client.stream("web-1", **options) as stream:
            async for log in stream:
                logs.append(log)
                if log.message.endswith("n=30"):
                    break
        return logs

    if waits:
        logs = []
        with spile.Client() as client, client.stream("web-1", **options) as stream:
            assert stream.session.data["context"] == options["context"]
            for log in stream:
                logs.append(log)
                if log.message.endswith("n=30"):
                    break
    else:
        logs = asyncio.run(collect())
    assert grep(logs) == found


def test_context_is_checked(fleet: Fleet) -> None:
    with spile.Client() as client, pytest.raises(spile.ValidationError) as refused:
        client.stream("web-1", context={"before": 101})
    assert "context.before" in refused.value.details


def snippets() -> list[str]:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", readme, re.DOTALL)


@pytest.mark.parametrize("snippet", snippets(), ids=["guide", "frames", "context", "asyncio"])
def test_readme(fleet: Fleet, snippet: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The snippets run as they stand, but for the token, the agent and a shorter session."""
    now = datetime.now(timezone.utc).isoformat()
    with fleet.log.open("a") as out:
        out.write("".join(f'time={now} level=error msg="line {n}"\n' for n in range(3)))
    snippet = snippet.replace('"your-jwt-token"', f'"{fleet.token}"').replace('"agent-uuid"', '"web-1"')
    snippet = snippet.replace('"panic"', '"line 1"')
    snippet = re.sub(r"timeout=\d+", "timeout=1, tail=3", snippet)
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})
    assert "line 2" in capsys.readouterr().out
