"""Channel Synchronized: threads hand their messages to one writer thread through a `queue.Queue`.

The queue is bounded, as a channel is: whoever writes faster than the file takes it has to wait.
The writer thread is the only one to touch the file, which is buffered as in Buffered Sequential. The time
ends when the writer thread has written and flushed the last message.
"""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from bench.rows.buffered import BufferedStream
from bench.rows.check import check
from bench.rows.row import Job, Row, timed, warmed

DEPTH = 1024  # messages


class ChannelStream:
    def __init__(self, path: Path) -> None:
        self.stream = BufferedStream(path)
        self.queue: queue.Queue[bytes | None] = queue.Queue(DEPTH)
        self.append = self.queue.put
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self) -> None:
        while (data := self.queue.get()) is not None:
            self.stream.append(data)
        self.stream.flush()

    def finish(self) -> None:
        self.queue.put(None)
        self.thread.join()

    def close(self) -> None:
        self.stream.close()


def one_pass(job: Job) -> int:
    path = job.directory / "channel.events"
    channel = ChannelStream(path)
    taken = timed(job, channel.append, job.messages, channel.finish)
    channel.close()
    check(path.read_bytes(), job.messages)
    path.unlink()
    return taken


ROWS = [
    Row(
        "Channel Synchronized",
        "Python, queue.Queue of 1024 to one thread with a buffered file",
        warmed(one_pass),
    )
]
