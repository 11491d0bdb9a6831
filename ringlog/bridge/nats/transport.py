"""One subject at a NATS server, with everything that can be said about how to reach and keep it."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ringlog.bridge.nats.access import Access, access_of
from ringlog.files import StrPath

if TYPE_CHECKING:
    from ringlog.bridge.nats.inlet import NatsInlet
    from ringlog.bridge.nats.outlet import NatsOutlet

Storage = Literal["file", "memory"]
Retention = Literal["limits", "interest"]
SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")
STREAM_NAME = re.compile(r"[^\s.*>/\\]+")
TARGET = re.compile(r"[0-9a-f]{32}")

# What a server takes unless it is told otherwise. Each message is a fixed amount of work for all of them.
MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True)
class Settings:
    """What a Nats was given, checked, for its outlets and inlets. All times are in seconds."""

    subject: str
    access: Access
    stream: str | None
    keep_bytes: int
    keep_age: float | None
    replicas: int
    storage: Storage
    retention: Retention
    duplicate_window: float
    message_bytes: int
    ack_timeout: float
    in_flight: int


class Nats:
    """One subject at a NATS server with JetStream, as push and pull take it.

    Nothing is connected here: `outlet()` and `inlet()` each make a connection of their own.

    subject: without wildcards; one writer's events.
    server: a URL, or several (as a sequence, or with commas between them) of one cluster. None: NATS_URL,
        then what the context says, then nats://127.0.0.1:4222.
    stream: the JetStream stream. None: the one that holds the subject; if there is none, push makes one and
        names it after the subject.
    context: the name of a context of the `nats` command. None: the selected one, but only if neither
        `server` nor NATS_URL is given. What is given here goes before what a context says.
    creds, nkey: files: credentials as `nsc` makes them, the seed of an nkey. user, password, token: as they
        are; within the URL they work too. None of them is ever shown.
    tls_ca, tls_cert, tls_key: PEM files. tls_hostname: the name that the server's certificate must have.
        tls_first: TLS from the first byte. Any of them, or a tls:// URL, makes TLS a must.
    domain: of JetStream. inbox_prefix: where answers go, if the user may not subscribe to _INBOX.
    connect_timeout: for the first connection. Later ones are tried again for ever.
    keep_bytes, keep_age, replicas, storage, retention, duplicate_window: of the stream that push makes; one
        that is there is used as it is. "limits": the oldest messages go when there is no room. "interest":
        each is kept until all pulls have it, and push waits when there is no room.
    message_bytes: as large as messages should become; the server's own limit goes before it.
    ack_timeout: without a sign of the other side for so long, a connection counts as lost.
    in_flight: messages that are on their way at once, per outlet and per inlet: the bound of their memory.

    Raises ValueError for what can't be, BadSetup for a context or a file that can't be used.
    """

    def __init__(
        self,
        subject: str,
        server: str | Sequence[str] | None = None,
        *,
        stream: str | None = None,
        context: str | None = None,
        creds: StrPath | None = None,
        nkey: StrPath | None = None,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        tls_ca: StrPath | None = None,
        tls_cert: StrPath | None = None,
        tls_key: StrPath | None = None,
        tls_hostname: str | None = None,
        tls_first: bool = False,
        domain: str | None = None,
        inbox_prefix: str | None = None,
        connect_timeout: float = 5.0,
        keep_bytes: int = 1 << 30,
        keep_age: float | None = None,
        replicas: int = 1,
        storage: Storage = "file",
        retention: Retention = "limits",
        duplicate_window: float = 120.0,
        message_bytes: int | None = None,
        ack_timeout: float = 10.0,
        in_flight: int = 8,
    ) -> None:
        if not SUBJECT.fullmatch(subject) or subject.startswith("$"):
            raise ValueError(f"{subject!r} is no subject: words with dots between them, and no wildcards")
        if stream is not None and not STREAM_NAME.fullmatch(stream):
            raise ValueError(f"{stream!r} is no name of a stream: no spaces, dots, slashes or wildcards")
        if storage not in ("file", "memory"):
            raise ValueError(f"storage is 'file' or 'memory', not {storage!r}")
        if retention not in ("limits", "interest"):
            raise ValueError(f"retention is 'limits' or 'interest', not {retention!r}")
        for name, value in (
            ("connect_timeout", connect_timeout),
            ("keep_bytes", keep_bytes),
            ("keep_age", 1 if keep_age is None else keep_age),
            ("replicas", replicas),
            ("duplicate_window", duplicate_window),
            ("message_bytes", 1 if message_bytes is None else message_bytes),
            ("ack_timeout", ack_timeout),
            ("in_flight", in_flight),
        ):
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, not {value!r}")
        given = {
            "creds": creds,
            "nkey": nkey,
            "user": user,
            "password": password,
            "token": token,
            "tls_ca": tls_ca,
            "tls_cert": tls_cert,
            "tls_key": tls_key,
            "tls_hostname": tls_hostname,
            "tls_first": tls_first or None,
            "domain": domain,
            "inbox_prefix": inbox_prefix,
        }
        access = access_of(server, context, given)
        self.settings = Settings(
            subject=subject,
            access=dataclasses.replace(access, connect_timeout=connect_timeout),
            stream=stream,
            keep_bytes=keep_bytes,
            keep_age=keep_age,
            replicas=replicas,
            storage=storage,
            retention=retention,
            duplicate_window=duplicate_window,
            message_bytes=MESSAGE_BYTES if message_bytes is None else message_bytes,
            ack_timeout=ack_timeout,
            in_flight=in_flight,
        )

    @property
    def address(self) -> str:
        """Servers and subject, without secrets."""
        return f"{self.settings.access.address}/{self.settings.subject}"

    def __repr__(self) -> str:
        return f"Nats({self.settings.subject!r}, {self.settings.access.address!r})"

    def outlet(self) -> NatsOutlet:
        """A new connection to send by. Raises ModuleNotFoundError without nats-py."""
        require_client()
        from ringlog.bridge.nats.outlet import NatsOutlet

        return NatsOutlet(self.settings)

    def inlet(self, target: str) -> NatsInlet:
        """A new connection to receive by. target: 32 hex digits that name the copy, always the same ones.

        Raises ModuleNotFoundError without nats-py, ValueError.
        """
        if not TARGET.fullmatch(target):
            raise ValueError(f"a target is 32 hex digits, not {target!r}")
        require_client()
        from ringlog.bridge.nats.inlet import NatsInlet

        return NatsInlet(self.settings, target)


def require_client() -> None:
    """Raises ModuleNotFoundError, with what to install, unless nats-py can be imported."""
    try:
        for name in ("nats", "nkeys"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"NATS needs {error.name}: pip install 'ringlog[nats]'", name=error.name
        ) from None
