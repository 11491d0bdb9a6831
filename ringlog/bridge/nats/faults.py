"""What NATS and its client say when something fails, in words and errors of the bridge."""

from __future__ import annotations

import asyncio
import socket
import ssl

import nats.errors
from nats.js.errors import APIError, ServiceUnavailableError

from ringlog.bridge.errors import (
    BadSetup,
    BridgeError,
    ConnectFailed,
    Full,
    Interrupted,
    MessageTooLarge,
    NotAuthorized,
)

# Codes of the JetStream API.
WRONG_LAST = (10070, 10071, 10164)
NO_ROOM = (10002, 10023, 10028, 10047, 10077)
TOO_LARGE = (10054,)
ID_ON_ITS_WAY = 10158  # a message of this id is not kept yet
NOT_NOW = (10060, ID_ON_ITS_WAY, 10167)  # or another stream has the subject now; or there are too many
NO_JETSTREAM = (10039, 10076)
NO_STREAM = 10059
NO_MESSAGE = 10037
NAME_IN_USE = 10058
REFUSED = ("authorization violation", "authentication", "permissions violation", "no authority")


def is_refusal(error: BaseException) -> bool:
    """Is it about who one is, or what one may do?"""
    text = str(error).lower()
    if "timeout" in text:  # "authentication timeout": a server that has too much to do
        return False
    return isinstance(error, nats.errors.AuthorizationError | NotAuthorized) or any(
        word in text for word in REFUSED
    )


def is_denied(error: BaseException) -> bool:
    """May this user not publish or subscribe somewhere?"""
    return "permissions violation" in str(error).lower()


def words(error: BaseException) -> str:
    """What is said of itself, without the client's name in front of it."""
    text = str(error).removeprefix("nats: ").strip("'") or type(error).__name__
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def of_connecting(error: BaseException, address: str, timeout: float) -> BridgeError:
    """Why a connection can't be made, as a sentence for a person."""
    if isinstance(error, BridgeError):
        return error
    if is_refusal(error):
        return NotAuthorized(
            f"{address} refuses these credentials ({words(error)}):"
            " check user, password, token, nkey or creds"
        )
    if isinstance(error, ConnectionRefusedError):
        return ConnectFailed(f"{address}: connection refused; is a NATS server running there, on this port?")
    if isinstance(error, socket.gaierror):
        return ConnectFailed(f"{address}: no such host ({error.strerror}); check the name")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectFailed(
            f"{address}: its certificate is not trusted ({error.verify_message});"
            " check tls_ca and tls_hostname"
        )
    if isinstance(error, ssl.SSLError):
        return ConnectFailed(
            f"{address}: TLS failed ({error.reason or error});"
            " check that it wants TLS (and tls_first or not), tls_cert and tls_key"
        )
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return ConnectFailed(
            f"{address}: no answer within {timeout:g} s;"
            " check host and port, and whether a firewall is between"
        )
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return ConnectFailed(
            f"{address}: it closed the connection during the greeting;"
            " check tls_cert and tls_key, and the server's log"
        )
    if any(word in str(error) for word in ("expecting INFO", "json parse", "not enough values")):
        return ConnectFailed(
            f"{address}: what answers there is no NATS server, or wants TLS first (tls_first)"
        )
    if isinstance(error, OSError):
        return ConnectFailed(f"{address}: {error.strerror or error}")
    return ConnectFailed(f"{address}: {words(error)}")


def of_silence(address: str, what: str) -> Interrupted:
    """A server that answers, but says nothing of a message: neither that it is kept, nor that it is not."""
    return Interrupted(
        f"{address} says nothing of a message that was sent ({what}); if its log tells of a full disk"
        " (no space left), make room and start it again"
    )


def of_request(error: BaseException, address: str) -> BridgeError:
    """Why a request to JetStream failed. Whether something was not found is the caller's to look at first."""
    if isinstance(error, BridgeError):
        return error
    if isinstance(error, APIError):
        code = error.err_code
        said = f"{error.description or 'no reason given'} ({code})"
        if code in NO_JETSTREAM:
            return BadSetup(
                f"{address} has no JetStream for this account: start nats-server with -js, or enable it"
            )
        if code in NO_ROOM:
            return Full(f"{address}: {said}")
        if code in WRONG_LAST:
            return Interrupted(
                f"{address}: the newest message is not the one that was sent before ({said});"
                " does somebody else write to this JetStream stream, or has it lost messages?"
            )
        if code in TOO_LARGE:
            return MessageTooLarge(f"{address}: {said}")
        if code in NOT_NOW:
            return Interrupted(f"{address} can't take this now: {said}")
        if isinstance(error, ServiceUnavailableError) or error.code in (500, 503):
            return Interrupted(f"{address} can't answer now: {said}")
        return BadSetup(f"{address}: {said}")
    if isinstance(error, nats.errors.NoRespondersError):
        return Interrupted(f"{address}: nobody takes this message: is its stream gone?")
    if isinstance(error, asyncio.TimeoutError | TimeoutError):
        return Interrupted(f"{address} gave no answer in time")
    return Interrupted(f"{address}: {words(error)}")
