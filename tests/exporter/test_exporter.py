"""`ringlog exporter`: what Prometheus is told, over HTTP, read with its own parser."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_command import COMMAND, PATIENCE, error
from planted_boards import ADDRESS, PULL, bridge
from planted_rings import NOON, Clock
from processes import Child
from prometheus_client.parser import text_string_to_metric_families

import ringlog
from ringlog.cli.errors import ExitCode
from ringlog.observing import Sampler
from ringlog.observing.metrics import METRICS
from ringlog.observing.prometheus import RingCollector

Serve = Callable[..., tuple[subprocess.Popen[str], str]]
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start an exporter at a free port: the process, and where it is."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        command = [*COMMAND, "exporter", "--port", "0", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"ringlog: (http://\S+/metrics)\n", said)
        assert found, said
        return process, found[1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        text: str = answer.read().decode()
    return text


def figures(text: str) -> Figures:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Figures, metric: str, /, **labels: str) -> float:
    return found[metric, frozenset(labels.items())]


def test_scraped_over_http(ring_path: str, serve: Serve) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536, lock="session") as writer,
        ringlog.Reader(ring_path, name="billing", start="oldest") as reader,
    ):
        writer.append_many([bytes(48)] * 10)
        process, url = serve(ring_path)
        assert url.startswith("http://127.0.0.1:")
        found = figures(fetch(url))
        assert of(found, "ringlog_ring_up", ring=ring_path) == 1
        assert of(found, "ringlog_ring_events_total", ring=ring_path) == 10
        assert of(found, "ringlog_ring_published_bytes_total", ring=ring_path) == 640
        assert of(found, "ringlog_ring_capacity_bytes", ring=ring_path) == 65536
        assert of(found, "ringlog_ring_unread_ratio", ring=ring_path) == 640 / 65536
        newest = of(found, "ringlog_ring_newest_event_timestamp_seconds", ring=ring_path)
        assert newest == pytest.approx(reader.read().timestamp / 1e9)
        writes = {"ring": ring_path, "slot": "0"}
        assert of(found, "ringlog_writer_holds_lock", **writes) == 1
        states = [
            of(found, "ringlog_writer_state", **writes, state=one) for one in ("active", "idle", "dead")
        ]
        assert sum(states[:2]) == 1
        assert states[2] == 0
        reads = {**writes, "reader": "billing"}
        assert of(found, "ringlog_reader_lag_events", **reads) == 10
        assert of(found, "ringlog_reader_behind_seconds", **reads) > 0
        assert of(found, "ringlog_reader_finished_events_total", **reads) == 0
        assert of(found, "ringlog_reader_cpu_seconds_total", **reads) > 0
        assert of(found, "ringlog_reader_memory_bytes", **reads) > 0
        assert of(found, "ringlog_reader_state", **reads, state="reading") == 1
        assert of(found, "ringlog_exporter_denied_files") == 0
        reader.read_many()
        reader.commit()
        writer.append(bytes(48))
        found = figures(fetch(url))  # it looks again
        assert of(found, "ringlog_ring_events_total", ring=ring_path) == 11
        assert of(found, "ringlog_reader_lag_events", **reads) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == ExitCode.TERMINATED
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_every_metric_has_its_type_unit_and_help(ring_path: str, serve: Serve) -> None:
    with (
        ringlog.Writer(ring_path, capacity=65536),
        ringlog.Reader(ring_path, lossless=True),
        bridge(ring_path),
    ):
        families = list(text_string_to_metric_families(fetch(serve(ring_path)[1])))
    assert len(families) == len(METRICS)
    for family in families:
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge")
        assert family.name.startswith("ringlog_")
        assert all(sample.name.endswith("_total") == (family.type == "counter") for sample in family.samples)
        assert family.samples
        keys = {tuple(sample.labels) for sample in family.samples}
        assert len(keys) == 1


def test_a_push_and_what_is_left_of_one(ring_path: str, serve: Serve, spawn: Callable[..., Child]) -> None:
    ringlog.create(ring_path, 65536)
    killed = spawn(PULL, ring_path)
    killed.line()
    killed.kill()
    with bridge(ring_path, events=7, bytes=400, missing=3, gaps=1, lag_events=5, lag_seconds=2.5):
        found = figures(fetch(serve(ring_path)[1]))
    push = {"ring": ring_path, "direction": "push", "name": "bridge", "address": ADDRESS}
    assert of(found, "ringlog_bridge_up", **push) == 1
    assert of(found, "ringlog_bridge_events_total", **push) == 7
    assert of(found, "ringlog_bridge_bytes_total", **push) == 400
    assert of(found, "ringlog_bridge_missing_events_total", **push) == 3
    assert of(found, "ringlog_bridge_gaps_total", **push) == 1
    assert of(found, "ringlog_bridge_lag_events", **push) == 5
    assert of(found, "ringlog_bridge_lag_seconds", **push) == 2.5
    assert of(found, "ringlog_bridge_severity", **push) == 1
    assert of(found, "ringlog_bridge_state", **push, state="running") == 1
    pull = {"ring": ring_path, "direction": "pull", "name": "", "address": ADDRESS}
    assert of(found, "ringlog_bridge_up", **pull) == 0
    assert of(found, "ringlog_bridge_events_total", **pull) == 0
    assert of(found, "ringlog_bridge_state", **pull, state="running") == 0
    assert of(found, "ringlog_bridge_state", **pull, state="killed") == 1
    assert of(found, "ringlog_bridge_severity", **pull) == 2


def test_rings_come_and_go(ring_folder: Path, serve: Serve) -> None:
    _, url = serve(str(ring_folder), str(ring_folder / "named"))
    found = figures(fetch(url))
    assert of(found, "ringlog_ring_up", ring=str(ring_folder / "named")) == 0
    ringlog.create(ring_folder / "named", 65536)
    ringlog.create(ring_folder / "other", 65536)

    def up() -> dict[str, float]:
        found = figures(fetch(url))
        return {
            dict(labels)["ring"]: value
            for (name, labels), value in found.items()
            if name == "ringlog_ring_up"
        }

    assert up()[str(ring_folder / "named")] == 1
    while str(ring_folder / "other") not in up():  # folders are looked through now and then
        pass
    ringlog.unlink(ring_folder / "named")
    assert up()[str(ring_folder / "named")] == 0


def test_names_that_need_care(ring_folder: Path) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    path = ring_folder / 'quote" back\\ line\nend\udcff'
    clock = Clock()
    registry = CollectorRegistry()
    registry.register(RingCollector(Sampler([path], clock=clock.unix, monotonic=clock.monotonic)))
    name = '\u97f3\u4e50 "x"\\'
    with (
        ringlog.Writer(path, capacity=65536) as writer,
        ringlog.Reader(path, name=name, start="oldest"),
    ):
        writer.append(b"x", timestamp=NOON - 2_000_000_000)
        found = figures(generate_latest(registry).decode())
    shown = str(path).replace("\udcff", "\ufffd")
    assert of(found, "ringlog_reader_behind_seconds", ring=shown, slot="0", reader=name) == 2


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = error("exporter", "--port", str(port), code=ExitCode.FAILED)
    assert f"127.0.0.1:{port}: address already in use" in said


def test_an_address_that_is_none() -> None:
    said = error("exporter", "--host", "256.0.0.1", "--port", "0", code=ExitCode.FAILED)
    assert "256.0.0.1:0: " in said


def test_without_the_client_library(ring_path: str) -> None:
    code = "import sys; sys.modules['prometheus_client'] = None; import ringlog.cli as c; sys.exit(c.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "exporter"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == ExitCode.FAILED
    assert "pip install 'ringlog[cli,metrics]'" in done.stderr
    assert "Traceback" not in done.stderr
