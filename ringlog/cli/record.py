"""``ringlog record``: a ring's events into a log, as they come."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

import ringlog
from ringlog.cli import output
from ringlog.cli.errors import (
    ExitCode,
    Failure,
    Terminated,
    code_of,
    explain,
    explained,
    explained_log,
)
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, Seconds, Size, Sync, SyncPolicy
from ringlog.log.recording import NOTICES


@click.command(
    "record",
    short_help="Copy the stream of the ring at PATH into LOG, as it comes.",
    epilog=manual(
        ("ringlog record /dev/shm/ticks /var/log/ticks", "until the stream ends"),
        ("ringlog record /dev/shm/ticks log --keep-size 50G", "the newest 50 GiB"),
        ("ringlog record /dev/shm/ticks log --no-follow -v", "what is there now"),
        codes=(*DATA_CODES, ExitCode.WAITED),
    ),
)
@click.argument("path", type=RING)
@click.argument("log", type=RING)
@click.option("--name", default="recorder", show_default=True, help="Of the reader that the ring waits for.")
@click.option("--lossy", is_flag=True, help="The ring does not wait: what is missed is a gap in the log.")
@click.option(
    "--segment", type=Size(), default="1G", show_default=True, help="A new file when one is so large."
)
@click.option("--keep-size", type=Size(), help="Remove the oldest files while all are larger than this.")
@click.option("--keep-age", type=Seconds(), help="Remove files whose events are all older than this.")
@click.option("--keep-files", type=click.IntRange(min=1), help="Remove the oldest files over this number.")
@click.option(
    "--sync",
    type=Sync(),
    default="none",
    show_default=True,
    help="When events are forced to disk: none (as the system likes), always (each run), or a span.",
)
@click.option("--no-verify", is_flag=True, help="Do not check the events' checksums on the way.")
@click.option("--no-follow", is_flag=True, help="Stop after what is there now.")
@click.option("-v", "--verbose", is_flag=True, help="Sum up on standard error at the end.")
@output.json_option
def command(
    path: str,
    log: str,
    name: str,
    lossy: bool,
    segment: int,
    keep_size: int | None,
    keep_age: float | None,
    keep_files: int | None,
    sync: SyncPolicy,
    no_verify: bool,
    no_follow: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Copy the stream of the ring at PATH into LOG, a directory of files, until the stream ends.

    Goes on where LOG ended: nothing is recorded twice, and what the ring still holds is not missed. Stop it
    with Ctrl-C; kill it if you like, and start it again.
    """
    with explained(path):
        ringlog.info(path)
    progress = Progress(log, None, wanted=not no_follow)
    stopped = False
    NOTICES.addHandler(_Shown(progress))
    NOTICES.propagate = False
    with explained_log(log), _ring_named(path), closing(progress):
        try:
            ringlog.record(
                path,
                log,
                name=name,
                segment_bytes=segment,
                sync=sync,
                stop=(lambda: True) if no_follow else None,
                lossless=not lossy,
                verify=not no_verify,
                keep_bytes=keep_size,
                keep_age=keep_age,
                keep_segments=keep_files,
                progress=progress.update,
            )
        except (KeyboardInterrupt, Terminated):
            stopped = True
            raise
        finally:
            if (stopped and not as_json) or verbose or progress.was_shown:
                progress.notice(f"{log}: {progress.summary()}")
            if as_json:
                output.print_json({"path": path, "log": log, **progress.figures(), "stopped": stopped})
    if verbose:
        output.say(f"{log}: the stream has ended" if not no_follow else f"{log}: done")


@contextmanager
def _ring_named(path: str) -> Iterator[None]:
    """A place among the ring's readers that can't be had is the ring's affair, not the log's."""
    try:
        yield
    except (ringlog.NameInUse, ringlog.TooManyReaders) as error:
        raise explain(path, error) from error
    except PermissionError as error:
        if error.filename == os.path.abspath(path):
            raise Failure(f"{path}: {error.strerror} (or record with --lossy)", code_of(error)) from error
        raise


class _Shown(logging.Handler):
    """What the recording has to say, on standard error beside its progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.notice(record.getMessage())
