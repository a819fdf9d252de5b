"""The OpenAPI document, made of the table of operations and the types of the messages."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

import msgspec

from flashsale import __version__, ids
from flashsale.gateway.operations import OPERATIONS, Operation
from flashsale.gateway.passes import HEADER
from flashsale.gateway.problems import MEDIA_TYPE, Kind
from flashsale.gateway.reading import KEY_LENGTH_MAX

_REF = "#/components/schemas/{name}"
_PATH_SCHEMAS = {
    "sale": {"type": "string", "pattern": f"^{ids.SALE_ID.pattern}$"},
    "order": {"type": "string", "pattern": f"^{ids.ORDER_ID.pattern}$"},
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; members that belong to one type stand beside these",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "a promise: branch on it"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "retry_after_ms": {"type": "integer", "description": "ask again after so long, not before"},
    },
}
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "a token that the shop has signed; or a proxy's header",
    }
}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    types = {of for operation in OPERATIONS for of in (operation.request, operation.answer) if of is not None}
    _, schemas = msgspec.json.schema_components(sorted(types, key=lambda of: of.__name__), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "flashsale",
            "version": __version__,
            "description": "Orders of flash sales, decided once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas | {"Problem": _PROBLEM}, "securitySchemes": _SCHEMES},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"For {operation.callers}.",
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": [] if operation.callers == "anybody" else [{"token": []}],
    }
    if operation.request is not None:
        found["requestBody"] = {
            "required": not operation.request_optional,
            "content": _json(operation.request),
        }
    return found


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    if operation.needs_key:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "the same with every retry of a purchase, and with no other",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": KEY_LENGTH_MAX,
                    "pattern": "^[!#-~]+$",
                },
            }
        )
    if operation.takes_pass:
        found.append(
            {
                "name": HEADER,
                "in": "header",
                "required": False,
                "description": "of a sale with a waiting room: the pass of whoever was let in",
                "schema": {"type": "string"},
            }
        )
    for name, is_read in (("If-None-Match", operation.is_cached), ("Last-Event-ID", operation.is_stream)):
        if is_read:
            found.append({"name": name, "in": "header", "required": False, "schema": {"type": "string"}})
    return found


def _responses(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(operation.status): {
            "description": (operation.answer.__doc__ or "").strip(),
            "content": _stream(operation) if operation.is_stream else _json(operation.answer),
        }
    }
    if operation.leads_to:
        of_order = {"sale": "$request.path.sale", "order": "$response.body#/order"}
        found[str(operation.status)]["links"] = {
            name: {"operationId": name, "parameters": of_order} for name in operation.leads_to
        }
    if operation.is_cached:
        found["304"] = {"description": "What the caller has is still true."}
    kinds = sorted(operation.refusals, key=lambda kind: kind.status)
    for status, of_status in groupby(kinds, key=lambda kind: kind.status):
        found[str(status)] = _refused(list(of_status))
    return found


def _refused(kinds: list[Kind]) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{kind.slug}`: {kind.title}." for kind in kinds),
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "allOf": [
                        {"$ref": _REF.format(name="Problem")},
                        {"properties": {"type": {"enum": [kind.type for kind in kinds]}}},
                    ]
                }
            }
        },
    }


def _json(of: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(of)}}


def _stream(operation: Operation) -> dict[str, Any]:
    """OpenAPI 3.1 knows no events: the schema of their data stands in a sentence."""
    described = f"events named `sale`; the data of each is a {operation.answer.__name__}"
    return {"text/event-stream": {"schema": {"type": "string", "description": described}}}


def _ref(of: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=of.__name__)}
