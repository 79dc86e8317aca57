"""A table's statements by key, in the way that suits its database."""

from collections.abc import Callable, Mapping
from functools import cache

from svc_token.stores.statements import Statements, Together
from svc_token.stores.statements_postgresql import Arrays, InOne
from svc_token.stores.statements_sqlite import InTurn, OneByOne

# The same table's are made once: whoever has the same statements has them compiled already.
STATEMENTS: Mapping[str, Callable[..., Statements]] = {
    "sqlite": cache(OneByOne),
    "postgresql": cache(Arrays),
}
TOGETHER: Mapping[str, type[Together]] = {"sqlite": InTurn, "postgresql": InOne}
