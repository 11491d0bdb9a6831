"""Logging from many processes into one ring, with the standard library's `logging` or with structlog.

    logging.getLogger().addHandler(ringlog.logging.RingHandler("/dev/shm/app.log"))  # in each process

    with ringlog.logging.RingListener("/dev/shm/app.log", logging.FileHandler("app.log")):  # in one
        ...

There is no queue, no thread on the writing side, and no lock that a killed process could keep. A log call
never waits longer than its handler's timeout; what could not be written is counted and told in the stream.
"""

from ringlog._logging.handler import RingHandler
from ringlog._logging.listener import RingListener
from ringlog._logging.structlog_loggers import RingLogger, RingLoggerFactory

__all__ = ["RingHandler", "RingListener", "RingLogger", "RingLoggerFactory"]
