"""Without numpy or msgspec: everything else works, and the error says what to install."""

from __future__ import annotations

import pytest
from processes import run

BLOCKED = """
import importlib.abc

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, where=None, target=None):
        if name.partition(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def test_importing_it_imports_neither() -> None:
    said = run(
        """
        import ringlog.codecs
        ringlog.codecs.PickleCodec, ringlog.codecs.TypedWriter, ringlog.codecs.TypedReader
        say([name for name in ("numpy", "msgspec") if name in sys.modules])
        """
    )
    assert said.strip() == "[]"


@pytest.mark.parametrize(
    ("missing", "name"),
    [("numpy", "ArrayCodec"), ("msgspec", "JsonCodec"), ("msgspec", "MessagePackCodec")],
)
def test_the_error_names_the_extra(ring_path: str, missing: str, name: str) -> None:
    said = run(
        BLOCKED
        + f"""
import ringlog.codecs
try:
    from ringlog.codecs import {name}
except ImportError as error:
    say(error)
""",
        ring_path,
        missing,
    )
    assert f"ringlog[{missing}]" in said


def test_pickles_need_neither(ring_path: str) -> None:
    said = run(
        BLOCKED
        + """
from ringlog.codecs import PickleCodec, TypedReader, TypedWriter
with TypedWriter(ringlog.Writer(path, capacity=65536), PickleCodec()) as writer:
    writer.append({"a": 1})
    with TypedReader(ringlog.Reader(path, start="oldest"), PickleCodec()) as reader:
        say(reader.poll().value)
""",
        ring_path,
        "numpy,msgspec",
    )
    assert said.strip() == "{'a': 1}"


def test_each_needs_only_its_own(ring_path: str) -> None:
    run(BLOCKED + "from ringlog.codecs import ArrayCodec; ArrayCodec()", ring_path, "msgspec")
    run(BLOCKED + "from ringlog.codecs import JsonCodec; JsonCodec()", ring_path, "numpy")


def test_another_name_is_an_attribute_error() -> None:
    import ringlog.codecs

    with pytest.raises(AttributeError, match="Nothing"):
        _ = ringlog.codecs.Nothing
