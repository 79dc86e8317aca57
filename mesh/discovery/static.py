"""Addresses from settings: one instance of each service, where its ports say."""

from mesh.settings import Live, MeshSettings


class StaticDiscovery:
    """Finds services by the `{service}.grpc-port` settings, on the bind address."""

    def __init__(self, settings: Live[MeshSettings]) -> None:
        self._settings = settings

    def target(self, service: str) -> str:
        """The gRPC target of a service, "host:port".

        Raises AttributeError for a service that has no settings.
        """
        settings = self._settings.current
        ports = getattr(settings, service)
        host = settings.bind_address
        # What listens on every address is reached on this machine's own.
        if host in {"0.0.0.0", "::"}:  # noqa: S104 compared, not bound
            host = "127.0.0.1"
        return address(host, ports.grpc_port)


def address(host: str, port: int) -> str:
    """Host and port as gRPC takes them, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
