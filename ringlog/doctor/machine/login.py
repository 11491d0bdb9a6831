"""Does systemd remove rings when their owner logs out (RemoveIPC)?"""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from ringlog.doctor.finding import Finding
from ringlog.doctor.machine.surroundings import SHARED_MEMORY, Surroundings
from ringlog.doctor.machine.system import System

# Where systemd looks, what counts most first; of drop-ins with one name only the first counts.
FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
_YES = {"1", "yes", "y", "true", "t", "on"}
_NO = {"0", "no", "n", "false", "f", "off"}
_NOBODY = 65534


def removed_at_logout(seen: Surroundings) -> Iterator[Finding]:
    """Will logind remove what regular users keep in /dev/shm when their last session ends?"""
    if not seen.system.exists("/run/systemd/system"):
        return  # systemd does not run here
    removes, source = setting(seen.system)
    owners = {file.owner for file in seen.files if file.path.startswith(SHARED_MEMORY + "/")} or {
        seen.system.user()
    }
    users = {owner: _name(owner) for owner in sorted(owners) if _is_regular(seen.system, owner)}
    in_danger = [name for name in users.values() if not seen.system.exists(f"/var/lib/systemd/linger/{name}")]
    if not removes or not in_danger:
        return
    who = ", ".join(in_danger)
    yield Finding(
        SHARED_MEMORY,
        "remove-ipc",
        "problem" if any(file.owner in users for file in seen.files) else "note",
        f"RemoveIPC is on ({source}): when the last session of {who} ends, systemd removes the rings and "
        "semaphores of that user here, also under services and cron jobs that use them",
        "run the service as a system user; or: loginctl enable-linger USER; or RemoveIPC=no in "
        "/etc/systemd/logind.conf, then restart systemd-logind",
        {"users": in_danger, "source": source},
    )


def setting(system: System) -> tuple[bool, str]:
    """Is RemoveIPC on, and which file says so?"""
    removes, source = True, "systemd's default"
    main = next(
        (f"{folder}/logind.conf" for folder in FOLDERS if system.exists(f"{folder}/logind.conf")), None
    )
    drop_ins: dict[str, str] = {}
    for folder in reversed(FOLDERS):
        place = f"{folder}/logind.conf.d"
        try:
            names = [path.name for path in system.path(place).iterdir() if path.name.endswith(".conf")]
        except OSError:
            continue
        drop_ins.update({name: f"{place}/{name}" for name in names})
    for file in ([main] if main else []) + [drop_ins[name] for name in sorted(drop_ins)]:
        said = _said(system.text(file) or "")
        if said is not None:
            removes, source = said, file
    return removes, source


def _said(text: str) -> bool | None:
    """What a file says of RemoveIPC in its section [Login]; the last line counts."""
    section, found = "", None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        name, equals, value = line.partition("=")
        if section == "[Login]" and equals and name.strip() == "RemoveIPC":
            word = value.strip().lower()
            found = True if word in _YES else False if word in _NO else found
    return found


def _is_regular(system: System, user: int) -> bool:
    """systemd spares root, system users and nobody."""
    last = 999
    for line in (system.text("/etc/login.defs") or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "SYS_UID_MAX" and words[1].isdigit():
            last = int(words[1])
    return user > last and user != _NOBODY


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
