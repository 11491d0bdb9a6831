"""NATS JetStream between two rings: `Nats`. Needs nats-py, which is asked for when it is first used."""

from ringlog.bridge.nats.transport import Nats

__all__ = ["Nats"]
