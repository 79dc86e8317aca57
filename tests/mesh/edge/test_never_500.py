"""Whatever is sent to whatever route, a bad request is never our fault."""

import asyncio
import json
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from mesh.edge.routes import compile_routes
from tests.mesh.edge.raw import asked

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["3f1b2c4d-0000-4000-8000-00000000000a", "NaN", "\ud800", "\0", "9" * 400]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
SEGMENT = st.text(
    st.characters(codec="ascii", exclude_characters="/?#%"), min_size=1, max_size=8
) | st.sampled_from(["%00", "%ff", "%2F", "%e2%82%ac", "..", "%2e%2e"])


@st.composite
def _request(draw: Any, route: Any) -> tuple[str, str, bytes, bytes]:
    path = "/".join(
        draw(SEGMENT) if part.startswith("{") else part for part in route.uri.split("/")
    )
    names = [field.json_name for field in route.method.request.DESCRIPTOR.fields] or ["a"]
    fields = draw(st.dictionaries(st.sampled_from(names), JSON, max_size=5))
    body = draw(st.binary(max_size=20) | st.just(json.dumps(fields).encode()))
    query = "&".join(f"{name}={draw(SEGMENT)}" for name in draw(st.lists(st.sampled_from(names))))
    return route.verb, path, query.encode(), body


def test_random_requests_to_every_route_are_never_a_500(world: Any) -> None:
    routes = list(compile_routes(world.methods, {}))
    assert len(routes) > 15

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data: Any) -> None:
        route = data.draw(st.sampled_from(routes))
        status = asyncio.run(_status(world.app, *data.draw(_request(route))))
        assert status in {200, 201, 202, 204, 400, 404}

    check()


async def _status(app: Any, verb: str, path: str, query: bytes, body: bytes) -> int:
    headers = ((b"x-api-key", b"k"), (b"idempotency-key", b"\xe9"))
    status, _ = await asked(app, verb, path, query=query, headers=headers, body=body)
    return status
