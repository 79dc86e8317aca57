"""Whoever copies the data folder's database gets no password, key or token."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio


def _bytes_of(folder: Path) -> bytes:
    # The write-ahead log is the database too.
    return b"".join(file.read_bytes() for file in folder.glob("auth.db*"))


async def test_no_secret_is_in_the_database_in_clear(
    house: Any, store_url: str, tmp_path: Path
) -> None:
    if not store_url.startswith("sqlite:"):
        pytest.skip("looks at SQLite's own files")
    user, session = await house.sign_up(
        house.caller, username="alice", email="alice@example.com", password="correct horse"
    )
    _, text = await house.create(
        house.caller, user_id=user.id, name="nightly build", expires_at=None
    )
    _, token = await house.exchange(text)
    bytes_kept = _bytes_of(tmp_path)
    assert b"nightly build" in bytes_kept
    assert b"alice@example.com" in bytes_kept
    secret = text.split("_", 2)[2]
    pems = [house.keyring.session.pem, house.keyring.mesh.pem]
    for kept_from_it in (
        "correct horse",
        text,
        secret,
        secret[4:],
        session.text,
        token.text,
        "PRIVATE KEY",
        *(line for pem in pems for line in pem.splitlines()[1:-1]),
    ):
        assert kept_from_it.encode() not in bytes_kept
