"""What can go wrong, each with its own name. All are `RinglogError`."""

from __future__ import annotations


class RinglogError(Exception):
    """The base of every error that ringlog itself defines."""


class NotARing(RinglogError, ValueError):
    """The path names something that is not a ring: a directory, an empty file, another kind of file."""


class VersionMismatch(RinglogError):
    """A ring of a format version, or with a feature, that this release does not know."""


class CorruptStream(RinglogError):
    """Bytes that contradict themselves: a checksum, a size, a header. Nothing of them was returned.

    A reader stays where it is until `seek()`.
    """


class StreamTruncated(RinglogError):
    """The file is shorter than its header says: somebody cut it."""


class StreamEnded(RinglogError, EOFError):
    """`Writer.end()` was called and everything before it was read. A later Writer may go on."""


class Overrun(RinglogError):
    """The writer overwrote events that this reader had not read.

    Attributes: `first` and `last`, the sequences lost, both included, and their `count`. The reader
    stands at the oldest event that is intact: go on reading, or `seek()`.
    """

    def __init__(self, first: int, last: int) -> None:
        super().__init__(first, last)
        self.first = first
        self.last = last
        self.count = last - first + 1

    def __str__(self) -> str:
        events = "event" if self.count == 1 else "events"
        return f"{self.count} {events} lost: sequences {self.first} to {self.last} were overwritten unread"


class RingRemoved(RinglogError):
    """The ring was unlinked. Readers get this once they have read what was published."""


class WriterBusy(RinglogError, TimeoutError):
    """The write lock was not free within the timeout; the message names who holds it."""


class RingFull(RinglogError, TimeoutError):
    """A lossless reader did not make room within the timeout; the message names it."""


class NameInUse(RinglogError):
    """A live reader already has this name."""


class TooManyReaders(RinglogError):
    """Every reader slot is taken by a live lossless reader or a kept name."""


class EventTooLarge(RinglogError, ValueError):
    """An event, or a batch, with its entries is larger than half the ring's capacity."""


class ClosedError(RinglogError):
    """The object was closed, or belongs to the process that this one was forked from."""
