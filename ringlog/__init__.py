"""One writer, many readers, one machine: a shared-memory event ring with a native core."""

from ringlog._core import Claim, View
from ringlog.batch import Batch
from ringlog.describe import info
from ringlog.errors import (
    ClosedError,
    CorruptStream,
    EventTooLarge,
    NameInUse,
    NotARing,
    Overrun,
    RingFull,
    RinglogError,
    RingRemoved,
    StreamEnded,
    StreamTruncated,
    TooManyReaders,
    VersionMismatch,
    WriterBusy,
)
from ringlog.events import Event, ReaderInfo, Repair, Report, RingInfo, WriterInfo
from ringlog.include import get_include
from ringlog.log import LogReader, LogWriter, follow, record
from ringlog.reader import Reader
from ringlog.repairing import repair
from ringlog.ring import create, forget, unlink
from ringlog.verifying import verify
from ringlog.writer import Writer

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Claim",
    "ClosedError",
    "CorruptStream",
    "Event",
    "EventTooLarge",
    "LogReader",
    "LogWriter",
    "NameInUse",
    "NotARing",
    "Overrun",
    "Reader",
    "ReaderInfo",
    "Repair",
    "Report",
    "RingFull",
    "RingInfo",
    "RingRemoved",
    "RinglogError",
    "StreamEnded",
    "StreamTruncated",
    "TooManyReaders",
    "VersionMismatch",
    "View",
    "Writer",
    "WriterBusy",
    "WriterInfo",
    "__version__",
    "create",
    "follow",
    "forget",
    "get_include",
    "info",
    "record",
    "repair",
    "unlink",
    "verify",
]
