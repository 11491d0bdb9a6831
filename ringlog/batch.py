"""Batch: the columns are native; what needs numpy, or a word to a person, is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ringlog import _core

if TYPE_CHECKING:
    import numpy.typing


class Batch(_core.Batch):
    """Events in a row as columns over one block of memory: what `Reader.read_batch` returns.

    sequences, timestamps, sizes, offsets and data are read-only memoryviews, which numpy.asarray takes
    without a copy: event k has sizes[k] bytes from offsets[k] on in `data`. The memory lives as long as
    anything looks at it, also when the Batch is gone, the Reader is closed and the ring removed.

    It is a sequence too: len(), indexing and iteration give Events (copies), a slice a list of them;
    an empty one is false. Arrow takes it without a copy, by the PyCapsule interface: pyarrow.table(batch),
    polars.DataFrame(batch), with the fields sequence, timestamp and data.
    """

    __slots__ = ("__weakref__",)

    def to_numpy(self, dtype: numpy.typing.DTypeLike) -> numpy.typing.NDArray[Any]:
        """The data as a read-only array that shares this Batch's memory, for events of one size.

        Events as large as one item of `dtype` give the shape (n,), events of k items (n, k); no events
        give (0,). Raises ValueError if the events have several sizes, or one that is no multiple of the
        item's, or if the dtype has objects or no size; ImportError without numpy.
        """
        try:
            import numpy
        except ImportError as error:
            raise ImportError(f"to_numpy needs numpy: pip install 'ringlog[numpy]' ({error})") from error
        kind = numpy.dtype(dtype)
        if kind.hasobject:
            raise ValueError(f"bytes can't be objects: {kind!r}")
        if kind.itemsize == 0:
            raise ValueError(f"{kind!r} has no size")
        if not self:
            return numpy.frombuffer(b"", kind)
        sizes = numpy.asarray(self.sizes)
        smallest, largest = int(sizes.min()), int(sizes.max())
        if smallest != largest:
            raise ValueError(f"the events have several sizes, from {smallest} to {largest} bytes")
        if smallest == 0 or smallest % kind.itemsize:
            raise ValueError(f"the events have {smallest} bytes, an item of {kind!r} has {kind.itemsize}")
        items = numpy.frombuffer(self.data, kind)
        return items if smallest == kind.itemsize else items.reshape(len(self), -1)

    def __repr__(self) -> str:
        if not self:
            return "<ringlog.Batch of no events>"
        first, count = self.sequences[0], len(self)
        size = self.data.nbytes
        return f"<ringlog.Batch of {count} events from sequence {first}, {size} bytes of data>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Batch can't be pickled: send list(batch), or its columns as bytes")
