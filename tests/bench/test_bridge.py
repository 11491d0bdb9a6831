"""The benchmark of the bridge: its referee, its plain sockets, its runs with real servers, and its tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import ringlog

sys.path.append(str(Path(__file__).resolve().parents[2]))  # behind what is installed
pytest.importorskip("bench.bridge_events", reason="the benchmarks are not beside these tests")
for needed in ("hdrh", "matplotlib"):
    pytest.importorskip(needed, reason="the extra bench is not installed")

from bench import bridge, bridge_memory, bridge_run  # noqa: E402
from bench.bridge_constants import costs, for_scaling  # noqa: E402
from bench.bridge_events import CYCLE, Check, Clock, Wrong, batches, goodbye, greeting  # noqa: E402
from bench.bridge_latency import latency  # noqa: E402
from bench.bridge_ways import WAYS, JetStream, Plain, Rings, Way  # noqa: E402
from bench.report import bridge_tables, of_bridges, readme  # noqa: E402
from bench.report.tables import TABLES  # noqa: E402
from bench.scaling.measured import Constants  # noqa: E402
from bench.stamped import Failed, message  # noqa: E402

pytestmark = pytest.mark.once
SIZE = 64


def nothing() -> None: ...


@pytest.fixture
def events() -> list[bytes]:
    return [event for batch in batches(SIZE) for event in batch]


@pytest.fixture(params=["singly", "as columns"])
def take(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Gives events to a Check by each of its two ways; by columns through a ring."""
    path = tmp_path / "ring"

    def singly(check: Check, given: list[bytes]) -> None:
        for data in given:
            check.one(data)

    def as_columns(check: Check, given: list[bytes]) -> None:
        ringlog.create(path, 8 << 20)
        try:
            with ringlog.Writer(path) as writer, ringlog.Reader(path, start="oldest") as reader:
                writer.append_many(given)
                while reader.sequence < len(given):
                    check.columns(reader.read_batch(7000))
        finally:
            ringlog.unlink(path)

    return singly if request.param == "singly" else as_columns


def test_what_was_sent_is_counted_more_than_once_around(take: Any, events: list[bytes]) -> None:
    heard: list[bool] = []
    check = Check(SIZE, lambda: heard.append(True))
    count = CYCLE + 2500
    hello = [greeting(SIZE)] * 3
    take(check, [*hello, *(events * 2)[:count], goodbye(count, SIZE)])
    assert (check.count, check.done, len(heard)) == (count, True, 3)
    assert check.end > 0


@pytest.mark.parametrize("what", ["missing", "twice", "exchanged", "altered", "a whole cycle missing"])
def test_what_was_not_sent_is_found(take: Any, events: list[bytes], what: str) -> None:
    given, count = events[:3000], 3000
    if what == "missing":
        del given[700]
    elif what == "twice":
        given.insert(700, given[700])
    elif what == "exchanged":
        given[700], given[701] = given[701], given[700]
    elif what == "altered":
        given[700] = given[700][:-1] + b"x"
    else:
        count += CYCLE  # the numbers alone would not tell
    with pytest.raises(Wrong):
        take(Check(SIZE, nothing), [greeting(SIZE), *given, goodbye(count, SIZE)])


def test_a_clock_notes_how_late_each_came_and_counts() -> None:
    clock = Clock(nothing)
    for data in (greeting(SIZE), message(1, SIZE), message(2, SIZE), goodbye(2, SIZE)):
        clock.one(data)
    assert clock.done
    assert len(clock.latencies()) == 2
    assert (clock.latencies() > 0).all()
    with pytest.raises(Wrong, match="2 of 3"):
        clock.one(goodbye(3, SIZE))


@pytest.mark.parametrize("kind", WAYS, ids=lambda kind: kind.key)
def test_each_way_carries_everything(kind: type[Way], tmp_path: Path) -> None:
    sample = bridge_run.throughput(kind(), tmp_path, SIZE, 0.05)
    assert sample["events"] >= 1000
    assert sample["rate"] > 0
    assert set(sample["cpu"]) == {"sender", "server", "receiver", *kind.between}
    assert ("messages" in sample) == issubclass(kind, Rings)
    assert list(tmp_path.iterdir()) == []


def test_the_server_alone_delivers_every_byte(tmp_path: Path) -> None:
    sample = bridge_run.raw(tmp_path, 100_000, 0.05)
    assert sample["bytes"] == sample["events"] * 100_000 > 0


@pytest.mark.parametrize("kind", [Rings, Plain], ids=lambda kind: kind.key)
def test_latency_is_of_all_events_and_from_when_they_were_due(kind: type[Way], tmp_path: Path) -> None:
    seen = latency(kind(), tmp_path, SIZE, 1000, 0.05)
    assert seen["sent"] <= seen["planned"] == 50
    assert seen["max"] >= seen["p50"] > 0
    assert seen["late_p99"] >= seen["late_p50"] >= 0


def test_a_way_that_loses_events_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="events came"):
        bridge_run.throughput(Losing(), tmp_path, SIZE, 0.05)


class Losing(JetStream):
    """Drops one event of the many that it was given."""

    def receive(self, bed: Any, seen: Any, singly: bool, attached: Any) -> None:
        super().receive(bed, Deaf(seen), singly, attached)


class Deaf:
    def __init__(self, seen: Check) -> None:
        self._seen = seen
        self._last = b""

    @property
    def done(self) -> bool:
        return self._seen.done

    def one(self, data: bytes) -> None:
        """The last event before the goodbye does not come."""
        if self._last:
            if data[:8] != goodbye(0, SIZE)[:8]:
                self._seen.one(self._last)
            else:
                self._seen.one(data)
        elif data == greeting(SIZE):
            self._seen.one(data)
            return
        self._last = data


