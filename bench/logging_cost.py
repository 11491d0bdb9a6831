"""What does a log call cost, and how long does the slowest take, when processes log into one file?

Each process logs lines by `logger.info`, and every call is timed. First as fast as it can: records a second,
by the callers' clocks and until the last line is in the file. Then at a steady rate (--rate), where it shows
how long the application is kept: median, percentiles, the slowest call. ringlog and multiprocessing.Queue
have a process that listens and alone has the file; the other two write it from each process,
concurrent-log-handler under a lock of files, FileHandler by nothing but O_APPEND (which can't rotate). In the
end every line has to be in the file, in its process's order. Contestants take turns; processes are started
before.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import logging
import logging.handlers
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ringlog
from bench import method
from bench.processes import CONTEXT
from ringlog.logging import RingHandler, RingListener

LAYOUT = logging.Formatter("%(asctime)s %(levelname)s %(process)d %(message)s")
MESSAGE = "request %s of %s served in %.3f ms for /index.html: worker %d record %d"
PATIENCE = 60.0
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "slowest": 1.0}
Figures = dict[str, float]


class Way:
    """One way of many processes into one file. `queue` is there for those that share one."""

    needs = ""
    queues = False

    def __init__(self, folder: Path, queue: Any) -> None:
        self.file, self.ring, self.queue = folder / "out.log", folder / "ring", queue

    def handler(self) -> logging.Handler:
        """In each process that logs."""
        raise NotImplementedError

    def listener(self, sink: logging.Handler) -> contextlib.AbstractContextManager[Any] | None:
        """In the process that has the file; None: there is none."""
        return None

    def finish(self, handler: logging.Handler) -> None:
        """Whatever the process has logged can be heard by the listener."""
        handler.close()


class Ring(Way):
    """ringlog, records"""

    form: Any = "json"

    def handler(self) -> logging.Handler:
        handler = RingHandler(self.ring, timeout=PATIENCE, form=self.form)
        handler.setFormatter(LAYOUT)
        return handler

    def listener(self, sink: logging.Handler) -> contextlib.AbstractContextManager[Any]:
        return RingListener(self.ring, sink)

    def finish(self, handler: logging.Handler) -> None:
        assert isinstance(handler, RingHandler)
        if handler.lost:
            raise SystemExit(f"{handler.lost} records lost")
        handler.close()


class RingText(Ring):
    """ringlog, text"""

    form = "text"

    def listener(self, sink: logging.Handler) -> contextlib.AbstractContextManager[Any]:
        sink.setFormatter(None)  # it is laid out already
        return super().listener(sink)


class Queue(Way):
    """QueueHandler, multiprocessing.Queue"""

    queues = True

    def handler(self) -> logging.Handler:
        return logging.handlers.QueueHandler(self.queue)

    @contextlib.contextmanager
    def listener(self, sink: logging.Handler) -> Iterator[None]:
        listener = logging.handlers.QueueListener(self.queue, sink)
        listener.start()
        yield
        listener.stop()

    def finish(self, handler: logging.Handler) -> None:
        self.queue.close()
        self.queue.join_thread()


class Locked(Way):
    """concurrent-log-handler"""

    needs = "concurrent_log_handler"

    def handler(self) -> logging.Handler:
        from concurrent_log_handler import ConcurrentRotatingFileHandler

        handler: logging.Handler = ConcurrentRotatingFileHandler(str(self.file), "a", maxBytes=1 << 40)
        handler.setFormatter(LAYOUT)
        return handler


class Appended(Way):
    """FileHandler in each process"""

    def handler(self) -> logging.Handler:
        handler = logging.FileHandler(self.file)
        handler.setFormatter(LAYOUT)
        return handler


WAYS: tuple[type[Way], ...] = (Ring, RingText, Queue, Locked, Appended)


def work(way: Way, number: int, count: int, rate: float, told: Any) -> None:
    """Log, and tell: when the first call began, when the last one ended, how long each took (ns)."""
    logger = logging.Logger("bench")
    handler = way.handler()
    logger.addHandler(handler)
    clock, took = time.perf_counter_ns, array.array("q")
    told.send("ready")
    begin = told.recv()
    while clock() < begin:
        pass
    for record in range(count):
        if rate:
            time.sleep(max(0.0, (begin + record * 1e9 / rate - clock()) / 1e9))
        start = clock()
        logger.info(MESSAGE, "GET", "example.org", 1.25, number, record)
        took.append(clock() - start)
    end = clock()
    way.finish(handler)
    told.send((begin, end, took))


def listen(way: Way, told: Any) -> None:
    sink = logging.FileHandler(way.file)
    sink.setFormatter(LAYOUT)
    listener = way.listener(sink)
    assert listener is not None
    with listener:
        told.send("ready")
        told.recv()
    sink.close()
    told.send(time.perf_counter_ns())


@contextlib.contextmanager
def started(target: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """A process that is ready, by the connection to it."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        if hear(ours) != "ready":
            raise SystemExit("a process did not start")
        yield ours
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
        ours.close()


