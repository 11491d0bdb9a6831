"""Every way a command can end: the exit codes, and what is said about an error.

The rest of the command line raises; this module alone decides which exit code and which sentence
an exception becomes.
"""

from __future__ import annotations

import enum
import errno
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ringlog


class ExitCode(enum.IntEnum):
    """The one table of exit codes; ``MEANINGS`` is its text in ``ringlog --help``."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_RING = 3
    REFUSED = 4
    BAD_DATA = 5
    WAITED = 6
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done; for tail also: the stream has ended, or there is nothing more",
    ExitCode.FAILED: "failed for a reason that is not below; for doctor: problems were found",
    ExitCode.USAGE: "usage: an option or a value is wrong",
    ExitCode.NO_RING: "no such ring, removed, not a ring, or of another version",
    ExitCode.REFUSED: "refused by the system: permission, no space, no memory",
    ExitCode.BAD_DATA: "bad data: a line too large, a damaged or truncated ring or log",
    ExitCode.WAITED: "waited in vain: timeout, ring full, name in use, no reader slot",
    ExitCode.INTERRUPTED: "Ctrl-C",
    ExitCode.CLOSED_PIPE: "nobody reads the output any more",
    ExitCode.TERMINATED: "terminated (SIGTERM)",
}

_REFUSED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
}


class Failure(Exception):
    """Ends the command: what to say, and the exit code."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class ClosedPipe(Exception):
    """Nobody reads standard output any more."""


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt, not something that ``except Exception`` may stop."""


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what the library or the system raises about the ring at ``path`` into a `Failure`."""
    try:
        yield
    except (ringlog.RinglogError, OSError, ValueError) as error:
        raise explain(path, error) from error


@contextmanager
def explained_file(path: str) -> Iterator[None]:
    """The same about a path that may be a ring or a log: making a ring there would help nobody."""
    try:
        with explained(path):
            yield
    except Failure as failure:
        if isinstance(failure.__cause__, FileNotFoundError) and Path(path).parent.is_dir():
            raise _about(path, "no such ring or log", ExitCode.NO_RING) from failure.__cause__
        raise


@contextmanager
def explained_log(path: str, file: str | None = None) -> Iterator[None]:
    """The same about the log at ``path``, and about the file that it is exported to or imported from."""
    try:
        yield
    except (ringlog.RinglogError, OSError, ValueError) as error:
        if file is not None and isinstance(error, OSError) and error.filename == file:
            raise _file_error(file, error) from error
        raise explain_log(path, error) from error


def explain_log(path: str, error: Exception) -> Failure:
    """The sentence and the exit code for ``error``, which concerns the log at ``path``."""
    text = _without_path(str(error), path)
    match error:
        case ringlog.NotARing():
            return _about(path, text if "not a log" in text else f"not a log ({text})", ExitCode.NO_RING)
        case ringlog.WriterBusy():
            return _about(path, text, ExitCode.WAITED)
        case FileNotFoundError():
            folder = Path(path).parent
            text = "no such log" if folder.is_dir() else f"no such directory: {folder}"
            return _about(path, text, ExitCode.NO_RING)
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EEXIST):
            return _file_error(path, error)
    return explain(path, error)


def _file_error(path: str, error: OSError) -> Failure:
    """What the system says about a file that is no ring."""
    reason = (error.strerror or str(error)).lower()
    code = code_of(error)
    folder = Path(path).parent
    if error.errno == errno.ENOENT:
        reason = "no such file" if folder.is_dir() else f"no such directory: {folder}"
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason = _permissions(path, reason)
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = _space(folder, reason)
    return _about(path, reason, code)


