"""What a look at the outbox costs does not grow with what waits behind a parked row."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from mesh.storage import sql
from svc_token.stores.rows import event_row
from svc_token.stores.sql import MIGRATIONS
from svc_token.stores.sql_outbox import SqlOutbox
from svc_token.stores.tables import OUTBOX
from tests.svc_token.stores.conftest import TOPICS
from tests.svc_token.stores.test_ledger_contract import used

pytestmark = pytest.mark.anyio


async def test_a_look_does_not_read_all_that_waits_behind_a_parked_row(tmp_path: Path) -> None:
    steps: list[int] = []

    def counted(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        # In the virtual machine's instructions, a hundred at a time.
        driver.set_progress_handler(lambda: steps.append(100), 100)

    async def costs(outbox: SqlOutbox) -> int:
        steps.clear()
        assert await outbox.pending(10) == []
        return sum(steps)

    url = f"sqlite:///{tmp_path / 'token.db'}"
    async with sql.open_database(url, service="token", folder=MIGRATIONS) as database:
        outbox = SqlOutbox(database)
        rows = [event_row(used(f"e{number}", 1), TOPICS) for number in range(5_000)]
        await database.transact(lambda c: c.execute(insert(OUTBOX), rows[:10]))
        await outbox.park([1], 777)
        await database.query(counted)
        await costs(outbox)
        little = await costs(outbox)
        await database.transact(lambda c: c.execute(insert(OUTBOX), rows[10:]))
        much = await costs(outbox)
        assert await costs(outbox) <= little + 200
        assert much > 10 * little
        assert await outbox.depth() == len(rows) - 1
