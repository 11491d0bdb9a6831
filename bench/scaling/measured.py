"""The constants of the simulation, each with where it comes from.

Three sources, later ones before earlier ones: what is assumed here and says so; bench/results/nats_cost.json,
which `python -m bench scaling --calibrate` writes; and the object "scaling" of bench/results/bridge.json,
which the bridge's own benchmark writes, with any of the names below as keys, in seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench import method

SPEED = "measured: docs/speed.md"
CLIENT = "measured: nats-py"
SERVER = "measured: nats-server"
BRIDGE = "measured: bench/results/bridge.json"
ASSUMED = "assumed"
BY_HAND = "tried by hand, roughly"
KEPT, OF_BRIDGE = method.RESULTS / "nats_cost.json", method.RESULTS / "bridge.json"


class Constant(NamedTuple):
    """One figure: its value, what it is, and where it comes from."""

    value: float
    meaning: str
    source: str


@dataclass(frozen=True)
class Cost:
    """A straight line: seconds a message, and seconds a byte of it."""

    message: float
    byte: float

    def of(self, size: float) -> float:
        return self.message + self.byte * size


# Meaning, value where nothing was measured, and the place of the measured value in nats_cost.json.
_NAMES: dict[str, tuple[str, float, tuple[str, ...], str]] = {
    "publish_message": ("client, publishing: a message", 20e-6, ("R1", "client publish", "message"), CLIENT),
    "publish_byte": ("client, publishing: a byte", 1.4e-9, ("R1", "client publish", "byte"), CLIENT),
    "receive_message": ("client, receiving: a message", 4.5e-6, ("R1", "client deliver", "message"), CLIENT),
    "receive_byte": ("client, receiving: a byte", 0.8e-9, ("R1", "client deliver", "byte"), CLIENT),
    "store_message": ("server, storing: a message", 7e-6, ("R1", "server publish", "message"), SERVER),
    "store_byte": ("server, storing: a byte", 1.4e-9, ("R1", "server publish", "byte"), SERVER),
    "three_message": (
        "three servers, storing: a message",
        34e-6,
        ("R3", "server publish", "message"),
        SERVER,
    ),
    "three_byte": ("three servers, storing: a byte", 7e-9, ("R3", "server publish", "byte"), SERVER),
    "deliver_message": ("server, delivering: a message", 1.2e-6, ("R1", "server deliver", "message"), SERVER),
    "deliver_byte": ("server, delivering: a byte", 1.3e-9, ("R1", "server deliver", "byte"), SERVER),
    "ack_one": ("acknowledged, 1 copy, 1 KiB: p50", 153e-6, ("acknowledged", "R1 1024", "p50"), SERVER),
    "ack_one_p99": ("acknowledged, 1 copy, 1 KiB: p99", 322e-6, ("acknowledged", "R1 1024", "p99"), SERVER),
    "ack_three": ("acknowledged, 3 copies, 1 KiB: p50", 487e-6, ("acknowledged", "R3 1024", "p50"), SERVER),
    "ack_three_p99": (
        "acknowledged, 3 copies, 1 KiB: p99",
        805e-6,
        ("acknowledged", "R3 1024", "p99"),
        SERVER,
    ),
    "ack_synced": (
        "acknowledged, 1 copy, synced: p50",
        491e-6,
        ("acknowledged", "synced 1024", "p50"),
        SERVER,
    ),
    "ack_synced_p99": ("the same: p99", 2439e-6, ("acknowledged", "synced 1024", "p99"), SERVER),
    "read_event": ("a local reader, lists: an event", 52e-9, (), SPEED),
    "wake": ("waking a reader after silence", 121e-6, (), SPEED),
    "handover": ("to a reader that is awake", 0.94e-6, (), SPEED),
    "push_message": ("push, besides the client: a message", 180e-6, (), BY_HAND),
    "push_byte": ("push, besides the client: a byte", 0.1e-9, (), BY_HAND),
    "pull_message": ("pull, besides the client: a message", 38e-6, (), BY_HAND),
    "pull_byte": ("pull, besides the client: a byte", 1e-9, (), BY_HAND),
    "round_trip": ("there and back, between two machines of a site", 100e-6, (), ASSUMED),
    "raft_groups": ("RAFT groups of a server before it is warned of", 1000, (), "Synadia, see above"),
}


class Constants:
    """All constants; `constants["wake"]` is a value, `constants.cost("store")` the line of two of them."""

    def __init__(self, kept: Path = KEPT, of_bridge: Path = OF_BRIDGE) -> None:
        measured, bridge = _load(kept), _load(of_bridge).get("scaling", {})
        self.all: dict[str, Constant] = {}
        for name, (meaning, value, place, source) in _NAMES.items():
            found = _at(measured, place) if place else None
            if name in bridge:
                constant = Constant(float(bridge[name]), meaning, BRIDGE)
            elif place and found is None:
                constant = Constant(value, meaning, f"{ASSUMED}: no record")
            else:
                constant = Constant(value if found is None else found, meaning, source)
            self.all[name] = constant
        unknown = set(bridge) - set(_NAMES)
        if unknown:
            raise SystemExit(f"{of_bridge}: no constant is called {', '.join(sorted(unknown))}")

    def __getitem__(self, name: str) -> float:
        return self.all[name].value

    def cost(self, name: str) -> Cost:
        return Cost(self[f"{name}_message"], self[f"{name}_byte"])


def _load(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _at(record: dict[str, Any], place: tuple[str, ...]) -> float | None:
    for key in place:
        if key not in record:
            return None
        record = record[key]
    return float(record)  # type: ignore[arg-type]
