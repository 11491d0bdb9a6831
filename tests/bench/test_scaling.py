"""The simulation of docs/scaling.md against closed forms, and the page against the simulation."""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ringlog.bridge.message import Header, Stream

sys.path.append(str(Path(__file__).resolve().parents[2]))  # behind what is installed
scaling = pytest.importorskip("bench.scaling", reason="the benchmarks are not beside these tests")

from bench.scaling import page, plan, queues, wire  # noqa: E402
from bench.scaling.measured import Constants  # noqa: E402
from bench.scaling.plan import Plan  # noqa: E402
from bench.scaling.tables import TABLES  # noqa: E402
from bench.scaling.words import amount, digits, span  # noqa: E402

pytestmark = pytest.mark.once
MACHINES = (1, 2, 10, 40, 100, 1000, 5000)
PLANS = [
    Plan(),
    Plan(machines=1, copies=1),
    Plan(machines=1000, copies=5, linger=5e-3),
    Plan(machines=400, racks=10, size=1024, link=25e9),
]


@pytest.fixture(scope="module")
def constants() -> Constants:
    return Constants()


def without_the_bridge(folder: Path) -> Constants:
    """Only what was measured: push and pull are the bare client."""
    path = folder / "bridge.json"
    path.write_text(json.dumps({"scaling": {"push_message": 0, "push_byte": 0}}))
    return Constants(of_bridge=path)


@pytest.mark.parametrize(
    ("draw", "squared"),
    [(lambda _: 1.0, 1.0), (lambda dice: dice.expovariate(1.0), 2.0)],
    ids=["M/D/1", "M/M/1"],
)
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_mean_wait_of_one_queue(load: float, draw: Callable[[random.Random], float], squared: float) -> None:
    """Pollaczek and Khinchine: load * E[service^2] / (2 * (1 - load)), for a mean service of 1."""
    dice, station = random.Random(7), queues.Station()
    now, waited, count = 0.0, 0.0, 150_000
    for _ in range(count):
        now += dice.expovariate(load)
        waited += station.work(now, draw(dice)) - now
    assert waited / count == pytest.approx(load * squared / (2 * (1 - load)), rel=0.06)
    assert station.busy / now == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize("given", PLANS)
def test_no_event_is_lost_or_made(given: Plan, constants: Constants) -> None:
    rate = plan.bridge_rate(constants, given)[0] / 2
    outcome = queues.simulate(constants, given, rate, 1500)
    assert outcome.come == outcome.gone + outcome.left
    assert outcome.left < outcome.come / 10


@pytest.mark.parametrize("given", PLANS)
def test_stations_are_as_busy_as_their_work(given: Plan, constants: Constants) -> None:
    rate = plan.bridge_rate(constants, given)[0] / 2
    outcome = queues.simulate(constants, given, rate, 3000)
    count = outcome.gone / outcome.messages
    loads = plan.bridge_loads(constants, given, count)
    for station, resource in (
        ("push", "push: one core"),
        ("uplink", "source's link"),
        ("leader", "stream's leader: one core"),
        ("downlink", "leader's link"),
        ("pull", "pull: one core"),
    ):
        assert outcome.busy[station] == pytest.approx(loads[resource] * rate, rel=0.12), station


@pytest.mark.parametrize("rate", [500.0, 5_000.0, 50_000.0, 500_000.0])
def test_messages_gather_as_reckoned(rate: float, constants: Constants) -> None:
    for given in (Plan(), Plan(linger=2e-3), Plan(machines=1, copies=1, size=1024)):
        outcome = queues.simulate(constants, given, rate, 2000)
        expected = plan.gathered(constants, given, rate)
        assert outcome.gone / outcome.messages == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("given", PLANS)
def test_bytes_that_leave_are_bytes_that_come(given: Plan, constants: Constants) -> None:
    rate = 10_000.0
    flows = plan.flows(constants, given, rate)
    count = plan.gathered(constants, given, rate)
    once = rate * wire.of_run(count, given.size) / count
    assert flows["source to leader"] == pytest.approx(once)
    arrived = flows.get("racks' servers to machines", flows["servers to who hangs on them"])
    assert arrived == pytest.approx(once * given.machines)
    sent = sum(
        bytes_
        for name, bytes_ in flows.items()
        if name not in ("source to leader", "racks' servers to machines")
    )
    busy = plan.bridge_loads(constants, given, count)["leader's link"] * rate * given.link / 8
    followers = (given.copies - 1) * once
    assert sent == pytest.approx((busy - followers) * given.copies + followers)


