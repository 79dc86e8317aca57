"""Settings of the tests' own, and who is told of their changes."""

import asyncio
import time
from collections.abc import Callable, Mapping

from mesh.settings import MeshSettings, Section, live
from mesh.settings.source import SettingsError, load


class Own(Section):
    size: int = live(1, ge=1)
    other: int = live(1)


class OwnSettings(MeshSettings):
    own: Own = Own()


class Taken:
    """What the source told."""

    def __init__(self) -> None:
        self.values: list[Mapping[str, str]] = []
        self.refusals: list[str] = []

    def apply(self, values: Mapping[str, str]) -> bool:
        try:
            check(values)
        except SettingsError as error:
            self.refuse(error)
            return False
        self.values.append(values)
        return True

    def refuse(self, error: SettingsError) -> None:
        self.refusals.append(str(error))


def check(values: Mapping[str, str]) -> OwnSettings:
    return load(OwnSettings, {}, values)


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        await asyncio.sleep(0.001)
