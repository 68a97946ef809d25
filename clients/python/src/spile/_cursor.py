"""Where a stream stands: one position for each agent, and the text in which that travels."""

from __future__ import annotations

import base64
import binascii
import uuid


class Positions:
    """The last event of each agent that was read, in the order in which the agents were heard of."""

    def __init__(self) -> None:
        """Stand before everything."""
        self._at: dict[str, tuple[int, int]] = {}

    def seed(self, cursor: str) -> None:
        """Begin after a cursor; ValueError for what is none."""
        self._at.update(_parse(cursor))

    def learn(self, cursor: str) -> None:
        """Take over the agents of a cursor that were not heard of yet."""
        try:
            found = _parse(cursor)
        except ValueError:
            return
        for agent, at in found.items():
            self._at.setdefault(agent, at)

    def advance(self, agent: str, epoch: int, seq: int) -> bool:
        """Move an agent to an event and say whether that lies ahead."""
        known = self._at.get(agent)
        if known is not None and known[0] == epoch and seq <= known[1]:
            return False
        self._at[agent] = (epoch, seq)
        return True

    @property
    def cursor(self) -> str | None:
        """The positions as they travel, None before any agent was heard of."""
        data = bytearray()
        for agent, (epoch, seq) in self._at.items():
            try:
                data += uuid.UUID(agent).bytes
            except ValueError:
                continue  # an agent whose id is no UUID has no place in a cursor
            data += _varint(epoch) + _varint(seq)
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode() or None


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _parse(text: str) -> dict[str, tuple[int, int]]:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a cursor: must be the text that a stream gave") from error
    found: dict[str, tuple[int, int]] = {}
    at = 0
    while at < len(data):
        if len(data) - at < 16:
            raise ValueError("not a cursor: must be the text that a stream gave")
        agent = str(uuid.UUID(bytes=data[at : at + 16]))
        epoch, at = _read_varint(data, at + 16)
        seq, at = _read_varint(data, at)
        found[agent] = (epoch, seq)
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("not a cursor: must be the text that a stream gave")
