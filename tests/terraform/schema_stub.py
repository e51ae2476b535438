"""A Terraform provider that knows a schema and nothing else (plugin protocol 6).

It serves the text of `terraform providers schema -json`, so that a configuration can be validated,
and tested with `mock_provider`, where the real provider cannot be had. It refuses every call that
would pretend to reach a cloud. It checks names, types and what is required; values it does not.

Terraform starts it as `python schema_stub.py SCHEMA.json`, with an interpreter that has `tf`.
"""

import base64
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
from tf.gen import grpc_controller_pb2 as controller
from tf.gen import grpc_controller_pb2_grpc as controller_rpc
from tf.gen import grpc_stdio_pb2_grpc as stdio_rpc
from tf.gen import tfplugin_pb2 as plugin
from tf.gen import tfplugin_pb2_grpc as plugin_rpc
from tf.runner import _self_signed_cert

COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""What Terraform says to a program that it started as a provider (go-plugin's handshake)."""

_BLOCKS: Final = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
_OBJECTS: Final = {"single": 1, "list": 2, "set": 3, "map": 4}
_FLAGS: Final = ("required", "optional", "computed", "sensitive", "deprecated")
_MESSAGE_BYTES_MAX: Final = 256 << 20


class SchemaOnly(plugin_rpc.ProviderServicer):
    """Answers what a schema can answer, and refuses the rest."""

    def __init__(self, path: Path) -> None:
        [schemas] = json.loads(path.read_text())["provider_schemas"].values()
        self._answer = plugin.GetProviderSchema.Response(
            provider=_schema(schemas.get("provider", {})),
            resource_schemas=_schemas(schemas.get("resource_schemas", {})),
            data_source_schemas=_schemas(schemas.get("data_source_schemas", {})),
        )

    def GetProviderSchema(self, _request, _context):  # noqa: N802 - the protocol's name, as below
        return self._answer

    def GetMetadata(self, _request, context):  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "metadata")

    def ValidateProviderConfig(self, _request, _context):  # noqa: N802
        return plugin.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, _request, _context):  # noqa: N802
        return plugin.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, _request, _context):  # noqa: N802
        return plugin.ValidateDataResourceConfig.Response()

    def GetFunctions(self, _request, _context):  # noqa: N802
        return plugin.GetFunctions.Response()

    def ConfigureProvider(self, _request, _context):  # noqa: N802
        return plugin.ConfigureProvider.Response(diagnostics=_refusal("configure"))

    def ReadResource(self, _request, _context):  # noqa: N802
        return plugin.ReadResource.Response(diagnostics=_refusal("read"))

    def PlanResourceChange(self, _request, _context):  # noqa: N802
        return plugin.PlanResourceChange.Response(diagnostics=_refusal("plan"))

    def ApplyResourceChange(self, _request, _context):  # noqa: N802
        return plugin.ApplyResourceChange.Response(diagnostics=_refusal("apply"))

    def ReadDataSource(self, _request, _context):  # noqa: N802
        return plugin.ReadDataSource.Response(diagnostics=_refusal("read"))

    def ImportResourceState(self, _request, _context):  # noqa: N802
        return plugin.ImportResourceState.Response(diagnostics=_refusal("import"))

    def UpgradeResourceState(self, _request, _context):  # noqa: N802
        return plugin.UpgradeResourceState.Response(diagnostics=_refusal("upgrade"))

    def StopProvider(self, _request, _context):  # noqa: N802
        return plugin.StopProvider.Response()


class Controller(controller_rpc.GRPCControllerServicer):
    """Ends the server when Terraform has no more questions."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server

    def Shutdown(self, _request, _context):  # noqa: N802
        self._server.stop(grace=0)
        return controller.Empty()


class Silent(stdio_rpc.GRPCStdioServicer):
    """Has nothing to print."""

    def StreamStdio(self, _request, _context):  # noqa: N802
        return iter(())


def main() -> int:
    """Serve the schema that the command line names until Terraform ends it."""
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") != COOKIE:
        print(__doc__, file=sys.stderr)  # noqa: T201 - a program
        return 1
    sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
    options = [(size, _MESSAGE_BYTES_MAX) for size in sizes]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=options)
    plugin_rpc.add_ProviderServicer_to_server(SchemaOnly(Path(sys.argv[1])), server)
    controller_rpc.add_GRPCControllerServicer_to_server(Controller(server), server)
    stdio_rpc.add_GRPCStdioServicer_to_server(Silent(), server)
    with tempfile.TemporaryDirectory() as folder:
        certificate, credentials = _self_signed_cert()
        server.add_secure_port(f"unix://{folder}/p.sock", credentials)
        server.start()
        encoded = base64.b64encode(certificate).decode().rstrip("=")
        where = "|".join(["1", "6", "unix", f"{folder}/p.sock", "grpc", encoded])
        print(where, flush=True)  # noqa: T201 - how Terraform learns where to ask
        server.wait_for_termination()
    return 0


def _schemas(named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _schema(each) for name, each in named.items()}


def _schema(schema: Mapping[str, Any]) -> Any:
    return plugin.Schema(version=schema.get("version", 0), block=_block(schema.get("block", {})))


def _block(block: Mapping[str, Any]) -> Any:
    return plugin.Schema.Block(
        attributes=[_attribute(n, a) for n, a in sorted(block.get("attributes", {}).items())],
        block_types=[
            plugin.Schema.NestedBlock(
                type_name=name,
                nesting=_BLOCKS[nested["nesting_mode"]],
                block=_block(nested.get("block", {})),
                min_items=nested.get("min_items", 0),
                max_items=nested.get("max_items", 0),
            )
            for name, nested in sorted(block.get("block_types", {}).items())
        ],
    )


def _attribute(name: str, attribute: Mapping[str, Any]) -> Any:
    flags = {flag: bool(attribute.get(flag)) for flag in _FLAGS}
    if "nested_type" not in attribute and "nested_attributes" not in attribute:
        type_ = json.dumps(attribute["type"], separators=(",", ":")).encode()
        return plugin.Schema.Attribute(name=name, type=type_, **flags)
    nested = attribute.get("nested_type", attribute)
    return plugin.Schema.Attribute(
        name=name,
        nested_type=plugin.Schema.Object(
            attributes=[_attribute(n, a) for n, a in nested["attributes"].items()],
            nesting=_OBJECTS[nested["nesting_mode"]],
        ),
        **flags,
    )


def _refusal(what: str) -> list[Any]:
    return [
        plugin.Diagnostic(
            severity=plugin.Diagnostic.ERROR,
            summary="only a schema",
            detail=f"This stand-in cannot {what}: use mock_provider, or the real provider.",
        )
    ]


if __name__ == "__main__":
    sys.exit(main())