@pytest.mark.parametrize("linger", [0.0, 5e-3])
def test_more_machines_are_never_faster(linger: float, constants: Constants) -> None:
    plans = [Plan(machines=machines, linger=linger) for machines in MACHINES]
    rates = [plan.bridge_rate(constants, each)[0] for each in plans]
    assert all(one >= other * 0.999 for one, other in itertools.pairwise(rates))
    direct = [plan.highest(plan.direct_loads(constants, each))[0] for each in plans]
    assert all(one >= other for one, other in itertools.pairwise(direct))


def test_readers_cost_the_network_nothing(constants: Constants) -> None:
    few, many = (plan.bridge_loads(constants, Plan(readers=readers)) for readers in (1, 100))
    assert few == many
    few, many = (plan.direct_loads(constants, Plan(readers=readers)) for readers in (1, 100))
    assert many["target's link"] == pytest.approx(100 * few["target's link"])


@pytest.mark.parametrize("machines", MACHINES)
def test_full_messages_are_the_best_that_gathering_can_reach(machines: int, constants: Constants) -> None:
    full = plan.highest(plan.bridge_loads(constants, Plan(machines=machines)))[0]
    rates = [plan.bridge_rate(constants, Plan(machines=machines, linger=ms / 1e3))[0] for ms in (0, 1, 5, 20)]
    assert max(rates) <= full * 1.001
    assert all(one <= other * 1.01 for one, other in itertools.pairwise(rates))


@pytest.mark.parametrize("machines", [10, 100, 1000])
def test_below_the_highest_rate_queues_stand_and_above_they_grow(machines: int, constants: Constants) -> None:
    given = Plan(machines=machines, linger=1e-3)
    most = plan.bridge_rate(constants, given)[0]

    def last_wait(part: float, messages: int) -> float:
        return queues.simulate(constants, given, most * part, messages).quantile("deliver", 0.99)

    assert last_wait(0.8, 4000) < 2 * last_wait(0.8, 2000)
    above = 1.5 if machines < 1000 else 1.3
    assert last_wait(above, 4000) > 1.6 * last_wait(above, 2000)


@pytest.mark.parametrize(("copies", "name"), [(1, "ack_one"), (3, "ack_three")])
def test_an_acknowledgement_takes_what_was_measured(copies: int, name: str, tmp_path: Path) -> None:
    """On one machine, of one small message after the other: what the constants stem from."""
    bare = without_the_bridge(tmp_path)
    given = Plan(machines=1, copies=copies, round_trip=0.0, link=math.inf, size=1024)
    outcome = queues.simulate(bare, given, 100.0, 4000)
    assert queues.quantile(outcome.acknowledged, 0.5) == pytest.approx(bare[name], rel=0.1)
    assert queues.quantile(outcome.acknowledged, 0.99) == pytest.approx(bare[f"{name}_p99"], rel=0.25)


def test_an_empty_path_takes_its_steps_and_no_more(constants: Constants) -> None:
    given = Plan(machines=1, copies=1)
    outcome = queues.simulate(constants, given, 10.0, 4000)
    parts = sum(outcome.quantile(step, 0.5) for step in queues.STEPS)
    assert outcome.quantile("total", 0.5) == pytest.approx(parts, rel=0.1)
    assert outcome.quantile("gather", 0.5) == 0
    assert plan.acknowledged(constants, given, given.stride) == pytest.approx(
        queues.quantile(outcome.acknowledged, 0.5), rel=0.1
    )


def test_a_window_limits_what_is_far_away(constants: Constants) -> None:
    near, far = (Plan(machines=1, window=4, round_trip=trip) for trip in (1e-4, 0.1))
    most = plan.window_rate(constants, far)
    assert plan.bridge_rate(constants, far) == (pytest.approx(most, rel=0.01), "messages on the way")
    assert plan.bridge_rate(constants, near)[0] > 10 * most
    outcome = queues.simulate(constants, far, 2 * most, 400)
    assert outcome.gone / outcome.messages == pytest.approx(far.most, rel=0.1)
    assert outcome.left > outcome.gone / 2  # what came too fast is still in the ring


