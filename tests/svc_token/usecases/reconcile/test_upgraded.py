"""Books of a version without a ledger: what it left behind is no difference after the upgrade."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text

from svc_token.domain.owner import Owner, PoolKey
from tests.svc_token.conftest import NOW_US, USER, HandClock, house_in
from tests.svc_token.usecases.reconcile.conftest import Audited, kinds
from tests.svc_token.usecases.reconcile.test_books import compared

pytestmark = pytest.mark.anyio
DAY_US = 86_400_000_000
WINDOW = NOW_US - NOW_US % DAY_US
KEY = PoolKey(Owner.of(USER, None), "openai")
MESSAGE = {
    "userId": USER,
    "orgId": None,
    "provider": "openai",
    "tokens": 65,
    "allowed": True,
    "reason": "",
    "timestamp": "2023-11-14T22:13:20.123456Z",
}
VALUES = {
    "owner": str(KEY.owner),
    "user": USER,
    "win": WINDOW,
    "now": NOW_US,
    "late": NOW_US + 34_000_000,
    "message": json.dumps(MESSAGE).encode(),
}
# 1,000 of allowance, of which 10 are on hold and 65 used; 500 bought.
LEFT = """
INSERT INTO pools VALUES (:owner, 'openai', :win, 1000, 75, 500, 0, 0, :now);
INSERT INTO reservations VALUES
  (:owner, 'open', 'openai', :user, :win, 10, 0, 'RESERVED', :late, 0),
  (:owner, 'settled', 'openai', :user, :win, 60, 0, 'SETTLED', :late, 65),
  (:owner, 'released', 'openai', :user, :win, 20, 0, 'RELEASED', :late, 0),
  (:owner, 'expired', 'openai', :user, :win, 30, 0, 'EXPIRED', :late, 0);
INSERT INTO sagas VALUES ('s', :user, :user, NULL, 'openai', 500, NULL, 'COMPLETED', 'NONE',
  :now - 5, :now, 4);
INSERT INTO outbox (event_id, topic, key, payload, parked)
  VALUES ('e', 'token-usage', :owner, :message, 0);
CREATE TABLE alembic_version_token (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version_token VALUES ('0001')
"""


def written_before(file: Path) -> None:
    """A database of the first version."""
    first = import_module("svc_token.migrations.versions.0001_first")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        for statement in LEFT.split(";"):
            connection.execute(text(statement), VALUES)
    engine.dispose()


async def test_what_was_there_before_the_ledger_shows_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    file = tmp_path / "token.db"
    written_before(file)
    url = f"sqlite:///{file}"
    async with house_in(tmp_path, url, clock) as house:
        audited = Audited(house, url)
        assert await compared(audited) == []
        clock.pass_seconds(1)
        await audited.settle("open", 9, KEY)
        await audited.settle("expired", 30, KEY)
        assert await compared(audited) == []
        await audited.plant("DELETE FROM sagas")
        assert await compared(audited) == []
        await audited.plant("UPDATE reservations SET settled = 1 WHERE id = 'open'")
        assert kinds(await compared(audited)) == ["reservation-tokens"]
