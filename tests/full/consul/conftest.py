"""A Consul with ACLs, made ready as `leaky consul bootstrap` does."""

from collections.abc import Iterator

import pytest

from tests.full.consul.guarded import Guarded, bootstrap
from tests.parts.native import native_part


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for all tests here, which they may stop but must start again."""
    with native_part("consul") as part:
        part.start()
        ready = Guarded.of(part, tmp_path_factory.mktemp("tokens"))
        done = bootstrap(ready)
        assert done.returncode == 0, done.stderr
        with ready.http:
            yield ready