def explain(path: str, error: Exception) -> Failure:
    """The sentence and the exit code for ``error``, which concerns the ring at ``path``."""
    text = _without_path(str(error), path)
    match error:
        case ringlog.NotARing():
            if _is_log(path):
                text = f"a log, not a ring (its events: ringlog cat {shlex.quote(path)})"
            return _about(path, text if "not a ring" in text else f"not a ring ({text})", ExitCode.NO_RING)
        case ringlog.VersionMismatch():
            return _about(path, text, ExitCode.NO_RING)
        case ringlog.RingRemoved():
            return _about(path, text, ExitCode.NO_RING)
        case ringlog.CorruptStream() | ringlog.StreamTruncated():
            return _about(path, f"damaged: {text}", ExitCode.BAD_DATA)
        case ringlog.EventTooLarge():
            return _about(path, text, ExitCode.BAD_DATA)
        case ringlog.WriterBusy():
            return _about(path, f"{text} (who writes: ringlog info {shlex.quote(path)})", ExitCode.WAITED)
        case ringlog.RingFull() | ringlog.NameInUse() | ringlog.TooManyReaders():
            return _about(path, f"{text} (who reads: ringlog info {shlex.quote(path)})", ExitCode.WAITED)
        case ringlog.RinglogError():
            return _about(path, text, ExitCode.FAILED)
        case TimeoutError():
            return _about(path, text or "timed out", ExitCode.WAITED)
        case OSError():
            return _system_error(path, error)
        case _:
            return _about(path, text, ExitCode.USAGE)


def _is_log(path: str) -> bool:
    """Does it look like one?"""
    try:
        return path.endswith(".events") or any(name.endswith(".events") for name in os.listdir(path))
    except OSError:
        return False


def code_of(error: OSError) -> ExitCode:
    """Whether the system refused, as against something that went wrong."""
    return ExitCode.REFUSED if error.errno in _REFUSED else ExitCode.FAILED


def _system_error(path: str, error: OSError) -> Failure:
    reason = error.strerror or str(error)
    code = code_of(error)
    folder = Path(path).parent
    if error.errno == errno.ENOENT:
        if not folder.is_dir():
            return _about(path, f"no such directory: {folder}", ExitCode.NO_RING)
        hint = f"create it: ringlog create {shlex.quote(path)}"
        return _about(path, f"no such ring ({hint})", ExitCode.NO_RING)
    if error.errno == errno.EEXIST and Path(path).is_dir():
        return _about(path, "a directory, where a ring cannot be", code)
    if error.errno == errno.EEXIST:
        try:
            ringlog.info(path)
        except (ringlog.NotARing, OSError):
            return _about(path, "exists already, and is not a ring: choose another path", code)
        except ringlog.RinglogError:
            pass  # a ring, if a damaged one
        return _about(path, "exists already (take it as it is: --exist-ok; remove it: ringlog rm)", code)
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return _about(path, reason.lower(), ExitCode.NO_RING)
    if error.errno in (errno.EACCES, errno.EPERM):
        return _about(path, _permissions(path, reason), code)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _about(path, _space(folder, reason, "; a smaller ring: --capacity"), code)
    return _about(path, reason, code)


def _permissions(path: str, reason: str) -> str:
    """``reason``, and whose file it is: the two facts that tell what to change."""
    try:
        status = Path(path).stat()
    except OSError:
        return f"{reason.lower()} (the directory does not let you in, or does not let you create)"
    try:
        owner = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        owner = str(status.st_uid)
    mode = stat.S_IMODE(status.st_mode)
    return f"{reason.lower()} (owner {owner}, mode {mode:04o}; reading needs r, writing needs rw)"


def _space(folder: Path, reason: str, advice: str = "") -> str:
    try:
        space = os.statvfs(folder)
    except OSError:
        return reason.lower()
    free = space.f_bavail * space.f_frsize
    return f"{reason.lower()} ({folder} has {free >> 10} KiB free{advice})"


def _about(path: str, text: str, code: ExitCode) -> Failure:
    return Failure(f"{path}: {text}", code)


def _without_path(text: str, path: str) -> str:
    """The library begins many messages with the whole path; here the path as it was given comes first."""
    for name in (path, str(Path(path).absolute())):
        for end in (": ", " "):
            text = text.removeprefix(name + end)
    return text
