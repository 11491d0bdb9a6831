"""Certificates, nkeys and credentials for tests, made here: nobody trusts them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import nkeys

CREDS = """\
-----BEGIN NATS USER JWT-----
{}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{}
------END USER NKEY SEED------
"""


class Key(NamedTuple):
    seed: str
    public: str

    def sign(self, data: bytes) -> bytes:
        signature: bytes = nkeys.from_seed(bytearray(self.seed.encode())).sign(data)
        return signature


def new_key(prefix: int = nkeys.PREFIX_BYTE_USER) -> Key:
    seed = nkeys.encode_seed(os.urandom(32), prefix)
    return Key(seed.decode(), nkeys.from_seed(bytearray(seed)).public_key.decode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(issuer: Key, subject: Key, kind: str, limits: dict[str, object]) -> str:
    claims = {
        "jti": "none",
        "iat": int(time.time()),
        "iss": issuer.public,
        "name": kind,
        "sub": subject.public,
        "nats": {"type": kind, "version": 2, **limits},
    }
    head = _text(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    body = f"{head}.{_text(json.dumps(claims).encode())}"
    return f"{body}.{_text(issuer.sign(body.encode()))}"


def with_credentials(path: Path) -> str:
    """Write a file of credentials; the lines of a server's configuration that knows its user."""
    operator = new_key(nkeys.PREFIX_BYTE_OPERATOR)
    account, system = new_key(nkeys.PREFIX_BYTE_ACCOUNT), new_key(nkeys.PREFIX_BYTE_ACCOUNT)
    user = new_key()
    free = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1}
    stores = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "wildcards": True}
    account_token = _token(operator, account, "account", {"limits": {**free, **stores}})
    system_token = _token(operator, system, "account", {"limits": free})
    user_token = _token(account, user, "user", {"subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}})
    path.write_text(CREDS.format(user_token, user.seed))
    return "\n".join(
        [
            f"operator: {_token(operator, operator, 'operator', {})}",
            f"system_account: {system.public}",
            "resolver: MEMORY",
            "resolver_preload {",
            f"  {account.public}: {account_token}",
            f"  {system.public}: {system_token}",
            "}",
        ]
    )


class Certificates(NamedTuple):
    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def config(self, more: str = "") -> str:
        """Lines of a server's configuration."""
        return f"""
            tls {{
              cert_file: "{self.server}"
              key_file: "{self.server_key}"
              ca_file: "{self.ca}"
              {more}
            }}"""


def new_certificates(folder: Path, host: str = "localhost") -> Certificates:
    """A CA, a server's certificate for `host`, and a client's."""
    made = Certificates(*(folder / f"{name}.pem" for name in ("ca", "s", "sk", "c", "ck")))
    _openssl(
        *("req", "-x509", "-new", *_key(folder / "cak.pem"), "-out", made.ca, "-subj", "/CN=test CA"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    for certificate, key, name in (
        (made.server, made.server_key, host),
        (made.client, made.client_key, "me"),
    ):
        _openssl(
            *("req", "-x509", "-new", *_key(key), "-out", certificate, "-subj", f"/CN={name}"),
            *("-CA", made.ca, "-CAkey", folder / "cak.pem", "-addext", f"subjectAltName=DNS:{name}"),
            *("-addext", "basicConstraints=critical,CA:false"),
        )
    return made


def _key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
