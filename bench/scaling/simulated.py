"""The tables of docs/scaling.md for which queues are simulated."""

from __future__ import annotations

from bench.scaling import plan as plans
from bench.scaling import queues, wire
from bench.scaling.asked import LINGER, Asked, Rows
from bench.scaling.measured import Constants
from bench.scaling.words import amount, digits, percent, span

RACK = 40  # machines


def _bits(a_second: float) -> str:
    """Bytes a second as bits."""
    scaled = amount(a_second * 8)
    return f"{scaled}bit/s" if " " in scaled else f"{scaled} bit/s"


def lingering(constants: Constants, asked: Asked) -> Rows:
    """What it brings to let events gather before they are sent: for many machines, and little to say."""
    rows = []
    for machines in asked.machines[-3:]:
        for linger in (0.0, 1e-3, 5e-3, 20e-3):
            plan = asked.plan(machines).with_(linger=linger)
            most, first = plans.bridge_rate(constants, plan)
            outcome = queues.simulate(constants, plan, most / 2, asked.messages)
            count = plans.gathered(constants, plan, most / 2)
            rows.append(
                [
                    f"{machines:,}",
                    span(linger),
                    amount(most),
                    first,
                    digits(outcome.gone / outcome.messages),
                    digits(wire.of_run(count, plan.size) / count),
                    span(outcome.quantile("total", 0.5)),
                    span(outcome.quantile("total", 0.99)),
                ]
            )
    head = ["machines", "linger", "highest rate", "full first", "at half of it: events a message"]
    return [*head, "bytes an event on a link", "p50", "p99"], rows


def racks(constants: Constants, asked: Asked) -> Rows:
    """All machines at the servers that have the copies, or each rack at a server of its own that mirrors."""
    rows = []
    for machines in asked.machines:
        if machines <= RACK:
            continue
        flat = asked.plan(machines).with_(linger=LINGER)
        tree = flat.with_(racks=-(-machines // RACK))
        one, two = (plans.bridge_rate(constants, each) for each in (flat, tree))
        slow = min(one[0], two[0]) / 2
        late = [
            queues.simulate(constants, each, slow, asked.messages).quantile("total", 0.5)
            for each in (flat, tree)
        ]
        rows.append(
            [
                f"{machines:,}",
                amount(one[0]),
                one[1],
                f"{tree.racks}",
                amount(two[0]),
                two[1],
                amount(slow),
                *map(span, late),
            ]
        )
    head = [
        "machines",
        "flat: events/s",
        "full first",
        "racks",
        "events/s",
        "full first",
        "p50 at",
        "flat",
        "racks",
    ]
    return head, rows


def copies(constants: Constants, asked: Asked) -> Rows:
    """What 1, 3 and 5 copies cost."""
    rows = []
    for number in (1, 3, 5):
        plan = asked.plan().with_(copies=number)
        flows = plans.flows(constants, plan, asked.rate)
        count = plans.gathered(constants, plan, asked.rate)
        row = [
            str(number),
            str((number - 1) // 2),
            _bits(flows["between servers, stored"]),
            span(plans.store(constants, number).of(count * plan.stride) / count),
        ]
        for synced in (False, True):
            outcome = queues.simulate(constants, plan.with_(synced=synced), asked.rate, asked.messages)
            row += [span(queues.quantile(outcome.acknowledged, part)) for part in (0.5, 0.99)]
        rows.append([*row, amount(plans.bridge_rate(constants, plan)[0])])
    head = ["copies", "servers that may fail", "between servers", "servers' work an event"]
    return [*head, "ack p50", "p99", "synced: p50", "p99", "highest rate"], rows


def latency(constants: Constants, asked: Asked) -> Rows:
    """From append to a reader elsewhere, by load: each step's p50 and p99."""
    plan = asked.plan()
    most = plans.bridge_rate(constants, plan)[0]
    rates = (1000.0, 0.1 * most, 0.5 * most, 0.9 * most, 0.99 * most)
    found = [queues.simulate(constants, plan, rate, asked.messages) for rate in rates]
    rows = [
        [step, *(f"{span(one.quantile(step, 0.5))}, {span(one.quantile(step, 0.99))}" for one in found)]
        for step in (*queues.STEPS, "total")
    ]
    rows[-1] = [f"**{cell}**" for cell in rows[-1]]
    rows.append(["events a message", *(digits(one.gone / one.messages) for one in found)])
    rows.append(["acknowledged", *(
        f"{span(queues.quantile(one.acknowledged, 0.5))}, {span(queues.quantile(one.acknowledged, 0.99))}"
        for one in found
    )])  # fmt: skip
    parts = ("", " (10 %)", " (50 %)", " (90 %)", " (99 %)")
    return [
        "p50, p99 at",
        *(f"{amount(rate)}/s{part}" for rate, part in zip(rates, parts, strict=True)),
    ], rows


def saturation(constants: Constants, asked: Asked) -> Rows:
    """The whole way at parts of the highest rate, and above it, where it has no end."""
    rows = []
    fewest, most = min(asked.machines, key=lambda each: abs(each - 10)), asked.machines[-1]
    most = min(most, 1000)
    for machines, linger in ((fewest, 0.0), (most, 0.0), (most, LINGER)):
        plan = asked.plan(machines).with_(linger=linger)
        highest = plans.bridge_rate(constants, plan)[0]
        row = [f"{machines:,} machines, linger {span(linger)}", f"{amount(highest)}/s"]
        for part in (0.5, 0.9, 0.99, 1.2):
            outcome = queues.simulate(constants, plan, part * highest, asked.messages)
            row.append(", ".join(span(outcome.quantile("total", each)) for each in (0.5, 0.99)))
        rows.append(row)
    head = ["p50, p99 of the whole way", "highest rate", "50 %", "90 %", "99 %"]
    return [*head, f"120 %, after {asked.messages:,} messages"], rows


def catching_up(constants: Constants, asked: Asked) -> Rows:
    """After so long a cut, how long until the backlog is gone, at parts of the highest rate."""
    most = plans.bridge_rate(constants, asked.plan())[0]
    rows = []
    for part in (0.1, 0.5, 0.8, 0.95):
        row = [f"{percent(part)}: {amount(part * most)}/s"]
        for cut in (10, 60, 600, 3600):
            row.append(span(cut * part / (1 - part)))
        rows.append(row)
    return ["load", "cut of 10 s", "1 min", "10 min", "1 h"], rows
