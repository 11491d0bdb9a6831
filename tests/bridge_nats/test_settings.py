"""What a transport is told: URLs, contexts of the nats command, what can not be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from identities import Certificates, new_certificates
from sides import SECRET, crosses, new_subject, refusal

from ringlog.bridge.errors import BadSetup, NotAuthorized
from ringlog.bridge.nats import Nats
from ringlog.bridge.server import Server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return new_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., None]:
    """Write a context of the nats command; `selected` makes it the one that counts."""

    def write(name: str, *, selected: bool = False, **said: object) -> None:
        folder = tmp_path / "config" / "nats" / "context"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps({"description": "a test", "nkey": "", **said}))
        if selected:
            (folder.parent / "context.txt").write_text(name)

    return write


def test_contexts(
    with_users: Server, server: Server, context: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    context("plain", url=server.url)
    context("users", selected=True, url=with_users.url, user="one", password=f"{SECRET}/@:")
    crosses(Nats(new_subject()))  # the selected one
    crosses(Nats(new_subject(), context="plain"))
    assert isinstance(
        refusal(Nats(new_subject(), context="users", password=SECRET, user="one")), NotAuthorized
    )
    crosses(Nats(new_subject(), server.url))
    # What a context is told belongs to its servers, and goes to no other that was not named with it.
    assert Nats("s", server.url).settings.access.password is None
    assert Nats("s", server.url, context="users").settings.access.password == f"{SECRET}/@:"
    monkeypatch.setenv("NATS_URL", server.url)
    assert Nats("s").settings.access.servers == (server.url,)
    assert Nats("s").settings.access.user is None


def test_contexts_that_can_not_be_used(context: Callable[..., None], tmp_path: Path) -> None:
    context("one", url="nats://one")
    context("two", url="nats://two", nsc="nsc://operator/account/user")
    with pytest.raises(BadSetup, match="there are: one, two"):
        Nats("s", context="three")
    with pytest.raises(BadSetup, match="nsc"):
        Nats("s", context="two")
    with pytest.raises(ValueError, match="no name of a context"):
        Nats("s", context="../one")
    (tmp_path / "config" / "nats" / "context" / "bad.json").write_text("{")
    with pytest.raises(BadSetup, match="no JSON"):
        Nats("s", context="bad")


def test_where_nothing_is_said() -> None:
    assert Nats("s").address == "nats://127.0.0.1:4222/s"
    assert Nats("a.b", "host").address == "nats://host:4222/a.b"
    assert Nats("a", "tls://one:1,two:2").address == "tls://one:1,two:2/a"
    assert Nats("a", "nats://[::1]:99").address == "nats://[::1]:99/a"


@pytest.mark.parametrize(
    "options",
    [
        {"subject": "a.*"},
        {"subject": "a..b"},
        {"subject": ""},
        {"subject": "$JS.API"},
        {"server": "http://host"},
        {"server": "nats://host:99999"},
        {"server": ["nats://a:b@one", "nats://c:d@two"]},
        {"user": "me", "token": "it"},
        {"password": "alone"},
        {"stream": "with space"},
        {"storage": "tape"},
        {"retention": "workqueue"},
        {"in_flight": 0},
        {"keep_age": 0},
    ],
    ids=str,
)
def test_what_can_not_be(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        Nats(**{"subject": "s", **options})  # type: ignore[arg-type]
    assert "b@" not in str(caught.value)


def test_targets() -> None:
    for target in ("", "x" * 32, "AB" * 16):
        with pytest.raises(ValueError, match="32 hex digits"):
            Nats("s").inlet(target)
