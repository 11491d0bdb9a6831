"""Question and answer between two processes, over two rings: one for each direction."""

import statistics
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import ringlog

ROUNDS = 10_000


def answer(questions: str, answers: str) -> None:
    with ringlog.Reader(questions, start="oldest", lossless=True) as inbox, ringlog.Writer(answers) as outbox:
        for question in inbox:
            outbox.append(b"%d" % int(question.data) ** 2)


def ask(questions: str, answers: str) -> bool:
    took, wrong = [], 0
    with ringlog.Writer(questions) as outbox, ringlog.Reader(answers, start="oldest", lossless=True) as inbox:
        outbox.append(b"0")
        inbox.read(timeout=30)  # the first answer waits for the other process to start
        for number in range(1, ROUNDS + 1):
            asked = time.perf_counter_ns()
            sequence = outbox.append(b"%d" % number)
            reply = inbox.read(timeout=10)
            took.append(time.perf_counter_ns() - asked)
            if reply.sequence != sequence or int(reply.data) != number**2:
                wrong += 1
        outbox.end()
    percentile = statistics.quantiles(took, n=100)
    print(f"{ROUNDS:,} round trips, {ROUNDS - wrong:,} right, {ROUNDS / sum(took) * 1e9:,.0f} per second")
    print(f"there and back: p50 {percentile[49] / 1e3:.1f} us, p99 {percentile[98] / 1e3:.1f} us")
    return wrong == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        rings = [f"{folder}/questions.ring", f"{folder}/answers.ring"]
        for ring in rings:
            ringlog.create(ring, capacity=1 << 20)
        try:
            other = get_context("spawn").Process(target=answer, args=rings, daemon=True)
            other.start()
            good = ask(*rings)
            other.join(timeout=10)  # it leaves by itself, as the questions have ended
        finally:
            for ring in rings:
                ringlog.unlink(ring)
    sys.exit(0 if good and other.exitcode == 0 else 1)
