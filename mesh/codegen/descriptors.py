"""proto/ as descriptors: pool, options and comments, independent of gen/.

Reading them from a pool of their own keeps the generator able to run when gen/
is missing, stale or broken.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from mesh.codegen import protoc
from mesh.codegen.comments import comments_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Our proto files, those they import being in the pool only."""

    pool: DescriptorPool
    files: tuple[FileDescriptor, ...]
    comments: dict[str, str]

    def option(self, descriptor: Any, kind: str, name: str) -> Any:
        """One extension of a descriptor's options, such as a method's leaky.edge.v1.rule.

        `kind` is the options' message, such as "MethodOptions".
        """
        return self.options(descriptor, kind).Extensions[self.pool.FindExtensionByName(name)]

    def options(self, descriptor: Any, kind: str) -> Any:
        """A descriptor's options, parsed with the extensions of this pool."""
        message = self.pool.FindMessageTypeByName(f"google.protobuf.{kind}")
        # typeshed-like stubs give the class no FromString of its own.
        options: Any = GetMessageClass(message)
        return options.FromString(descriptor.GetOptions().SerializeToString())

    def services(self) -> Iterator[Any]:
        """All services, by their full names."""
        found = [service for file in self.files for service in file.services_by_name.values()]
        yield from sorted(found, key=lambda service: service.full_name)

    def enum(self, name: str) -> EnumDescriptor:
        """An enum by its full name."""
        return self.pool.FindEnumTypeByName(name)


def load(proto: Path, vendored: Path) -> Schema:
    """Compiles proto/; subprocess.CalledProcessError when it does not compile."""
    own = set(protoc.sources(proto))
    described = _descriptor_set(proto, vendored)
    pool = DescriptorPool()
    for file in described:
        pool.Add(file)
    ours = [file for file in described if file.name in own]
    return Schema(
        pool=pool,
        files=tuple(pool.FindFileByName(file.name) for file in ours),
        comments=comments_of(ours),
    )


def _descriptor_set(proto: Path, vendored: Path) -> list[FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "descriptors.binpb"
        protoc.protoc(
            f"-I{proto}",
            f"-I{vendored}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={target}",
            *protoc.sources(proto),
        )
        return list(FileDescriptorSet.FromString(target.read_bytes()).file)
