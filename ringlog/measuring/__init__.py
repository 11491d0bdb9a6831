"""A short, honest measurement of this machine, for `ringlog bench`, with a yardstick in the same run.

One process sends, another receives and compares every byte. Contestants take turns, round by round, so that
what else happens on the machine meets all of them. The repository's `bench` folder has the thorough ones.
"""

from ringlog.measuring.machine import machine
from ringlog.measuring.run import Latency, Result, Throughput, measure

__all__ = ["Latency", "Result", "Throughput", "machine", "measure"]