def test_raft_groups() -> None:
    assert plan.raft_groups(10, 5, copies=1, consumer_copies=1) == 1
    assert plan.raft_groups(10, 5, copies=3, consumer_copies=1) == 11
    assert plan.raft_groups(10, 5, copies=3, consumer_copies=3) == 61


def test_headers_are_those_that_are_sent() -> None:
    header = Header(
        Stream("7f3a" * 8, 1_795_000_000_000_000_000), 1_000_000_000, 7, 1_795_000_000_000_000_000
    )
    lines = [f"{name}: {value}" for name, value in header.as_headers().items()]
    assert wire.headers(7) > len("\r\n".join(lines)) + len(header.id)
    assert wire.of_run(7, 64) == pytest.approx(wire.on_link(7 * 80) + wire.of_run(7, -16))


def test_constants_say_where_they_come_from(tmp_path: Path) -> None:
    nothing = Constants(tmp_path / "none.json", tmp_path / "none.json")
    assert nothing.all["store_message"].source == "assumed: no record"
    kept, bridge = tmp_path / "nats_cost.json", tmp_path / "bridge.json"
    kept.write_text(json.dumps({"R1": {"server publish": {"message": 5e-6, "byte": 2e-9}}}))
    bridge.write_text(json.dumps({"rows": [], "scaling": {"push_message": 9e-6}}))
    found = Constants(kept, bridge)
    assert found.cost("store").of(1000) == pytest.approx(7e-6)
    assert found.all["store_message"].source == "measured: nats-server"
    assert (found["push_message"], found.all["push_message"].source) == (
        9e-6,
        "measured: bench/results/bridge.json",
    )
    bridge.write_text(json.dumps({"scaling": {"push_mesage": 9e-6}}))
    with pytest.raises(SystemExit, match="push_mesage"):
        Constants(kept, bridge)


def test_the_page_says_what_the_simulation_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert {match[1] for match in page.BLOCK.findall(text)} == set(TABLES)
    assert scaling.main(["--check"]) == 0, capsys.readouterr().err
    other = tmp_path / "scaling.md"
    text = next(match[0] for match in page.BLOCK.finditer(text) if match[2] == "limits")
    row = next(line for line in text.splitlines() if line.startswith("| target's link"))
    other.write_text(text.replace(row, row.replace(" M", " k")), encoding="utf-8")
    assert scaling.main(["--check", "--page", str(other)]) == 1
    assert "'limits'" in capsys.readouterr().err
    assert scaling.main(["--write", "--page", str(other)]) == 0
    assert other.read_text(encoding="utf-8") == text


def test_what_is_asked_is_what_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    asked = ["--machines", "20,200", "--link", "25G", "--tables", "breaks", "limits", "--json", str(path)]
    assert scaling.main([*asked, "--quick"]) == 0
    record = json.loads(path.read_text())
    assert record["asked"]["machines"] == [20, 200]
    assert [row[0] for row in record["tables"]["breaks"]["rows"]] == ["20", "200"]
    rows = {row[0]: row[1] for row in record["tables"]["limits"]["rows"]}
    assert rows["source's link"] == amount(25e9 / 8 / wire.of_run(Plan().most, 64) * Plan().most)


@pytest.mark.parametrize(
    "wrong",
    [["--machines", "0"], ["--machines", "1,x"], ["--link", "10X"], ["--replicas", "2"], ["--size", "-1"]],
)
def test_nonsense_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        scaling.main(wrong)
    assert caught.value.code == 2


def test_figures_as_words() -> None:
    assert [digits(value) for value in (0.412, 1.0, 99.94, 100.2, 4862)] == [
        "0.412",
        "1",
        "99.9",
        "100",
        "4,860",
    ]
    assert [amount(value) for value in (0, 999, 1000, 1_234_567)] == ["0", "999", "1 k", "1.23 M"]
    assert [span(value) for value in (0, 5e-8, 0.00123, 90, 7200)] == [
        "0",
        "50 ns",
        "1.23 ms",
        "1.5 min",
        "2 h",
    ]
