"""`ringlog top` over real processes that are late, stopped, continued and killed."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

from processes import Child
from top_terminal import Open

WRITE = """
    with ringlog.Writer(path, capacity=256 << 10) as writer:
        say("ready")
        while True:
            writer.append_many([bytes(100)] * 10)
            time.sleep(0.001)
    """
READ = """
    with ringlog.Reader(path, name=sys.argv[2], open_timeout=20) as reader:
        say("ready")
        for event in reader:
            time.sleep(float(sys.argv[3]))
    """


def test_who_is_behind_and_why(ring_folder: Path, terminal: Open, spawn: Callable[..., Child]) -> None:
    people: dict[str, tuple[Child, Child]] = {}
    for name, pause in (("well", "0"), ("late", "0.05"), ("halted", "0")):
        path = ring_folder / name
        people[name] = (spawn(WRITE, path), spawn(READ, path, f"r-{name}", pause))
    for both in people.values():
        assert [child.line() for child in both] == ["ready", "ready"]
    top = terminal("top", str(ring_folder), "--interval", "200ms", width=120, height=40)

    def shows(who: str, *words: str) -> None:
        """The line about this one has these words; a reason stands on the next."""
        top.until(
            lambda lines: any(
                who in line and all(word in line + after for word in words)
                for line, after in itertools.pairwise(lines)
            )
        )

    halted_writer, halted = people["halted"]
    shows(f" {people['well'][0].pid} ", "active")
    shows("r-late", "! ", "slow", "the writer waits for it")
    halted.signal(signal.SIGSTOP)
    shows("r-halted", "!!", "stopped", f"the writer waits for it; kill -CONT {halted.pid}")
    shows(f" {halted_writer.pid} ", "waiting")
    top.until(lambda lines: "!! 1 problem" in lines[0] and str(ring_folder / "halted") in lines[2])
    halted.signal(signal.SIGCONT)
    top.until(lambda lines: "problem" not in lines[0])
    people["well"][0].kill()
    shows(f" {people['well'][0].pid} ", "! ", "dead", "died without closing; nobody writes")
    people["well"][1].kill()
    shows("r-well", "away")
    top.press("q")
    assert top.finish() == 0
