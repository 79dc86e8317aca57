"""Stores by URL: each port names a factory a scheme, imported only when asked for."""

import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

T = TypeVar("T")
_SCHEMES: dict[str, set[str]] = {}


class UnknownSchemeError(ValueError):
    """A store URL whose scheme no store of this port serves."""


class Registry(Generic[T]):
    """The stores of one port: scheme to "module:factory".

    A factory is called with the URL and the keyword arguments of `open`, and
    returns an async context manager that yields the store.
    """

    def __init__(self, port: str, factories: Mapping[str, str]) -> None:
        self._port = port
        self._factories = factories
        _SCHEMES.setdefault(port, set()).update(factories)

    def open(self, url: str, **arguments: Any) -> AbstractAsyncContextManager[T]:
        """The store behind the URL. Raises UnknownSchemeError that lists the schemes there are."""
        scheme = urlsplit(url).scheme
        if scheme not in self._factories:
            known = ", ".join(f"{name}://" for name in self._factories)
            raise UnknownSchemeError(f"{self._port}: no store for {scheme}://; there are {known}")
        module, _, factory = self._factories[scheme].partition(":")
        opened = getattr(importlib.import_module(module), factory)(url, **arguments)
        return cast("AbstractAsyncContextManager[T]", opened)


def schemes(port: str) -> list[str]:
    """The schemes that the imported code has for a port, such as "token.store"."""
    return sorted(_SCHEMES.get(port, ()))
