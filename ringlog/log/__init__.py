"""Logs: streams kept whole, in files. Written, read, sought, kept short; recorded from rings."""

from ringlog.log.following import Following, follow
from ringlog.log.reader import LogReader
from ringlog.log.recording import record
from ringlog.log.writer import LogWriter

__all__ = ["Following", "LogReader", "LogWriter", "follow", "record"]
