"""Two machines for `two_machines.py`: a network between them that can be cut, and processes on each."""

from .machines import Machines, machines
from .team import Team, until

__all__ = ["Machines", "Team", "machines", "until"]
