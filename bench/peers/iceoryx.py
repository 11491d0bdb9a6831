"""iceoryx2: one publisher that waits for every subscriber, payloads as slices of bytes in shared memory.

The payload goes in by memmove and comes out as bytes: a comparison through a ctypes memoryview is slower
than the copy, and the sample goes back to the publisher at once.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.peers import fan_out
from bench.peers.peer import Peer, Sender


class Iceoryx(Peer):
    """A subscriber that polls."""

    name = "iceoryx2"
    library = "iceoryx2"
    needs = ("iceoryx2",)
    waits = "spins"

    @property
    def prefix(self) -> str:
        """What the names of all its files begin with, so that none of them outlives the race."""
        return f"{self.folder.name}_"

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        try:
            yield
        finally:
            for path in Path("/dev/shm").glob(f"{self.prefix}*"):
                path.unlink(missing_ok=True)

    def node(self, iox: Any) -> Any:
        config = iox.config.default()
        config.global_cfg.root_path = iox.Path.new(str(self.folder))
        config.global_cfg.prefix = iox.FileName.new(self.prefix)
        iox.set_log_level(iox.LogLevel.Error)
        return iox.NodeBuilder.new().config(config).create(iox.ServiceType.Ipc)

    def service(self, iox: Any, node: Any) -> Any:
        return (
            node.service_builder(iox.ServiceName.new("race"))
            .publish_subscribe(iox.Slice[ctypes.c_uint8])
            .max_publishers(1)
            .max_subscribers(self.readers)
            .history_size(0)
            .enable_safe_overflow(False)
            .subscriber_max_buffer_size(max(1, self.room // max(self.size, 1)))
            .open_or_create()
        )

    @contextlib.contextmanager
    def sending(self) -> Iterator[Sender]:
        import iceoryx2 as iox

        node = self.node(iox)
        publisher = (
            self.service(iox, node)
            .publisher_builder()
            .initial_max_slice_len(self.size)
            .allocation_strategy(iox.AllocationStrategy.Static)
            .backpressure_strategy(iox.BackpressureStrategy.RetryUntilDelivered)
            .create()
        )
        yield fan_out.into([self.send(iox, node, publisher)])

    def send(self, iox: Any, node: Any, publisher: Any) -> Callable[[Any], object]:
        loan, move = publisher.loan_slice_uninit, ctypes.memmove

        def send(message: Any) -> None:
            size = len(message)
            sample = loan(size)
            move(sample.payload_ptr, message, size)
            sample.assume_init().send()

        return send

    @contextlib.contextmanager
    def receiving(self, index: int) -> Iterator[Iterator[Any]]:
        import iceoryx2 as iox

        node = self.node(iox)
        subscriber = self.service(iox, node).subscriber_builder().create()
        yield self.what_comes(iox, node, subscriber)

    def what_comes(self, iox: Any, node: Any, subscriber: Any) -> Iterator[Any]:
        take, copy = subscriber.receive, ctypes.string_at

        def receive() -> bytes | None:
            sample = take()
            return sample and copy(sample.payload_ptr, sample.header.number_of_elements)

        return iter(receive, object())


class IceoryxEvent(Iceoryx):
    """A subscriber that sleeps in a listener; the publisher notifies it of every message."""

    name = "iceoryx2, with events"
    waits = "sleeps"

    def event(self, iox: Any, node: Any) -> Any:
        return (
            node.service_builder(iox.ServiceName.new("race"))
            .event()
            .max_notifiers(1)
            .max_listeners(self.readers)
            .open_or_create()
        )

    def send(self, iox: Any, node: Any, publisher: Any) -> Callable[[Any], object]:
        notify = self.event(iox, node).notifier_builder().create().notify
        silently = super().send(iox, node, publisher)

        def send(message: Any) -> None:
            silently(message)
            notify()

        return send

    def what_comes(self, iox: Any, node: Any, subscriber: Any) -> Iterator[Any]:
        listener = self.event(iox, node).listener_builder().create()
        for data in super().what_comes(iox, node, subscriber):
            if data is None:
                listener.blocking_wait()
            else:
                yield data