def test_memory_is_sampled_while_somebody_is_stopped(tmp_path: Path) -> None:
    rows = bridge_memory.memory(tmp_path, "the reader", 1024, 2000, 0.2)
    assert [row["process"] for row in rows] == list(bridge_memory.WATCHED)
    for row in rows:
        assert row["pss"]["most"] >= row["pss"]["end"] > 1
        assert row["came meanwhile"] > 0


def sample(message_size: float, messages: int, events: int) -> dict[str, float]:
    """Of a push that takes 100 us a message and 2 ns a byte, and a pull that takes half of it."""
    seconds = messages * 100e-6 + messages * message_size * 2e-9
    return {
        "events": events,
        "messages": messages,
        "message": message_size,
        "push_cpu": seconds / events * 1e9,
        "pull_cpu": seconds / 2 / events * 1e9,
    }


def test_costs_of_messages_and_bytes_are_told_apart() -> None:
    fast = {"key": "rings", "samples": [sample(500_000, 1000, 6_000_000), sample(450_000, 900, 5_000_000)]}
    slow = {"key": "rings", "samples": [sample(80, 4000, 4000), sample(1600, 1000, 20_000)]}
    found = costs([fast, {"key": "plain", "samples": [{"rate": 1}]}], [slow])
    assert found["push"] == pytest.approx({"message": 100e-6, "byte": 2e-9})
    assert found["pull"] == pytest.approx({"message": 50e-6, "byte": 1e-9})
    told = for_scaling(found)
    assert set(told) == {"push_message", "push_byte", "pull_message", "pull_byte"}
    assert 0 < told["push_message"] < 100e-6  # the client's part is off
    assert costs([{"key": "rings", "samples": []}], []) == {}


def test_the_simulation_takes_what_is_kept_for_it(tmp_path: Path) -> None:
    kept = tmp_path / "bridge.json"
    kept.write_text(json.dumps({"scaling": for_scaling({"push": {"message": 1.0, "byte": 0.5}})}))
    constants = Constants(of_bridge=kept)
    assert constants["push_message"] + constants["publish_message"] == pytest.approx(1.0)
    kept.write_text(json.dumps({"scaling": for_scaling({"push": {"message": 1.0, "byte": 0.0}})}))
    constants = Constants(of_bridge=kept)
    assert constants["push_byte"] + constants["publish_byte"] == pytest.approx(0.0)  # it goes past the client


def test_the_bar_is_against_single_events_of_64_bytes() -> None:
    rows = [
        {"way": way.name, "key": way.key, "size": size, "rate": rate, "megabytes": 1.0}
        for size in (64, 1024)
        for way, rate in ((Rings, 4e6), (Plain, 2e5), (JetStream, 5e4))
    ]
    rows.append({**bridge.RAW, "size": 1 << 19, "megabytes": 640.0})
    told = bridge.ratios(rows)
    assert [round(each["ratio"], 3) for each in told if each["size"] == 64] == [20, 80, 0.5]
    (bar,) = bridge.bars(told)
    assert (bar["ratio"], bar["holds"]) == (20, True)


def test_the_verb_writes_a_record_that_the_report_can_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the runs give is made up: they have tests of their own."""
    speed = {"rate": 1e6, "megabytes": 64.0, "events": 1000, "messages": 10, "message": 500_000.0}
    cpu = dict.fromkeys(("sender", "push", "server", "pull", "receiver"), 100.0)
    late = {"p50": 1e5, "p99": 1e6, "p999": None, "max": 2e6, "late_p50": 1e4, "late_p99": 1e5}
    sent = {"sent": 200, "planned": 200, "messages": 200, "message": 80.0}
    moments = dict.fromkeys(("before", "middle", "end", "most", "after"), 10.0)
    stopped = {"stopped": "pull", "process": "push", "pss": moments, "came meanwhile": 100.0}
    monkeypatch.setattr(bridge, "throughput", lambda *_: {**speed, "cpu": dict(cpu)})
    monkeypatch.setattr(bridge, "raw", lambda *_: {"megabytes": 500.0, "cpu": {"server": 2.5}})
    monkeypatch.setattr(bridge, "latency", lambda *_: {**late, **sent, "cpu": dict(cpu)})
    monkeypatch.setattr(bridge, "memory", lambda *_: [stopped])
    path = tmp_path / "bridge.json"
    assert bridge.main(["--quick", "--dir", str(tmp_path), "--json", str(path)]) == 0
    assert "times nats-py, publish and subscribe" in capsys.readouterr().out
    record = json.loads(path.read_text())
    assert set(record["scaling"]) == {"push_message", "push_byte", "pull_message", "pull_byte"}
    for table in (bridge_tables.throughput, bridge_tables.latency, bridge_tables.memory):
        head, lines = table(record)
        assert lines
        assert all(len(line) == len(head) for line in lines)
    assert of_bridges.bridge(record).bars[0].held is False
    text = "".join(f"<!-- bench:{name} -->\n<!-- /bench:{name} -->\n" for name in TABLES if "bridge" in name)
    filled, changed = readme.filled(text, {"bridge": record})
    assert changed == ["bridge", "bridge-latency", "bridge-memory"]
    assert filled.count(Rings.name) == 2


def test_a_way_that_fails_is_a_row_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise Failed("no such luck")

    for name in ("throughput", "raw", "latency", "memory"):
        monkeypatch.setattr(bridge, name, fails)
    assert bridge.main(["--quick", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("no such luck") >= 6


@pytest.mark.parametrize("size", ["8", "65"])
def test_sizes_that_cannot_be_checked_are_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bridge.main(["--sizes", size])
    assert "multiple of 8" in capsys.readouterr().err
