"""The tables of docs/scaling.md: each made of the constants and what is asked, nothing else."""

from __future__ import annotations

from collections.abc import Callable

from bench.scaling import plan as plans
from bench.scaling import simulated, wire
from bench.scaling.asked import LINGER, Asked, Rows
from bench.scaling.measured import Constants
from bench.scaling.words import amount, digits, percent, span

LINKS = (1e9, 10e9, 25e9, 100e9)


def constants_table(constants: Constants, _: Asked) -> Rows:
    rows = []
    for name, constant in constants.all.items():
        value = digits(constant.value) if name == "raft_groups" else span(constant.value)
        rows.append([f"`{name}`", value, constant.meaning, constant.source])
    return ["constant", "value", "of what", "from"], rows


def event_cost(constants: Constants, asked: Asked) -> Rows:
    """What one event costs that one reader at one of the machines gets; full messages, and one event each."""
    rows = []
    for size in (64, 1024):
        plan = asked.plan().with_(size=size)
        for count, name in ((plan.most, "full messages"), (1, "one event a message")):
            data = count * plan.stride
            events = count * plan.readers
            client = plans.pull(constants).of(data) / events + constants["read_event"]
            rows.append(
                [
                    f"bridge, {size} B, {name}",
                    digits(wire.of_run(count, size) / events),
                    span(constants.cost("deliver").of(data) / events),
                    span(client),
                ]
            )
        rows.append(
            [
                f"direct, {size} B",
                digits(wire.of_event(size)),
                span(constants.cost("deliver").of(size)),
                span(constants.cost("receive").of(size)),
            ]
        )
    return ["", "bytes on a server's link", "server", "client and reader"], rows


def fan_out(constants: Constants, asked: Asked) -> Rows:
    """Connections, and how much of the servers is used at a rate that is asked for."""
    rows = []
    for machines in asked.machines:
        plan = asked.plan(machines)
        bridge = plans.bridge_loads(constants, plan, plans.gathered(constants, plan, asked.rate))
        direct = plans.direct_loads(constants, plan)
        row = [f"{machines:,}"]
        for loads, connections in ((bridge, machines), (direct, machines * plan.readers)):
            row += [
                f"{connections:,}",
                percent(asked.rate * loads["servers' cores"]),
                percent(asked.rate * loads["leader's link"]),
            ]
        rows.append(row)
    head = ["machines"]
    for name in ("bridge", "direct"):
        head += [f"{name}: connections", "servers' cores", "servers' links"]
    return head, rows


def breaks(constants: Constants, asked: Asked) -> Rows:
    """What is full first, and at how many events a second."""
    rows = []
    for machines in asked.machines:
        plan = asked.plan(machines)
        most, first = plans.highest(plans.bridge_loads(constants, plan))
        kept, small = plans.bridge_rate(constants, plan)
        direct, full = plans.highest(plans.direct_loads(constants, plan))
        rows.append(
            [
                f"{machines:,}",
                amount(kept),
                small,
                amount(most),
                first,
                amount(direct),
                full,
                digits(kept / direct),
                digits(most / direct),
            ]
        )
    head = [
        "machines",
        "bridge, as it comes: events/s",
        "full first",
        "full messages: events/s",
        "full first",
    ]
    return [*head, "direct: events/s", "full first", "as it comes / direct", "full messages / direct"], rows


def limits(constants: Constants, asked: Asked) -> Rows:
    """Each resource alone: the rate at which it would be full, for each number of machines."""
    found = [plans.bridge_loads(constants, asked.plan(machines)) for machines in asked.machines]
    rows = [[name, *(amount(1 / loads[name]) for loads in found)] for name in found[0]]
    return ["full at, events/s", *(f"{machines:,}" for machines in asked.machines)], rows


def links(constants: Constants, asked: Asked) -> Rows:
    """The same plan with other links."""
    rows = []
    for link in LINKS:
        row = [f"{amount(link)}bit/s"]
        for size in (64, 1024):
            plan = asked.plan().with_(link=link, size=size)
            row.append(amount(1 / plans.bridge_loads(constants, plan)["source's link"]))
            for machines in (10, 100, 1000):
                most, first = plans.bridge_rate(constants, plan.with_(machines=machines, linger=LINGER))
                row.append(amount(most) + ("" if first == "leader's link" else "*"))
        rows.append(row)
    head = ["link"]
    for size in (64, 1024):
        head += [f"{size} B: source alone", "10 machines", "100", "1,000"]
    return head, rows


def groups(constants: Constants, asked: Asked) -> Rows:
    """How many rings fit below the warning if each server has a copy of each, by the kind of consumer."""
    limit = int(constants["raft_groups"])
    rows = []
    for machines in asked.machines:
        row = [f"{machines:,}"]
        for consumers in (1, asked.copies):
            one = plans.raft_groups(1, machines, asked.copies, consumers) - 1
            row += [f"{one:,}", f"{(limit - 1) // one:,}" if one else "no limit"]
        rows.append(row)
    kinds = ("consumers of one copy", f"of {asked.copies} copies")
    return ["machines", *(part for kind in kinds for part in (f"{kind}: groups a ring", "rings"))], rows


def pipelines(constants: Constants, asked: Asked) -> Rows:
    """The rate of one ring by what may be on the way at once, and how far away the servers are."""
    rows = []
    for name, away in (
        ("one site", 100e-6),
        ("two sites", 1e-3),
        ("a continent", 20e-3),
        ("an ocean", 80e-3),
    ):
        plan = asked.plan(1).with_(round_trip=away)
        row = [f"{name}: {span(away)}", span(plans.acknowledged(constants, plan, plan.most * plan.stride))]
        for window in (1, 4, 16, 64):
            row.append(amount(plans.bridge_rate(constants, plan.with_(window=window))[0]))
        rows.append(row)
    return ["servers' round trip", "a full message's ack", "1 on the way", "4", "16", "64"], rows


def buffers(_: Constants, asked: Asked) -> Rows:
    """How long each holds what comes, at a rate, when nothing goes out."""
    rows = []
    for rate, size in ((1e4, 64), (1e5, 64), (1e6, 64), (1e4, 1024), (1e5, 1024)):
        a_second = rate * (wire.ENTRY + size)
        row = [f"{amount(rate)}/s of {size} B", f"{amount(a_second)}B/s"]
        for holds in (16 << 20, 1 << 30, 1 << 30, 100 << 30, 1 << 40):
            row.append(span(holds / a_second))
        rows.append(row)
    head = ["events", "bytes", "ring 16 MiB", "ring 1 GiB"]
    return [*head, "JetStream 1 GiB (default)", "log or JetStream 100 GiB", "1 TiB"], rows


TABLES: dict[str, tuple[str, Callable[[Constants, Asked], Rows]]] = {
    "constants": ("What is counted with", constants_table),
    "event": ("An event that a reader gets", event_cost),
    "fan-out": ("Connections and servers", fan_out),
    "breaks": ("What breaks first", breaks),
    "lingering": ("Letting events gather", simulated.lingering),
    "limits": ("Each resource alone", limits),
    "links": ("By the links", links),
    "racks": ("A server for each rack", simulated.racks),
    "copies": ("Copies", simulated.copies),
    "groups": ("RAFT groups", groups),
    "pipelines": ("Messages on the way", pipelines),
    "latency": ("Latency", simulated.latency),
    "saturation": ("Near the highest rate", simulated.saturation),
    "buffers": ("How long it holds", buffers),
    "catching-up": ("Catching up", simulated.catching_up),
}
