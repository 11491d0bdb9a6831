"""Typed values through a ring: small, optional adapters around bytes.

`Writer.append` takes bytes. `TypedWriter(writer, codec)` and `TypedReader(reader, codec)` take and give
values instead: `PickleCodec` for anything that pickles, `JsonCodec` and `MessagePackCodec` for msgspec's
types, `ArrayCodec` for numpy arrays, or a `Codec` of your own. An event that is not what the codec
expects is a `CodecError`.

Importing this package imports neither numpy nor msgspec; the codec that needs one raises ImportError if
it is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringlog.codecs.codec import Codec, CodecError
from ringlog.codecs.decoded import Decoded
from ringlog.codecs.pickle_codec import PickleCodec
from ringlog.codecs.typed_reader import TypedReader
from ringlog.codecs.typed_view import TypedView
from ringlog.codecs.typed_writer import TypedWriter

if TYPE_CHECKING:
    from ringlog.codecs.array_codec import ArrayCodec
    from ringlog.codecs.msgspec_codecs import JsonCodec, MessagePackCodec

__all__ = [
    "ArrayCodec",
    "Codec",
    "CodecError",
    "Decoded",
    "JsonCodec",
    "MessagePackCodec",
    "PickleCodec",
    "TypedReader",
    "TypedView",
    "TypedWriter",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    """The codecs that need another package are imported when they are first asked for."""
    if name == "ArrayCodec":
        from ringlog.codecs.array_codec import ArrayCodec

        return ArrayCodec
    if name in ("JsonCodec", "MessagePackCodec"):
        from ringlog.codecs import msgspec_codecs

        return getattr(msgspec_codecs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
