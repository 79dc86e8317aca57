"""A Consul with ACLs, made ready as `leaky consul bootstrap` does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.full.consul.guarded import Guarded, bootstrap
from tests.parts.native import native_part


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for all tests here, which they may stop but must start again."""
    with native_part("consul") as part:
        part.start()
        tokens: Path = tmp_path_factory.mktemp("tokens")
        ready = Guarded(part=part, tokens=tokens)
        done = bootstrap(ready)
        assert done.returncode == 0, done.stderr
        yield ready
