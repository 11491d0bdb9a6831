"""Who carries what: the resources of a plan, how busy one event makes each, and so the highest rate.

Costs add up and a resource is full at 100 %: an upper bound, for planning to a half or two thirds of it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from bench.scaling import wire
from bench.scaling.measured import Constants, Cost


@dataclass(frozen=True)
class Plan:
    """One ring and its copies: `machines` targets with `readers` each.

    link: bits a second of every machine's and server's network. copies: of the JetStream stream, one a
    server. cores: of a server. largest: bytes of a message. window: messages in flight. racks: servers that
    mirror the stream, between which the machines are divided; 0: all are at the servers that have the copies.
    linger: seconds for which push lets events gather before it sends a message that is not full.
    round_trip: seconds, instead of the constant. synced: the servers sync before they acknowledge.
    """

    machines: int = 10
    readers: int = 8
    size: int = 64
    link: float = 10e9
    copies: int = 3
    cores: int = 8
    largest: int = 512 << 10
    window: int = 16
    racks: int = 0
    linger: float = 0.0
    round_trip: float | None = None
    synced: bool = False

    @property
    def stride(self) -> int:
        """Bytes of an event in the stream."""
        return wire.ENTRY + self.size

    @property
    def most(self) -> int:
        """Events that a message has at most."""
        return max(1, self.largest // self.stride)

    @property
    def fed(self) -> int:
        """Who hangs on the servers that have the copies: machines, or racks' servers."""
        return self.racks or self.machines

    @property
    def share(self) -> float:
        """Messages that each server with a copy sends for one that is stored, besides those to followers.

        The copies share the consumers. Who is connected to another server than its consumer is on gets its
        messages through that one, so they cross a second link: nobody arranges this, so chance does.
        """
        return self.fed / self.copies * (2 - 1 / self.copies)

    @property
    def in_rack(self) -> int:
        """Machines that hang on one server of a rack, at most."""
        return -(-self.machines // self.racks) if self.racks else 0

    def with_(self, **changes: object) -> Plan:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def seconds(self, size: float) -> float:
        """What so many bytes take on a link."""
        return size * 8 / self.link


def store(constants: Constants, copies: int) -> Cost:
    """All servers' processor time for a message that is stored so often: a line through one and three."""
    one, three = constants.cost("store"), constants.cost("three")
    more = (copies - 1) / 2
    return Cost(one.message + more * (three.message - one.message), one.byte + more * (three.byte - one.byte))


def push(constants: Constants) -> Cost:
    """The source's processor time for a message."""
    return _sum(constants.cost("publish"), constants.cost("push"))


def pull(constants: Constants) -> Cost:
    """A target's processor time for a message."""
    return _sum(constants.cost("receive"), constants.cost("pull"))


def _sum(one: Cost, other: Cost) -> Cost:
    return Cost(one.message + other.message, one.byte + other.byte)


def bridge_loads(constants: Constants, plan: Plan, count: float | None = None) -> dict[str, float]:
    """Seconds for which one event keeps each resource busy, in messages of `count` events (full ones)."""
    count = count or plan.most
    data, link = count * plan.stride, plan.seconds(wire.of_run(count, plan.size))
    deliver = constants.cost("deliver").of(data)
    each = plan.share
    loads = {
        "push: one core": push(constants).of(data),
        "source's link": link,
        "stream's leader: one core": constants.cost("store").of(data),
        "servers' cores": (store(constants, plan.copies).of(data) / plan.copies + each * deliver)
        / plan.cores,
        "leader's link": (plan.copies - 1 + each) * link,
        "pull: one core": pull(constants).of(data),
        "target's link": link,
    }
    if plan.racks:
        loads["rack's server: link"] = plan.in_rack * link
        loads["rack's server: cores"] = (
            constants.cost("store").of(data) + plan.in_rack * deliver
        ) / plan.cores
    return {name: busy / count for name, busy in loads.items()} | {
        "a reader: one core": constants["read_event"]
    }


def direct_loads(constants: Constants, plan: Plan) -> dict[str, float]:
    """The same for readers that are consumers of JetStream themselves, with a message for each event."""
    link, size = plan.seconds(wire.of_event(plan.size)), plan.size
    each = plan.with_(machines=plan.machines * plan.readers, racks=0).share
    deliver = constants.cost("deliver").of(size)
    return {
        "publisher: one core": constants.cost("publish").of(size),
        "source's link": link,
        "stream's leader: one core": constants.cost("store").of(size),
        "servers' cores": (store(constants, plan.copies).of(size) / plan.copies + each * deliver)
        / plan.cores,
        "leader's link": (plan.copies - 1 + each) * link,
        "target's link": plan.readers * link,
        "a reader: one core": constants.cost("receive").of(size),
    }


def highest(loads: dict[str, float]) -> tuple[float, str]:
    """Events a second, and what is full then."""
    name = max(loads, key=lambda each: loads[each])
    return 1 / loads[name], name


def hop(constants: Constants) -> float:
    """Seconds to the next process besides network and work (kernel, waking up): half of what was measured."""
    return (constants["ack_one"] - constants["publish_message"] - constants["store_message"]) / 2


def trip(constants: Constants, plan: Plan) -> float:
    """Seconds there and back between two machines."""
    return constants["round_trip"] if plan.round_trip is None else plan.round_trip


def acknowledged(constants: Constants, plan: Plan, data: float) -> float:
    """Seconds from a message's publication to its acknowledgement when nothing else is there: the median."""
    sent, stored = plan.seconds(wire.on_link(data)), constants.cost("store").of(data)
    total = push(constants).of(data) + sent + stored + trip(constants, plan) + 2 * hop(constants)
    if plan.copies > 1:  # to the last follower, stored there, and back
        total += (plan.copies - 1) * sent + stored + trip(constants, plan)
        total += constants["ack_three"] - constants["ack_one"]
    return total + (constants["ack_synced"] - constants["ack_one"] if plan.synced else 0)


def window_rate(constants: Constants, plan: Plan) -> float:
    """Events a second if no more than the window's full messages are on the way to an acknowledgement."""
    data = plan.most * plan.stride
    return plan.window * plan.most / acknowledged(constants, plan, data)


def raft_groups(rings: int, machines: int, copies: int, consumer_copies: int) -> int:
    """Of a cluster: one for itself, one a stream, one a consumer; what has one copy has none."""
    return 1 + rings * ((copies > 1) + machines * (consumer_copies > 1))


def gathered(constants: Constants, plan: Plan, rate: float) -> float:
    """Events a message has at a rate: those that come while push lingers, works, or waits for its window."""
    cost = push(constants)
    left = 1 - rate * cost.byte * plan.stride  # of push's time, for what each message costs besides its bytes
    working = rate * cost.message / left if left > 0 else plan.most
    working += math.exp(-working)  # if none has come at random (Poisson), push takes the next one alone
    away = acknowledged(constants, plan, plan.stride)
    waiting = rate * away / plan.window
    return min(plan.most, max(1 + rate * plan.linger, working, waiting))


def bridge_rate(constants: Constants, plan: Plan) -> tuple[float, str]:
    """The highest rate that the bridge reaches and keeps, coming from below, and what is full then.

    Messages that are small because push is quick can fill a link long before full ones would.
    """
    # These two make messages larger before they are a limit.
    elastic = {
        "push: one core": bridge_loads(constants, plan)["push: one core"],
        "messages on the way": 1 / window_rate(constants, plan),
    }
    rate = 100.0
    while True:
        loads = bridge_loads(constants, plan, gathered(constants, plan, rate)) | elastic
        most, name = highest(loads)
        if most <= rate * 1.001:
            return min(rate, most), name
        rate = min(most, rate * 1.02)


def flows(constants: Constants, plan: Plan, rate: float) -> dict[str, float]:
    """Bytes a second on the links, all machines together, at `rate` events a second."""
    count = gathered(constants, plan, rate)
    once = rate * wire.of_run(count, plan.size) / count
    found = {
        "source to leader": once,
        "between servers, stored": once * (plan.copies - 1),
        "between servers, passed on": once * plan.fed * (1 - 1 / plan.copies),
        "servers to who hangs on them": once * plan.fed,
    }
    if plan.racks:
        found["racks' servers to machines"] = once * plan.machines
    return found
