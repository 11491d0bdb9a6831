"""Who one is and where to: arguments, URLs, contexts; refused connections as sentences, without secrets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from identities import Certificates, new_certificates, new_key, with_credentials
from processes import Child
from proxy import Proxy
from sides import IN_URL, SECRET, crosses, inlet, messages, new_subject, outlet, refusal, run, send_all

from ringlog.bridge.errors import BadSetup, ConnectFailed, NotAuthorized
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return new_certificates(tmp_path_factory.mktemp("certificates"))


def test_user_and_password(with_users: Server) -> None:
    crosses(Nats(new_subject(), with_users.url, user="one", password=f"{SECRET}/@:"))
    crosses(Nats(new_subject(), with_users.url.replace("//", f"//one:{IN_URL}@")))
    refused = refusal(Nats(new_subject(), with_users.url))
    assert isinstance(refused, NotAuthorized)
    assert f"127.0.0.1:{with_users.port}" in str(refused)
    assert "user, password" in str(refused)
    assert isinstance(
        refusal(Nats(new_subject(), with_users.url, user="one", password=SECRET)), NotAuthorized
    )
    assert isinstance(
        refusal(Nats(new_subject(), with_users.url.replace("//", f"//one:{SECRET}@"))), NotAuthorized
    )


def test_token() -> None:
    with Server(config=f'authorization {{ token: "{SECRET}" }}') as server:
        crosses(Nats(new_subject(), server.url, token=SECRET))
        crosses(Nats(new_subject(), server.url.replace("//", f"//{SECRET}@")))
        assert isinstance(refusal(Nats(new_subject(), server.url, token="no")), NotAuthorized)


def test_nkey(tmp_path: Path) -> None:
    key, other = new_key(), new_key()
    (tmp_path / "seed").write_text(key.seed + "\n")
    (tmp_path / "other").write_text(other.seed)
    (tmp_path / "nonsense").write_text("hello")
    with Server(config=f"authorization {{ users: [{{ nkey: {key.public} }}] }}") as server:
        crosses(Nats(new_subject(), server.url, nkey=tmp_path / "seed"))
        assert isinstance(refusal(Nats(new_subject(), server.url, nkey=tmp_path / "other")), NotAuthorized)
        assert "nkey" in str(refusal(Nats(new_subject(), server.url, nkey=tmp_path / "nonsense")))


def test_credentials(tmp_path: Path) -> None:
    with Server(config=with_credentials(tmp_path / "me.creds")) as server:
        crosses(Nats(new_subject(), server.url, creds=tmp_path / "me.creds"))
        with_credentials(tmp_path / "other.creds")
        refused = refusal(Nats(new_subject(), server.url, creds=tmp_path / "other.creds"))
        assert isinstance(refused, NotAuthorized)
    (tmp_path / "empty.creds").write_text("nothing\n")
    with pytest.raises(BadSetup, match="no file of credentials"):
        Nats("s", creds=tmp_path / "empty.creds")
    with pytest.raises(BadSetup, match="No such file"):
        Nats("s", creds=tmp_path / "missing.creds")


@pytest.mark.parametrize("first", [False, True])
def test_tls(certificates: Certificates, tmp_path: Path, first: bool) -> None:
    subject = new_subject()
    others = new_certificates(tmp_path)
    with Server(config=certificates.config(f"verify: true\nhandshake_first: {str(first).lower()}")) as server:
        named = f"tls://localhost:{server.port}"
        ours = {"tls_cert": certificates.client, "tls_key": certificates.client_key, "tls_first": first}
        crosses(Nats(subject, named, tls_ca=certificates.ca, **ours))
        crosses(Nats(new_subject(), server.url, tls_ca=certificates.ca, tls_hostname="localhost", **ours))
        wrong_name = refusal(Nats(subject, server.url, tls_ca=certificates.ca, **ours))
        assert isinstance(wrong_name, ConnectFailed)
        assert "tls_hostname" in str(wrong_name)
        assert "not trusted" in str(refusal(Nats(subject, named, **ours)))
        assert "not trusted" in str(refusal(Nats(subject, named, tls_ca=others.ca, **ours)))
        without = refusal(Nats(subject, named, tls_ca=certificates.ca, tls_first=first))
        assert isinstance(without, ConnectFailed)
        assert "tls_cert" in str(without)


def test_tls_where_there_is_none(server: Server, certificates: Certificates) -> None:
    for nats in (
        Nats("s", f"tls://127.0.0.1:{server.port}"),
        Nats("s", server.url, tls_ca=certificates.ca),
    ):
        refused = refusal(nats)
        assert isinstance(refused, ConnectFailed)
        assert "TLS is asked for" in str(refused)
    with pytest.raises(BadSetup, match="files for TLS"):
        run(outlet(Nats("s", server.url, tls_ca=__file__)).__aenter__())


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    refused = refusal(Nats("s", f"nats://127.0.0.1:{port}"))
    assert isinstance(refused, ConnectFailed)
    assert f"127.0.0.1:{port}: connection refused" in str(refused)
    unknown = refusal(Nats("s", "nats://no-such-host.invalid"))
    assert "no such host" in str(unknown)


def test_not_a_nats_server() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = listener.accept()
                taken.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                taken.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    refused = refusal(Nats("s", f"nats://127.0.0.1:{listener.getsockname()[1]}"))
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)
    assert isinstance(refused, ConnectFailed)
    assert "no NATS server" in str(refused)


def test_a_server_that_says_nothing(proxy: Proxy) -> None:
    proxy.stall()
    refused = refusal(Nats("s", proxy.url, connect_timeout=0.2))
    assert isinstance(refused, ConnectFailed)
    assert "no answer within 0.2 s" in str(refused)


def test_the_second_server_will_do(server: Server, with_users: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    crosses(Nats(new_subject(), [f"127.0.0.1:{port}", server.url]))
    crosses(Nats(new_subject(), f"127.0.0.1:{port},{server.url}"))
    refused = refusal(Nats(new_subject(), [f"127.0.0.1:{port}", with_users.url]))
    assert isinstance(refused, NotAuthorized)


def test_no_jetstream() -> None:
    config = "accounts { A: { users: [{ user: a, password: a }] } }"
    with Server(config=config) as server:
        refused = refusal(Nats("s", server.url, user="a", password="a"))
        assert isinstance(refused, BadSetup)
        assert "JetStream" in str(refused)


@pytest.mark.parametrize(
    "denied",
    ["$JS.API.STREAM.CREATE.>", "$JS.API.STREAM.NAMES", "denied.it"],
    ids=["make", "find", "publish"],
)
def test_what_a_user_may_not(denied: str) -> None:
    async def work(nats: Nats) -> None:
        with pytest.raises(NotAuthorized, match="does not let this user"):
            async with outlet(nats) as out:
                await send_all(out, messages(2))

    config = f"""authorization {{ users: [{{
        user: a, password: a, permissions: {{ publish: {{ deny: ["{denied}"] }} }} }}] }}"""
    with Server(config=config) as server:
        run(work(Nats("denied.it", server.url, user="a", password="a")))


def test_an_inbox_of_its_own() -> None:
    config = """authorization { users: [{ user: a, password: a, permissions: { subscribe: "_mine.>" } }] }"""
    with Server(config=config) as server:
        crosses(Nats("mine", server.url, user="a", password="a", inbox_prefix="_mine"))
        assert isinstance(refusal(Nats("mine", server.url, user="a", password="a")), NotAuthorized)


def test_nothing_is_left_behind(server: Server) -> None:
    """Neither connections nor tasks, after refusals too."""

    async def work() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            async with outlet(Nats(new_subject(), server.url)) as out, inlet(Nats("none.yet", server.url)):
                await send_all(out, messages(1))
            with pytest.raises(ConnectFailed):
                await Nats("s", f"tls://127.0.0.1:{server.port}").outlet().open(print)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()} | asyncio.all_tasks() & {outer}
        assert len(os.listdir("/proc/self/fd")) <= before

    outer: asyncio.Task[None]

    async def main() -> None:
        nonlocal outer
        task = asyncio.current_task()
        assert task is not None
        outer = task
        await asyncio.ensure_future(work())

    asyncio.run(main())


@pytest.mark.parametrize("missing", ["nats", "nkeys"])
def test_without_the_client(spawn: Callable[..., Child], missing: str) -> None:
    child = spawn(
        f"""
        sys.modules[{missing!r}] = None
        import ringlog.bridge.nats, ringlog.bridge.server
        nats = ringlog.bridge.nats.Nats("s")
        for make in (nats.outlet, lambda: nats.inlet("0" * 32)):
            try:
                make()
            except ModuleNotFoundError as error:
                say(error)
        """
    )
    assert child.finish() == f"NATS needs {missing}: pip install 'ringlog[nats]'\n" * 2
