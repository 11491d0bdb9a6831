"""docs/memory-order.md names every pair of atomics. It and the code must speak of the same ones."""

from __future__ import annotations

import re
from functools import cache

import pytest
from page_blocks import DOCS

pytestmark = pytest.mark.once
NATIVE = DOCS.parent / "ringlog" / "_native"
PAGE = DOCS / "memory-order.md"
if not PAGE.exists() or not NATIVE.exists():
    pytest.skip("the tests stand alone: no docs, or no sources", allow_module_level=True)

INSTRUCTIONS = {"stlr", "ldar"}  # of Arm, and not ours
ORDERED = re.compile(
    r"\bRL_(?:LOAD_ACQUIRE|STORE_RELEASE|FENCE_\w+)\(|\b__ATOMIC_(?:ACQUIRE|RELEASE|ACQ_REL)\b"
)
FUNCTION = re.compile(r"^(?:[a-z_]\w* |[a-z_]\w* \*)*\*?(?P<name>[a-z_]\w+)\((?!.*;\s*$)")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
SHORT = ("rl_mapping_", "rl_reader_", "mapping_")  # what the page leaves out of a name


@cache
def sources() -> dict[str, str]:
    return {str(path.relative_to(NATIVE)): path.read_text() for path in sorted(NATIVE.rglob("*.[ch]"))}


@cache
def identifiers() -> frozenset[str]:
    """Every name in the code, comments left out."""
    code = " ".join(COMMENT.sub(" ", text) for text in sources().values())
    return frozenset(re.findall(r"\w+", code))


@cache
def named() -> frozenset[str]:
    """What the page puts between backticks."""
    return frozenset(re.findall(r"`(\w+)(?:\(\))?`", PAGE.read_text()))


def exists(name: str) -> bool:
    return any(prefix + name in identifiers() for prefix in ("", *SHORT, "rl_"))


def ordered_functions() -> set[tuple[str, str]]:
    """(file, function) of every function with an acquire, a release or a fence in it."""
    found = set()
    for file, text in sources().items():
        inside = ""
        for line in COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text).splitlines():
            if match := FUNCTION.match(line):
                inside = match["name"]
            elif line.startswith("}"):
                inside = ""
            if inside and not line.startswith("#") and ORDERED.search(line):
                found.add((file, inside))
    return found


def test_what_the_page_names_is_in_the_code() -> None:
    assert len(named()) > 50
    assert [name for name in sorted(named()) if name not in INSTRUCTIONS and not exists(name)] == []


def test_every_function_with_an_order_is_on_the_page() -> None:
    functions = ordered_functions()
    assert len(functions) > 30
    # points.c is in the tests' build alone: what is ordered there is when a test lets a process go on.
    missing = {
        f"{file}: {function}"
        for file, function in functions
        if not file.startswith("points")
        and not any(function.removeprefix(prefix) in named() for prefix in ("", *SHORT))
    }
    assert missing == set()


def test_every_comment_names_a_partner_that_is_there() -> None:
    """`pairs with rl_something`: that function exists."""
    partners = []
    for file, text in sources().items():
        for comment in COMMENT.findall(text):
            if found := re.search(r"[Pp]airs? with(?P<whom>.*)", comment, re.S):
                partners += [(file, name) for name in re.findall(r"\brl_\w+", found["whom"])]
    assert len(partners) > 20
    assert [partner for partner in partners if partner[1] not in identifiers()] == []
