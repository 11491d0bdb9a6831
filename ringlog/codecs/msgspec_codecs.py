"""JSON and MessagePack by msgspec: plain bytes on the wire, checked against a type when they are decoded."""

from __future__ import annotations

from inspect import isclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, get_args, overload

try:
    import msgspec
except ModuleNotFoundError as error:
    raise ImportError(
        "JsonCodec and MessagePackCodec need msgspec: pip install 'ringlog[msgspec]'"
    ) from error

from ringlog.codecs.codec import foreign

if TYPE_CHECKING:
    from typing_extensions import Buffer

T = TypeVar("T")


class _Encoder(Protocol):
    def encode(self, obj: Any, /) -> bytes: ...


class _Decoder(Protocol):
    def decode(self, buf: bytes, /) -> Any: ...


class _MsgspecCodec(Generic[T]):
    """What the two have in common: an encoder and a decoder made once, and the type."""

    __slots__ = ("_decoder", "_encoder", "_expected", "_type")
    _language: ClassVar[str]

    def __init__(self, type: Any, encoder: _Encoder, decoder: _Decoder) -> None:
        self._type = type
        self._encoder = encoder
        self._decoder = decoder
        plain = isclass(type) and not get_args(type)
        self._expected = f"{self._language} of {type.__qualname__ if plain else type}"

    @property
    def type(self) -> Any:
        """The type that decode gives and checks."""
        return self._type

    def encode(self, value: T) -> tuple[bytes]:
        """Return the value's bytes, in one part. Its type is not checked here: that is done by decode.

        Raises TypeError, ValueError or OverflowError for what this format can't hold.
        """
        return (self._encoder.encode(value),)

    def decode(self, data: Buffer) -> T:
        """Return the value. Raises CodecError, with msgspec's own words, if it isn't of the type."""
        # msgspec looks at some bytes twice, so they must not change between: memory of the ring may.
        owned = data if isinstance(data, bytes) else bytes(data)
        try:
            value: T = self._decoder.decode(owned)
        except Exception as error:  # MsgspecError, UnicodeDecodeError, RecursionError, a type's own checks
            raise foreign(self._expected, owned, error) from error
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self._type,)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self._type!r})"


class JsonCodec(_MsgspecCodec[T]):
    """JSON (UTF-8, no byte order mark, no newline) of one type that msgspec knows; any program can read it.

    type: what decode gives and checks: a msgspec.Struct, dataclass, TypedDict, `list[int]`, a union and so
    on; `Any` checks nothing and gives dicts, lists, str, int, float, bool and None. Pickles if the type does.

    Raises TypeError for a type that msgspec doesn't take, ImportError without msgspec.
    """

    __slots__ = ()
    _language = "JSON"

    @overload
    def __init__(self: JsonCodec[Any]) -> None: ...
    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self: JsonCodec[Any], type: Any) -> None: ...
    def __init__(self, type: Any = Any) -> None:
        super().__init__(type, msgspec.json.Encoder(), msgspec.json.Decoder(type))


class MessagePackCodec(_MsgspecCodec[T]):
    """MessagePack of one type that msgspec knows; any program can read it. Everything else as JsonCodec."""

    __slots__ = ()
    _language = "MessagePack"

    @overload
    def __init__(self: MessagePackCodec[Any]) -> None: ...
    @overload
    def __init__(self, type: type[T]) -> None: ...
    @overload
    def __init__(self: MessagePackCodec[Any], type: Any) -> None: ...
    def __init__(self, type: Any = Any) -> None:
        super().__init__(type, msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(type))
