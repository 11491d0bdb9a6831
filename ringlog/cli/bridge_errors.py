"""What is said, and which exit code there is, when something goes wrong between two machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ringlog.bridge import errors
from ringlog.cli.errors import ExitCode, Failure, explained_file

_CODES: tuple[tuple[type[errors.BridgeError], ExitCode], ...] = (
    (errors.NotAuthorized, ExitCode.REFUSED),
    (errors.BadMessage, ExitCode.BAD_DATA),
    (errors.MessageTooLarge, ExitCode.BAD_DATA),
    (errors.BridgeError, ExitCode.FAILED),
)
_OF_THE_SERVER = (errors.ConnectFailed, errors.NotAuthorized, errors.BadSetup)


@contextmanager
def explained_bridge(path: str | None = None) -> Iterator[None]:
    """Turn what a bridge raises into a `Failure`; path: the ring or log here, whose errors are told too.

    Without a path, what is no affair of the bridge goes on as it is.
    """
    try:
        if path is None:
            yield
        else:
            with explained_file(path), _bridge_first(path):
                yield
    except errors.BridgeError as error:
        raise explain_bridge(path, error) from error
    except ModuleNotFoundError as error:
        raise Failure(str(error).replace("'ringlog[nats]'", "'ringlog[cli,nats]'")) from error


@contextmanager
def _bridge_first(path: str) -> Iterator[None]:
    """Errors of the bridge are also of kinds that the ring's are."""
    try:
        yield
    except errors.BridgeError as error:
        raise explain_bridge(path, error) from error


def explain_bridge(path: str | None, error: errors.BridgeError) -> Failure:
    """The sentence and the exit code. Those about the server name it themselves."""
    code = next(code for kind, code in _CODES if isinstance(error, kind))
    text = str(error)
    if path is None or isinstance(error, _OF_THE_SERVER) or text.startswith(path):
        return Failure(text, code)
    return Failure(f"{path}: {text}", code)
