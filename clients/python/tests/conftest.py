"""A real fleet for each test: the server and an agent, as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("SPILE_BINARY"):
        return Path(given)
    path = tmp_path_factory.mktemp("bin") / "spile"
    subprocess.run(["go", "build", "-o", str(path), "./cmd/spile"], cwd=ROOT, check=True)
    return path


def until(what: str, done: Callable[[], bool]) -> None:
    """Waits for what another process brings about."""
    limit = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not done():
        assert time.monotonic() < limit, f"gave up waiting until {what}"
        pause.wait(0.01)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Fleet:
    """One server and one agent, web-1, that reads app.log."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary, self.folder, self.port = binary, folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "app.log"
        self.log.touch()
        self.server: subprocess.Popen[bytes] | None = None
        self.agent: subprocess.Popen[bytes] | None = None

    @property
    def token(self) -> str:
        return (self.folder / "server" / "admin.token").read_text().strip()

    def run(self, *args: str) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{args[0]}.err", "ab") as err:
            return subprocess.Popen([self.binary, *args], stdout=err, stderr=err)

    def start_server(self) -> None:
        self.server = self.run("serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.folder / "server"))
        until("the server is ready", self.ready)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def start_agent(self) -> None:
        self.agent = self.run(
            "agent", "--server", self.url, "--name", "web-1", "--data", str(self.folder / "agent"),
            "--enrol-token-file", str(self.folder / "server" / "enrol.token"), "--file", f"app={self.log}",
        )  # fmt: skip
        until("the agent is online", self.online)

    def online(self) -> bool:
        agents = self.get("/api/v1/agents")["agents"]
        return any(one["status"] == "online" and one["sources"] for one in agents)

    def get(self, path: str) -> dict:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def kill_server(self) -> None:
        assert self.server
        self.server.kill()
        self.server.wait()

    def write(self, first: int, last: int, level: str = "INFO") -> None:
        with self.log.open("a") as out:
            out.write("".join(f"{level} line n={n}\n" for n in range(first, last)))

    def open_sessions(self) -> int:
        return int(self.get("/api/v1/stream/sessions")["total"])

    def stop(self) -> None:
        for process in (self.agent, self.server):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
                process.wait()


@pytest.fixture
def fleet(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    one = Fleet(binary, tmp_path)
    try:
        one.start_server()
        one.start_agent()
        monkeypatch.setenv("SPILE_SERVER", one.url)
        monkeypatch.setenv("SPILE_TOKEN", one.token)
        yield one
    finally:
        one.stop()


class Proxy:
    """A TCP proxy that can cut what goes through it, change requests, and hold answers back."""

    def __init__(self, port: int, change: Callable[[bytes], bytes] = bytes, hold: bool = False) -> None:
        self.to, self.change, self.hold = port, change, hold
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.accepted = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.accepted += 1
                self.pairs.append((client, server))
            threading.Thread(target=self.pump, args=(client, server, self.change, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, bytes, self.hold), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes], hold: bool) -> None:
        held = b""
        try:
            while data := source.recv(65536):
                # One that buffers passes on an answer when it is whole; streams never are.
                held += data
                if not hold or b"Content-Length" in held or held.endswith(b"\r\n0\r\n\r\n"):
                    sink.sendall(change(held))
                    held = b""
        except OSError:
            pass
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self) -> int:
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    one.shutdown(socket.SHUT_RDWR)
                    one.close()
        return len(pairs)

    def close(self) -> None:
        self.listener.close()
        self.cut()


@pytest.fixture
def proxy(fleet: Fleet) -> Iterator[Callable[..., Proxy]]:
    made: list[Proxy] = []

    def make(**options: object) -> Proxy:
        made.append(Proxy(fleet.port, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()
