"""The reference has every public name, and every public name says what it does."""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections import Counter

import pytest
from page_blocks import DOCS

import ringlog
import ringlog.bridge
import ringlog.codecs
import ringlog.logging
import ringlog.observing
import ringlog.testing

REFERENCE = DOCS / "reference"
MODULES = (ringlog, ringlog.bridge, ringlog.codecs, ringlog.logging, ringlog.observing, ringlog.testing)
PLAIN = {"__version__", "SHARED_MEMORY", "Severity"}  # values: what they are stands where they are used
PUBLIC = [f"{module.__name__}.{name}" for module in MODULES for name in module.__all__ if name not in PLAIN]
# What Python gives every class of that kind, or what the class itself describes.
DESCRIBED_BY_THE_CLASS = {
    "Figures", "RingInfo", "WriterInfo", "ReaderInfo", "Report", "Repair", "ProcessSample", "ReaderSample",
    "RingSample", "Sample", "WriterSample", "BridgeSample",
}  # fmt: skip


def public(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(sys.modules[module], last)


@pytest.mark.once
def test_each_public_name_is_there_once() -> None:
    if not REFERENCE.is_dir():
        pytest.skip("no docs here: the tests stand alone")
    there = Counter(
        re.findall(r"^::: (\S+)$", "".join(page.read_text() for page in REFERENCE.glob("*.md")), re.M)
    )
    assert there == Counter(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_says_what_it_does(name: str) -> None:
    found = public(name)
    assert inspect.getdoc(found), f"{name} has no docstring"
    if not inspect.isclass(found) or found.__name__ in DESCRIBED_BY_THE_CLASS:
        return
    own = [
        member
        for member in dir(found)
        if not member.startswith("_")
        and not hasattr(OSError, member)
        and not hasattr(tuple, member)
        and member not in vars(logging.Handler)
    ]
    silent = [member for member in own if not inspect.getdoc(inspect.getattr_static(found, member))]
    assert not silent, f"{name} has members without a docstring"


def test_every_wait_and_error_is_in_the_docstrings() -> None:
    """What can wait says for how long; what can fail says how."""
    for kind in (ringlog.Writer, ringlog.Reader, ringlog.LogWriter, ringlog.LogReader):
        for name in (
            "append",
            "append_many",
            "append_array",
            "claim",
            "sync",
            "end",
            "read",
            "poll",
            "seek",
            "commit",
        ):
            if (method := getattr(kind, name, None)) is not None:
                assert re.search(r"\bRaises\b|\braises as\b", inspect.getdoc(method) or ""), (
                    f"{kind.__name__}.{name}"
                )
        for name in ("append", "sync", "end", "read", "poll"):
            if (method := getattr(kind, name, None)) is not None:
                words = inspect.getdoc(method) or ""
                assert re.search(r"\b[Bb]locks\b|\b[Ww]ait", words), f"{kind.__name__}.{name}"
