"""Requests made of the gateway's OpenAPI document, good ones and bad ones, tried on the real gateway.

In an ordinary run they are the same each time; `make fuzz` has others.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.schemas import OpenApiSchema

from flashsale.gateway.operations import OPERATIONS, Operation
from tests.acceptance.gateway_kit import Front, a_buyer, as_buyer, as_service
from tests.fixtures.fuzz import TIMES, examples

#: A feed has no end; and of what takes nothing, nothing bad can be made.
TRIED = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in GenerationMode
    if not operation.is_stream and (mode.is_positive or "{" in operation.path)
]
EXAMPLES = 15


@pytest.fixture(scope="module")
def schema(front: Front) -> OpenApiSchema:
    return schemathesis.openapi.from_url(f"{front.url}/v1/openapi.json")


@pytest.fixture(scope="module")
def order(front: Front) -> str:
    """One that is there."""
    placed: str = front.order(buyer="ada").json()["order"]
    return placed


def is_written_with_a_point(body: object) -> bool:
    """JSON Schema cannot say that 1.0 is no whole number; the document says it in words."""
    return isinstance(body, dict) and type(body.get("quantity")) is float


@pytest.mark.parametrize(
    ("operation", "mode"), TRIED, ids=[f"{operation.name}-{mode.value}" for operation, mode in TRIED]
)
def test_the_gateway_does_what_its_document_says(
    front: Front, schema: OpenApiSchema, order: str, operation: Operation, mode: GenerationMode
) -> None:
    """No fault, no status, header, type or body that the document does not have, and nothing bad accepted."""
    described = schema.find_operation_by_id(operation.name)
    known = {"sale": "drop", "order": order}
    there = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
    cases = st.one_of(described.as_strategy(mode), described.as_strategy(mode, path_parameters=there))

    @settings(examples(EXAMPLES), derandomize=TIMES == 1, database=None)
    @given(cases)
    def tried(case: Case[Any]) -> None:
        assume(not is_written_with_a_point(case.body))
        headers = as_service() if operation.callers == "a service" else as_buyer(a_buyer())
        case.call_and_validate(base_url=front.url, headers=headers)

    tried()