def hear(connection: Any) -> Any:
    if not connection.poll(PATIENCE):
        raise SystemExit(f"a process said nothing for {PATIENCE:.0f} s")
    return connection.recv()


def run(
    kind: type[Way], where: Path, processes: int, count: int, rate: float
) -> tuple[Figures, array.array[int]]:
    """Rates (records a second, of all processes together) and the time of each call."""
    with tempfile.TemporaryDirectory(dir=where) as folder, contextlib.ExitStack() as stack:
        way = kind(Path(folder), CONTEXT.Queue() if kind.queues else None)
        if isinstance(way, Ring):
            ringlog.create(way.ring)
            stack.callback(ringlog.unlink, way.ring)
        sink = None
        if kind.listener is not Way.listener:
            sink = stack.enter_context(started(listen, way))
        workers = [stack.enter_context(started(work, way, n, count, rate)) for n in range(processes)]
        begin = time.perf_counter_ns() + 50_000_000
        for worker in workers:
            worker.send(begin)
        seen = [hear(worker) for worker in workers]
        called = written = max(end for _, end, _ in seen)
        if sink is not None:
            sink.send("stop")
            written = hear(sink)
        check(way.file, processes, count)
    calls = array.array("q")
    for _, _, took in seen:
        calls.extend(took)
    total = processes * count * 1e9
    return {"called": total / (called - begin), "written": total / (written - begin)}, calls


def check(file: Path, processes: int, count: int) -> None:
    """Every line is there, whole, and in its process's order."""
    following = [0] * processes
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        worker, record = int(words[-3]), int(words[-1])
        if (len(words), words[2]) != (18, "INFO") or following[worker] != record:
            raise SystemExit(f"{file}: after record {following[worker] - 1} of this worker: {line!r}")
        following[worker] += 1
    if following != [count] * processes:
        raise SystemExit(f"{file}: of {count} records of each process {following} arrived")


def sample(kind: type[Way], where: Path, processes: int, count: int, rate: float) -> Figures:
    figures, _ = run(kind, where, processes, count, 0.0)
    _, calls = run(kind, where, processes, max(100, count // 10), rate)
    ordered = sorted(calls)
    for name, part in PERCENTILES.items():
        figures[name] = ordered[min(len(ordered) - 1, int(part * len(ordered)))] / 1000
    return figures


def of_processes(given: argparse.Namespace, processes: int) -> list[dict[str, Any]]:
    there = [kind for kind in WAYS if not kind.needs or find_spec(kind.needs)]
    names = {kind: str(kind.__doc__) for kind in WAYS}
    tasks = {
        names[kind]: partial(sample, kind, given.dir, processes, given.records, given.rate) for kind in there
    }
    samples = method.interleave(tasks, given.rounds)
    rows, lines = [], []
    for name, figures in samples.items():
        spreads = {key: method.Spread.of([one[key] for one in figures]) for key in figures[0]}
        rows.append(
            {
                "method": name,
                "processes": processes,
                "figures": {key: spread.record() for key, spread in spreads.items()},
                "samples": figures,
            }
        )
        rates = [f"{spreads[key].median:,.0f}" for key in ("called", "written")]
        times = [f"{spreads[key].median:,.1f}" for key in PERCENTILES]
        lines.append([name, *rates, *times, f"{spreads['slowest'].most:,.1f}"])
    lines += [[names[kind], *["not installed"] * 7] for kind in WAYS if kind not in there]
    head = ["Method", "records/s", "in the file", *(f"{key}, µs" for key in PERCENTILES), "of all rounds"]
    print(
        f"{processes} logging: {given.records:,} records each as fast as they can; then calls at "
        f"{given.rate:,.0f} a second each; medians of {given.rounds} rounds\n"
    )
    print(method.table(head, lines), end="\n\n", flush=True)
    return rows


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench logging", description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4], help="that log (1 4)")
    parser.add_argument("--records", type=int, default=20_000, help="of each process at full speed (20,000)")
    parser.add_argument("--rate", type=float, default=1000.0, help="records a second, then (1,000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round, and no JSON unless --json")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(argv)
    if given.quick:
        given.records, given.rounds = 2000, 1
    rows = [row for processes in given.processes for row in of_processes(given, processes)]
    record = {
        "machine": method.machine(given.dir),
        "parameters": {"records": given.records, "rate": given.rate, "rounds": given.rounds},
        "rows": rows,
    }
    if given.json or not given.quick:
        print(f"written to {method.save('logging', record, given.json)}")
    return 0
