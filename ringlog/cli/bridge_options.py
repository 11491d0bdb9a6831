"""The options that say which NATS server, as whom, and which subject: those of all of ``ringlog bridge``.

They have the names of the ``nats`` command's where it has them, and the same variables stand behind them.
Secrets are no values of options: everybody on the machine can read a command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ringlog.cli.bridge_errors import explained_bridge

if TYPE_CHECKING:
    from ringlog.bridge.nats import Nats

Function = TypeVar("Function", bound=Callable[..., Any])
FILE = click.Path(dir_okay=False)
WAYS = ("creds", "nkey", "user", "password", "token")  # to say who one is
_VARIABLES = (("creds",), ("nkey",), ("user", "password"), ("token",))

_OPTIONS = (
    click.option(
        "-s",
        "--server",
        metavar="URL",
        help="nats://host:port or tls://..., or several, with commas (or NATS_URL).",
    ),
    click.option("--subject", help="What the events go by there. [default: ringlog. and the file's name]"),
    click.option("--stream", help="The JetStream stream. [default: the one that has the subject]"),
    click.option("--context", envvar="NATS_CONTEXT", help="A context of the nats command (or NATS_CONTEXT)."),
    click.option("--creds", type=FILE, help="A file of credentials (or NATS_CREDS)."),
    click.option("--nkey", type=FILE, help="A file with an nkey's seed (or NATS_NKEY)."),
    click.option("--user", help="A user's name (or NATS_USER)."),
    click.option("--password", is_flag=True, help="Ask for the user's password (or NATS_PASSWORD)."),
    click.option("--token", is_flag=True, help="Ask for a token (or NATS_TOKEN)."),
    click.option(
        "--tls-ca", type=FILE, envvar="NATS_CA", help="Who signs servers' certificates, as PEM (or NATS_CA)."
    ),
    click.option(
        "--tls-cert", type=FILE, envvar="NATS_CERT", help="Our own certificate, as PEM (or NATS_CERT)."
    ),
    click.option("--tls-key", type=FILE, envvar="NATS_KEY", help="Its key, as PEM (or NATS_KEY)."),
    click.option("--tls-hostname", metavar="NAME", help="The name that the server's certificate has."),
    click.option("--tls-first", is_flag=True, help="TLS from the first byte, before the server says a word."),
    click.option("--domain", help="Of JetStream, behind a leaf node."),
)


def connection_options(function: Function) -> Function:
    """Give a verb these options; `transport_of` makes a transport of their values."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def new_stream_option(what: str) -> Callable[[Function], Function]:
    """What to do where the other side has another stream."""
    return click.option(
        "--new-stream",
        type=click.Choice(["refuse", "replace"]),
        default="refuse",
        show_default=True,
        help=f"If {what} is of another stream: end with an error, or give it up for the new one.",
    )


def transport_of(subject: str, connection: dict[str, Any], **settings: Any) -> Nats:
    """The transport that these options name. connection: their values; settings: what else `Nats` takes.

    Asks for a password or token where it is to. Raises click.UsageError and Failure.
    """
    from ringlog.bridge.nats import Nats

    values = {name: value for name, value in connection.items() if name not in (*WAYS, "subject")}
    values |= _credentials(connection) | settings
    try:
        with explained_bridge():
            return Nats(connection["subject"] or subject, **values)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def names_a_server(connection: dict[str, Any]) -> bool:
    """Was a server named, or anything that only makes sense with one?"""
    words = ("server", "context", "tls_ca", "tls_cert", "tls_key", "tls_hostname", "tls_first", "domain")
    return bool(os.environ.get("NATS_URL")) or any(connection[word] for word in (*words, *WAYS))


def _credentials(connection: dict[str, Any]) -> dict[str, str | None]:
    """By the options; or else by the first of the variables that are set."""
    given = {name: connection[name] for name in ("creds", "nkey", "user")}
    if any(connection[name] for name in WAYS):
        for name in ("password", "token"):
            if connection[name]:
                given[name] = _secret(name)
        if connection["user"] and not connection["password"]:
            given["password"] = os.environ.get("NATS_PASSWORD")
        if connection["password"] and not connection["user"]:
            given["user"] = os.environ.get("NATS_USER")
        return given
    for names in _VARIABLES:
        found = {name: os.environ.get(f"NATS_{name.upper()}") or None for name in names}
        if any(found.values()):
            return found
    return {}


def _secret(name: str) -> str:
    """Asked for at the terminal, and not shown; the variable's value where there is none to ask at."""
    variable = f"NATS_{name.upper()}"
    if value := os.environ.get(variable):
        return value
    try:
        with open("/dev/tty", "rb"):
            pass
    except OSError:
        raise click.UsageError(f"there is no terminal to ask for the {name} at: set {variable}") from None
    return str(click.prompt(name.capitalize(), hide_input=True, err=True))
