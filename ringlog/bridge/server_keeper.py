"""A process between us and a server: when we die, however we die, the server is ended, and with it this.

Run as a script, by `Server`: server_keeper.py <our pid> <folder to remove if we die, or "-"> <command ...>.
The pid of the server is the first line that it prints. It is on its own (no imports of ours), so that it
starts at once and stays small.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PATIENCE = 5000  # milliseconds for a server to end when it is asked to


def become_server(command: list[str], keeper: int) -> NoReturn:
    # Set here, in a process that has one thread and never had more: the signal comes when the thread that
    # forked is gone, and that one is the keeper's only one.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    try:
        os.execv(command[0], command)
    finally:
        os._exit(127)


def main() -> int:
    owner, folder, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    try:
        watched = os.pidfd_open(owner)
    except ProcessLookupError:
        return 1
    if os.getppid() != owner:
        return 1
    keeper = os.getpid()
    server = os.fork()
    if server == 0:
        become_server(command, keeper)
    ended = os.pidfd_open(server)
    os.write(1, b"%d\n" % server)
    os.close(1)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.register(ended, select.POLLIN)
    orphaned = ended not in [descriptor for descriptor, _ in poll.poll()]
    if orphaned:
        os.kill(server, signal.SIGTERM)
        poll.unregister(watched)
        if not poll.poll(PATIENCE):
            os.kill(server, signal.SIGKILL)
    _, status = os.waitpid(server, 0)
    if orphaned and folder != "-":
        shutil.rmtree(folder, ignore_errors=True)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
