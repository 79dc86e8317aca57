"""Certificates that callers show a system in `secure`, made by the system's own CA."""

import datetime as dt

import grpc

from mesh.pki.authority_file import AuthorityFile
from mesh.pki.leaf import Leaf, read_leaf
from mesh.pki.spiffe import SpiffeId
from tests.e2e.system import System

DOMAIN = "leaky.internal"


def leaf_of(system: System, name: str) -> Leaf:
    """A certificate of a service's, or of the operator."""
    authority = AuthorityFile(system.data / "pki" / "ca").read(DOMAIN)
    who = SpiffeId(trust_domain=DOMAIN, name=name)
    own = authority.issue(who, now=dt.datetime.now(dt.UTC), life=dt.timedelta(hours=1))
    return read_leaf(own, authority.trusted)


def channel(system: System, service: str, caller: str = "operator") -> grpc.Channel:
    """A channel to a service's gRPC as this caller; in `local`, in the clear."""
    if system.env.get("LEAKY_PROFILE") != "secure":
        return grpc.insecure_channel(system.target(service))
    return shown_channel(system, service, leaf_of(system, caller))


def shown_channel(system: System, service: str, leaf: Leaf) -> grpc.Channel:
    """A channel on which this certificate is shown."""
    texts = (leaf.roots.encode(), leaf.key.encode(), leaf.chain.encode())
    options = [("grpc.ssl_target_name_override", f"{service}.{DOMAIN}")]
    credentials = grpc.ssl_channel_credentials(*texts)
    return grpc.secure_channel(system.target(service), credentials, options=options)
