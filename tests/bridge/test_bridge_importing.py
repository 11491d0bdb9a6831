"""`ringlog.bridge` has its names when they are asked for; who only looks at bridges does not pay for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from processes import Child

import ringlog.bridge

BOARDS = "ringlog.bridge ringlog.bridge.boards ringlog.bridge.figures"


@pytest.mark.parametrize(
    "module",
    ["ringlog.observing", "ringlog.cli.top", "ringlog.cli.doctor", "ringlog.cli.exporter", "ringlog.doctor"],
)
def test_who_looks_at_boards_imports_no_more(spawn: Callable[..., Child], module: str) -> None:
    child = spawn(
        f"""
        import {module}
        say(*sorted(name for name in sys.modules if name.startswith("ringlog.bridge")))
        say(*(name for name in ("asyncio", "ssl", "nats") if name in sys.modules))
        """
    )
    assert child.finish() == f"{BOARDS}\n\n"


def test_each_name_is_there_when_it_is_asked_for(spawn: Callable[..., Child]) -> None:
    child = spawn(
        """
        import ringlog.bridge
        from ringlog.bridge import *
        for name in ringlog.bridge.__all__:
            assert globals()[name] is getattr(ringlog.bridge, name)
            assert name in dir(ringlog.bridge)
        say(push.__module__, Nats.__name__, OtherStream.__name__)
        """
    )
    assert child.finish() == "ringlog.bridge.pushing Nats OtherStream\n"


def test_any_other_name_is_not() -> None:
    with pytest.raises(AttributeError, match=r"'ringlog\.bridge' has no attribute 'fetch'"):
        ringlog.bridge.fetch  # noqa: B018
    with pytest.raises(ImportError):
        from ringlog.bridge import fetch  # noqa: F401
