"""push, pull and the server between them, killed at random while a writer writes; then the copy is compared.

    python -m tests.soak.bridge --kills 50 [--seed 7] [--rate 20000]

From a checkout, with ringlog[nats] installed. One writer on a ring, push to a real NATS server, pull into
another ring, and a lossless reader of that one, which compares each event with what was written under its
sequence. One of the three in between is killed by kill -9, or all of them, and started again a while
later. Lost, duplicated or wrong events: exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import ringlog
from ringlog.bridge import Server

HANGS = 60.0
LIVES = 1.5  # seconds between two kills, at most
AWAY = 0.7  # seconds that what was killed is away, at most
LARGEST = 2000  # bytes of an event
SUBJECT = "ringlog.soak"
# A server that is not there at the start is an error, after which a service is started again.
PUSH = """
import sys, time
from ringlog.bridge import ConnectFailed, Nats, push
while True:
    try:
        push(sys.argv[1], Nats(sys.argv[2], sys.argv[3]))
        break
    except ConnectFailed:
        time.sleep(0.1)
"""
PULL = PUSH.replace("push", "pull")
KINDS = ("push", "pull", "server", "all")


@dataclass
class Score:
    seed: int
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    written: int = 0
    compared: int = 0
    missing: int = 0
    duplicates: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of {kind}" for kind, count in self.kills.items())
        return (
            f"seed {self.seed}: {sum(self.kills.values())} kills ({kills}), {self.written} events written, "
            f"{self.compared} compared\n"
            f"missing: {self.missing}, duplicates: {self.duplicates}, wrong: {len(self.wrong)}"
        )

    @property
    def good(self) -> bool:
        return self.written == self.compared and not (self.missing or self.duplicates or self.wrong)


def data_of(sequence: int) -> bytes:
    """What is written under a sequence: of any size, and never the same."""
    chance = random.Random(sequence)
    return sequence.to_bytes(8, "little") + chance.randbytes(chance.randrange(LARGEST) if sequence % 7 else 0)


class Soak:
    def __init__(self, score: Score, kills: int, rate: float) -> None:
        self.score, self.kills, self.rate = score, kills, rate
        self.chance = random.Random(score.seed)
        self.folder = tempfile.mkdtemp(prefix="ringlog-soak-")
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.rings = tempfile.mkdtemp(prefix="ringlog-soak-", dir=memory)
        self.source, self.copy = f"{self.rings}/source", f"{self.rings}/copy"
        self.server = Server(f"{self.folder}/store", port=0)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        ringlog.create(self.source, 256 << 20)
        writing, reading = threading.Thread(target=self.write), threading.Thread(target=self.compare)
        try:
            self.server.start()
            self.start("push")
            self.start("pull")
            writing.start()
            reading.start()
            for _ in range(self.kills):
                time.sleep(self.chance.random() * LIVES)
                self.kill(self.chance.choice(KINDS))
            self.stop.set()
            writing.join(HANGS)
            reading.join(HANGS)
            if reading.is_alive():
                self.score.wrong.append(f"nothing came behind event {self.score.compared} within {HANGS} s")
        finally:
            self.stop.set()
            for child in self.children.values():
                child.kill()
                child.wait()
            writing.join()
            self.server.stop()
            for path in (self.source, self.copy):
                with contextlib.suppress(FileNotFoundError):
                    ringlog.unlink(path)
            reading.join()
            shutil.rmtree(self.folder)
            shutil.rmtree(self.rings)

    def start(self, kind: str) -> None:
        code, path = (PUSH, self.source) if kind == "push" else (PULL, self.copy)
        self.children[kind] = subprocess.Popen([sys.executable, "-c", code, path, SUBJECT, self.server.url])

    def kill(self, kind: str) -> None:
        kinds = ("push", "pull", "server") if kind == "all" else (kind,)
        for each in kinds:
            if each == "server":
                self.server.kill()
            else:
                if (code := self.children[each].poll()) is not None:
                    self.score.wrong.append(f"{each} had left by itself, exit code {code}")
                self.children[each].kill()
                self.children[each].wait()
        self.score.kills[kind] += 1
        time.sleep(self.chance.random() * AWAY)
        if "server" in kinds:
            self.server.start()
        for each in kinds:
            if each != "server":
                self.start(each)

    def write(self) -> None:
        """In a thread of its own: it waits when push is away for longer than the ring."""
        with ringlog.Writer(self.source, timeout=HANGS) as writer:
            begun = time.monotonic()
            while not self.stop.is_set():
                if self.score.written > (time.monotonic() - begun) * self.rate:
                    time.sleep(0.0005)
                    continue
                many = random.randrange(1, 30)
                items = [data_of(self.score.written + k) for k in range(many)]
                writer.append_many(items)
                self.score.written += many
            writer.end()

    def compare(self) -> None:
        due = 0
        with ringlog.Reader(self.copy, start=0, lossless=True, open_timeout=HANGS) as reader:
            while True:
                try:
                    event = reader.read(timeout=HANGS)
                except ringlog.Overrun as lost:
                    self.score.missing += lost.count
                    due = lost.last + 1
                    continue
                except (ringlog.StreamEnded, ringlog.RingRemoved, TimeoutError):
                    return
                if event.sequence != due:
                    self.score.duplicates += event.sequence < due
                    self.score.missing += max(0, event.sequence - due)
                if event.data != data_of(event.sequence):
                    self.score.wrong.append(f"event {event.sequence}")
                due = event.sequence + 1
                self.score.compared += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.bridge", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20_000.0, help="events a second")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    score = Score(options.seed)
    Soak(score, options.kills, options.rate).run()
    print(score)
    for line in score.wrong[:20]:
        print(line)
    return 0 if score.good else 1


if __name__ == "__main__":
    sys.exit(main())
