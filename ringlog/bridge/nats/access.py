"""How to reach a NATS server, and as whom: from arguments, URLs, and the contexts of the nats command."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ringlog.bridge.errors import BadSetup

DEFAULT = "nats://127.0.0.1:4222"
PORT = 4222
SCHEMES = ("nats", "tls")
# What a context calls it, and what it is called here.
IN_CONTEXT = {
    "creds": "creds",
    "nkey": "nkey",
    "user": "user",
    "password": "password",
    "token": "token",
    "ca": "tls_ca",
    "cert": "tls_cert",
    "key": "tls_key",
    "tls_first": "tls_first",
    "jetstream_domain": "domain",
    "inbox_prefix": "inbox_prefix",
}
UNKNOWN_HERE = ("nsc", "socks_proxy", "user_jwt", "jetstream_api_prefix")
FILES = ("creds", "nkey", "tls_ca", "tls_cert", "tls_key")
WAYS = (("creds",), ("nkey",), ("user", "password"), ("token",))
CREDS_MARKS = (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")


@dataclass(frozen=True)
class Access:
    """Servers without their credentials, and these apart. Secrets are not in its repr."""

    servers: tuple[str, ...]
    creds: str | None = None
    nkey: str | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_hostname: str | None = None
    tls_first: bool = False
    domain: str | None = None
    inbox_prefix: str | None = None
    connect_timeout: float = 5.0

    @property
    def address(self) -> str:
        """For people: the servers."""
        first, *others = self.servers
        return ",".join([first, *(server.partition("://")[2] for server in others)])

    @property
    def wants_tls(self) -> bool:
        """Must there be TLS? Otherwise the server decides."""
        files = (self.tls_ca, self.tls_cert, self.tls_key, self.tls_hostname)
        return self.tls_first or any(files) or any(one.startswith("tls:") for one in self.servers)

    def tls_context(self) -> ssl.SSLContext:
        """Raises BadSetup: a file that is no certificate or key."""
        try:
            context = ssl.create_default_context(cafile=self.tls_ca)
            if self.tls_cert is not None:
                context.load_cert_chain(self.tls_cert, self.tls_key)
        except (ssl.SSLError, OSError) as error:
            files = ", ".join(filter(None, (self.tls_ca, self.tls_cert, self.tls_key)))
            raise BadSetup(f"the files for TLS can't be used ({files}): {error}") from None
        return context


def access_of(server: str | Sequence[str] | None, context: str | None, given: Mapping[str, Any]) -> Access:
    """What is given goes before what a context says. Raises ValueError, BadSetup."""
    found: dict[str, Any] = {}
    named = server or os.environ.get("NATS_URL")
    if context is not None or not named:
        found = _context(context)
    from_context = found.pop("url", None)
    urls = _urls(named or from_context or DEFAULT)
    servers, in_url = _split(urls)
    explicit = {key: value for key, value in given.items() if value is not None}
    # One way to say who one is: the nearest. Two at once would leave it to chance which one counts.
    for nearest in (explicit, in_url, found):
        ways = [way for way in WAYS if any(key in nearest for key in way)]
        if ways:
            break
    if len(ways) > 1:
        raise ValueError(f"one of {', '.join(way[0] for way in ways)} is enough: they exclude each other")
    chosen = {key: value for key, value in nearest.items() if any(key in way for way in ways)}
    others = {**found, **explicit}
    rest = {key: value for key, value in others.items() if not any(key in way for way in WAYS)}
    if "password" in chosen and "user" not in chosen:
        raise ValueError("a password needs a user")
    if "user" in chosen and "password" not in chosen:
        chosen["password"] = ""
    options = {**rest, **chosen}
    for key in FILES:
        if key in options:
            options[key] = _file(key, options[key])
    if "tls_key" in options and "tls_cert" not in options:
        raise ValueError("tls_key needs tls_cert")
    return Access(servers, **options)


def _urls(server: str | Sequence[str]) -> list[str]:
    several = server.split(",") if isinstance(server, str) else list(server)
    urls = [one.strip() for one in several if one.strip()]
    if not urls:
        raise ValueError("no server is named")
    return urls


def _split(urls: list[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Servers without credentials, and the credentials of the first that has some."""
    servers = []
    found: list[dict[str, str]] = []
    for url in urls:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        try:
            port = parts.port or PORT
        except ValueError:
            raise ValueError(f"the port of a server's URL is no number up to 65535: {_bare(url)}") from None
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(f"{_bare(url)} is no URL of a NATS server: nats://host:port or tls://host:port")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        servers.append(f"{parts.scheme}://{host}:{port}")
        if parts.username and parts.password is not None:
            found.append({"user": unquote(parts.username), "password": unquote(parts.password)})
        elif parts.username:
            found.append({"token": unquote(parts.username)})
    if any(one != found[0] for one in found):
        raise ValueError("the servers' URLs name different users: they should be of one cluster")
    return tuple(servers), found[0] if found else {}


def _bare(url: str) -> str:
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _file(option: str, path: str) -> str:
    path = os.path.expanduser(os.fspath(path))
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadSetup(f"{option}: {path}: {error.strerror}") from None
    # nats-py looks for these lines for ever.
    if option == "creds" and not all(mark in data for mark in CREDS_MARKS):
        raise BadSetup(f"{path} is no file of credentials: it lacks the line {CREDS_MARKS[0].decode()} or so")
    return path


def _context(name: str | None) -> dict[str, Any]:
    """What a context of the nats command says; nothing, if none is selected."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "nats"
    if name is None:
        try:
            name = (folder / "context.txt").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return {}
        if not name:
            return {}
    if os.path.basename(name) != name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no name of a context")
    path = folder / "context" / f"{name}.json"
    try:
        said = json.loads(path.read_text())
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in path.parent.glob("*.json"))) or "none"
        raise BadSetup(f"context {name!r}: {path}: {error.strerror}; there are: {known}") from None
    except ValueError as error:
        raise BadSetup(f"context {name!r}: {path} is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise BadSetup(f"context {name!r}: {path} is no JSON object")
    for key in UNKNOWN_HERE:
        if said.get(key):
            raise BadSetup(
                f"context {name!r} has {key}, which ringlog can't use: give the options themselves"
            )
    found = {ours: said[theirs] for theirs, ours in IN_CONTEXT.items() if said.get(theirs)}
    if said.get("url"):
        found["url"] = said["url"]
    # The command uses the first of these that a context has.
    for way in (("creds",), ("nkey",), ("user", "password"), ("token",)):
        if any(key in found for key in way):
            others = {key for other in WAYS for key in other} - set(way)
            return {key: value for key, value in found.items() if key not in others}
    return found
