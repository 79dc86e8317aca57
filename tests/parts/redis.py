"""A corner of Redis for a test, and a Redis of a test's own that it may stop."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis import Redis
from redis.exceptions import ConnectionError as AwayError

from tests.parts.urls import REDIS, url
from tests.ports import free_port

SERVER = "redis-server"
# Longer than any run: systems keep their corners for all of it. One that died gives them back then.
LEASE_SECONDS = 6 * 3600
FREE_SECONDS = 300.0
PATIENCE_SECONDS = 20.0
# Ends a lease unless it has expired and is somebody else's.
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
"""


@contextmanager
def corner() -> Iterator[str]:
    """The URL of an empty database of the shared Redis, which is nobody else's meanwhile.

    Database 0 holds the leases; who runs tests beside this shares them.
    """
    with Redis.from_url(url(REDIS)) as shared:
        ours = f"{os.getpid()}-{secrets.token_hex(8)}"
        number = _lease(shared, ours)
        address = f"{url(REDIS).rstrip('/')}/{number}"
        try:
            with Redis.from_url(address) as own:
                own.flushdb()
                yield address
                own.flushdb()
        finally:
            shared.eval(_GIVE_BACK, 1, _lease_of(number), ours)


def _lease(shared: Any, ours: str) -> int:
    databases = int(shared.config_get("databases")["databases"])
    deadline = time.monotonic() + FREE_SECONDS
    while time.monotonic() < deadline:
        for number in range(1, databases):
            if shared.set(_lease_of(number), ours, nx=True, ex=LEASE_SECONDS):
                return number
        time.sleep(0.05)
    raise TimeoutError("no database of Redis is free")


def _lease_of(number: int) -> str:
    return f"tests:lease:{number}"


def installed() -> bool:
    """Whether a server can be started here."""
    return shutil.which(SERVER) is not None


@dataclass
class OwnRedis:
    """A server with its data under a folder; nothing is kept over a stop."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is, or will be."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = ("--save", "", "--appendonly", "no", "--dir", str(self.folder))
        own = ("--bind", "127.0.0.1", "--port", str(self.port), "--requirepass", self.password)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own arguments
                [SERVER, *own, *kept, *self.options], stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except AwayError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
                else:
                    return

    def stop(self) -> None:
        """Returns when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """It goes on listening and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again, also what was asked meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Any:
        """A blocking client, for looking at what is there."""
        return Redis(host="127.0.0.1", port=self.port, password=self.password)


@contextmanager
def own_redis(folder: Path, *options: str) -> Iterator[OwnRedis]:
    """A server that runs, and is gone at the end."""
    server = OwnRedis(folder, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def certificate(folder: Path) -> None:
    """`cert` and `key` of a server at localhost, vouched for by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert").write_bytes(made.public_bytes(Encoding.PEM))
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key").write_bytes(key.private_bytes(*plain))
