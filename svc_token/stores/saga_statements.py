"""The statements of SqlSagas: made once, and so compiled once.

A parameter has the name of its column; one that a row is found by begins with `its_`.
"""

from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, insert, or_, select, tuple_, update

from svc_token.domain.saga import Saga, Step
from svc_token.stores.tables import OUTBOX, SAGAS

# Named one by one, so that an index finds the few among all that have ended.
_UNFINISHED = SAGAS.c.step.in_([step.value for step in Step if step is not Step.NONE])
_TOUCHED = (SAGAS.c.updated_us, SAGAS.c.id)
_IS_ID = SAGAS.c.id == bindparam("its_id")
_IS_VERSION = and_(_IS_ID, SAGAS.c.version == bindparam("its_version"))
_IS_KEY = and_(
    SAGAS.c.scope == bindparam("its_scope"),
    SAGAS.c.idempotency_key == bindparam("its_idempotency_key"),
)

BEGIN = insert(SAGAS)
TELL = insert(OUTBOX)
FIND = select(SAGAS).where(_IS_ID)
# A key that is NULL is nobody's.
EARLIER = select(SAGAS).where(or_(_IS_ID, _IS_KEY))
RENEW = update(SAGAS).where(_IS_VERSION).values(lease_until_us=bindparam("lease_until_us"))
# Who finds the row locked leaves it to the runner that is moving it.
MOVE = (
    update(SAGAS)
    .where(
        SAGAS.c.id
        == select(SAGAS.c.id).where(_IS_VERSION).with_for_update(skip_locked=True).scalar_subquery()
    )
    .values({column.name: bindparam(column.name) for column in SAGAS.c})
)
GIVE_BACK = (
    update(SAGAS)
    .where(_UNFINISHED, SAGAS.c.holder == bindparam("its_holder"))
    .values(version=SAGAS.c.version + 1, holder=None, lease_until_us=0)
)
TAKE = (
    update(SAGAS)
    .where(SAGAS.c.id.in_(bindparam("its_ids", expanding=True)))
    .values(
        version=SAGAS.c.version + 1,
        holder=bindparam("holder"),
        lease_until_us=bindparam("lease_until_us"),
    )
)
SURVEY = (
    select(
        SAGAS.c.step,
        func.count().label("sagas"),
        func.count().filter(SAGAS.c.updated_us < bindparam("before_us")).label("stale"),
        func.min(SAGAS.c.lease_until_us).label("lease_ends_us"),
    )
    .where(_UNFINISHED)
    .group_by(SAGAS.c.step)
)


def open_sagas(limit: int, after: Saga | None) -> tuple[Select[Any], dict[str, Any]]:
    """Those that have a next step, longest untouched first, and the parameters that say which."""
    if after is None:
        return _open(limit, following=False), {}
    touched = {"after_us": after.updated_us, "after_id": after.id}
    return _open(limit, following=True), touched


def free_sagas(
    holder: str, limit: int, *, now_us: int, after: Saga | None
) -> tuple[Select[Any], dict[str, Any]]:
    """As `open_sagas`, those that nobody else holds, locked."""
    following = after is not None
    _, touched = open_sagas(limit, after)
    return _free(limit, following=following), {**touched, "now_us": now_us, "its_holder": holder}


@cache
def _open(limit: int, *, following: bool) -> Select[Any]:
    query = select(SAGAS).where(_UNFINISHED)
    if following:
        last = zip(("after_us", "after_id"), _TOUCHED, strict=True)
        query = query.where(
            tuple_(*_TOUCHED) > tuple_(*(bindparam(name, type_=of.type) for name, of in last))
        )
    return query.order_by(*_TOUCHED).limit(limit)


@cache
def _free(limit: int, *, following: bool) -> Select[Any]:
    free = or_(
        SAGAS.c.lease_until_us <= bindparam("now_us"), SAGAS.c.holder == bindparam("its_holder")
    )
    return _open(limit, following=following).where(free).with_for_update(skip_locked=True)
