"""What happens in the rings of this machine, from one look at each to the next.

The layer below `ringlog top` and `ringlog exporter`:

    sampler = Sampler(["/dev/shm"])
    sampler.sample()  # the first has no rates yet
    time.sleep(1)
    for ring in sampler.sample().rings:
        print(ring.path, ring.events_per_second, [(reader.pid, reader.why) for reader in ring.readers])

Nothing here changes a ring, takes a lock or waits; read permission is enough.
"""

from ringlog.observing.processes import ProcessSample, ProcessTable
from ringlog.observing.sample import (
    BridgeSample,
    ReaderSample,
    RingSample,
    Sample,
    Severity,
    WriterSample,
)
from ringlog.observing.sampler import SHARED_MEMORY, Sampler

__all__ = [
    "SHARED_MEMORY",
    "BridgeSample",
    "ProcessSample",
    "ProcessTable",
    "ReaderSample",
    "RingSample",
    "Sample",
    "Sampler",
    "Severity",
    "WriterSample",
]
