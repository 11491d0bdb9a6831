"""What can go wrong between two machines. All are `BridgeError`, and so `RinglogError`."""

from __future__ import annotations

from ringlog.errors import RinglogError


class BridgeError(RinglogError):
    """The base of the errors of `ringlog.bridge`."""


class ConnectFailed(BridgeError, ConnectionError):
    """No server could be reached, or it is no server of this kind; the message names address and reason."""


class NotAuthorized(BridgeError, PermissionError):
    """The server refused the credentials, or what was asked for with them."""


class BadSetup(BridgeError, ValueError):
    """The server has not what this needs: JetStream, room for a stream, a stream that keeps messages."""


class BadMessage(BridgeError, ValueError):
    """A message that is none of ringlog's, or whose bytes are not what its header says."""


class OtherStream(BridgeError, ValueError):
    """Here are events of another stream than there: a ring that was made again, a wrong subject, a ring that
    somebody else wrote to. Nothing of them was mixed."""


class MessageTooLarge(BridgeError, ValueError):
    """One event is larger than the server takes as a message."""


class Interrupted(BridgeError):
    """For transports: the connection was lost, or an answer did not come; what was in flight may have arrived
    or not. Who gets it asks again where the other side stands."""


class Full(BridgeError):
    """For transports: the server takes no more for now, and says so; nothing was kept."""
