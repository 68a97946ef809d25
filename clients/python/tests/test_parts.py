"""What needs no server."""

from __future__ import annotations

import json
import random
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import spile
from spile import frames
from spile._cursor import Positions
from spile._dial import EventParser
from spile._timing import Backoff
from spile.aio import StreamOptions
from spile.errors import refusal

SPEC = Path(__file__).resolve().parents[3] / "spec"


def test_cursor_round_trip() -> None:
    chance = random.Random(1)
    for _ in range(500):
        one = Positions()
        for _ in range(chance.randrange(5)):
            one.advance(
                str(uuid.UUID(int=chance.getrandbits(128))), chance.getrandbits(chance.randrange(1, 64)),
                chance.getrandbits(chance.randrange(1, 64)),
            )  # fmt: skip
        other = Positions()
        if one.cursor:
            other.seed(one.cursor)
        assert other.cursor == one.cursor


@pytest.mark.parametrize("text", ["!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "A" * 23 + "_____w"])
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Positions().seed(text)
    Positions().learn(text)


def test_positions_know_what_came_before() -> None:
    agent = str(uuid.uuid4())
    at = Positions()
    assert at.advance(agent, 1, 1) and at.advance(agent, 1, 5)
    assert not at.advance(agent, 1, 5) and not at.advance(agent, 1, 2)
    assert at.advance(agent, 2, 1)


def test_events_in_any_pieces() -> None:
    text = b': hello\nid: 1\ndata: {"a":1}\n\ndata:x\r\ndata: y\r\n\r\nevent: e\n\ndata: \xc3\xa9\n\n'
    want = [b'{"a":1}', b"x\ny", "é".encode()]
    for size in range(1, len(text) + 1):
        parser, found = EventParser(), []
        for at in range(0, len(text), size):
            found += parser.feed(text[at : at + size])
        # A carriage return may come in another piece than its line feed.
        assert [one.replace(b"\r", b"") for one in found] == want, size


def test_frames_have_what_the_schema_has() -> None:
    schema = json.loads((SPEC / "frames.schema.json").read_text())["$defs"]
    known = {
        "log": set(frames.Log.__slots__) | {"type", "raw_base64"},
        "agent_accounts": set(frames.AgentAccounts.__slots__),
        "viewer_accounts": set(frames.ViewerAccounts.__slots__),
    }
    for name, members in known.items():
        assert set(schema[name]["properties"]) <= members, name


def test_every_code_of_the_schema_is_an_exception() -> None:
    codes = json.loads((SPEC / "frames.schema.json").read_text())["$defs"]["code"]["enum"]
    for code in codes:
        error = refusal(400, json.dumps({"error": code, "message": "m", "details": {"f": "d"}}).encode())
        assert (error.code, error.message, error.details) == (code, "m", {"f": "d"})
        assert isinstance(error, spile.SpileError)
    assert type(refusal(429, b'{"error":"rate_limited","message":"m"}', "7")) is spile.RateLimitedError
    assert refusal(429, b'{"error":"rate_limited","message":"m"}', "7").retry_after == 7
    assert type(refusal(502, b"<html>")) is spile.UnavailableError


def test_unknown_frames_are_left_out_or_kept_as_they_are() -> None:
    assert frames.frame_of({"type": "novelty"}) is None
    frame = frames.frame_of({"type": "control", "event": "novelty", "x": 1})
    assert isinstance(frame, spile.Control) and frame.data["x"] == 1


@pytest.mark.parametrize(
    ("since", "want"),
    [
        ("10m", "10m"),
        (timedelta(minutes=1.5), "90.000000s"),
        (datetime(2024, 1, 15, 10, tzinfo=timezone.utc), "2024-01-15T10:00:00.000Z"),
        (datetime(2024, 1, 15, 10, tzinfo=timezone(timedelta(hours=2))), "2024-01-15T08:00:00.000Z"),
    ],
)
def test_since(since: str | timedelta | datetime, want: str) -> None:
    assert StreamOptions("a", since=since).body() == {"agent_id": "a", "since": want}


def test_waits_grow_within_their_bound() -> None:
    timing = spile.Timing()
    backoff = Backoff(timing)
    bound = timing.min_wait
    for _ in range(20):
        assert 0 <= backoff.next() <= bound
        bound = min(2 * bound, timing.max_wait)
    backoff.reset()
    assert backoff.next() <= timing.min_wait
