from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_roles_are_those_of_the_user_and_none_of_a_stranger(house: Any) -> None:
    alice = await house.alice()
    assert await house.roles(user_id=alice.id) == ("USER",)
    assert await house.roles(user_id="ffffffff-0000-4000-8000-000000000000") == ()
