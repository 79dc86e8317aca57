"""What PostgreSQL's errors mean to a caller: away, in the way, or a fault."""

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mesh.resilience.bulkhead import BulkheadFullError

# Appendix A of PostgreSQL's manual. Classes: connection, login, resources, the operator, I/O.
_AWAY_CLASSES = ("08", "28", "53", "57", "58")
_AWAY = frozenset(
    {
        "3D000",  # the database is not there (yet, or while it is restored)
        "55P03",  # a lock was not to be had in time
        "25P03",  # we were silent for too long within a transaction
        "25006",  # the server has become a standby
        "40001",  # serialisation failures and deadlocks, when repeating did not help
        "40P01",
    }
)
_CONFLICT = frozenset({"40001", "40P01", "23505"})


def is_away(error: BaseException | None) -> bool:
    """Whether the server, not the statement, is the reason."""
    if isinstance(error, DBAPIError):
        code = sqlstate(error)
        return error.connection_invalidated or code in _AWAY or code.startswith(_AWAY_CLASSES)
    if isinstance(error, StatementError):
        return is_away(error.orig)
    # asyncpg's own timeout and a host that is not there are OSErrors.
    return isinstance(error, (BulkheadFullError, PoolTimeout, OSError))


def is_conflict(error: DBAPIError) -> bool:
    """Whether another transaction came between, so that a repetition may go well.

    A key that exists is such a case: this transaction looked before the other's commit.
    """
    return sqlstate(error) in _CONFLICT


def sqlstate(error: DBAPIError) -> str:
    """The SQLSTATE; empty where the server has said nothing."""
    return getattr(error.orig, "sqlstate", None) or ""


def cause(error: BaseException) -> str:
    """What happened in a line: never a statement, its parameters or a row."""
    if isinstance(error, StatementError) and error.orig is not None:
        driver = error.orig.__cause__ or error.orig
        message = driver.args[0] if driver.args else ""
        return f"{type(driver).__name__}: {message}".splitlines()[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]
