"""Runs the rows of the contract with the Python client: a request a line on stdin, an answer a line on stdout."""

import base64
import json
import sys

import spile


def answer(server, token, start):
    """Runs one row."""
    frames = []
    start["timeout"] = start.pop("timeout_seconds", None)
    with spile.Client(token, server) as client, client.stream(**start, events="all") as stream:
        for frame in stream.frames():
            if isinstance(frame, spile.Log):
                frames.append(
                    {
                        "timestamp": frame.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                        "level": frame.level,
                        "source": frame.source,
                        "message": frame.message,
                        "metadata": frame.metadata,
                        "context": frame.context,
                        "raw": None if frame.raw is None else base64.b64encode(frame.raw).decode(),
                    }
                )
            elif frame.event == "history_end":
                stream.stop()
        return {"frames": frames, "accounts": stream.ended.data["accounts"]["agents"]}


for line in sys.stdin:
    try:
        said = answer(**json.loads(line))
    except spile.SpileError as error:
        said = {"error": {"code": error.code, "status": error.status, "details": list(error.details)}}
    print(json.dumps(said), flush=True)
