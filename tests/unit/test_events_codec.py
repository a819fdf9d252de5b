"""The bytes of an event: every one ever shipped is understood, and nothing else is."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsale.events import EVENT_TYPES, Event, UndecodableEvent, decode, encode, trace_of, type_name
from flashsale.events.upcasters import UPCASTERS

#: One recorded event of every (type, version) that was ever in a log, what it means today, and, of the present
#: version, the fields. Lines are only ever added.
GOLDEN: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("golden_events.ndjson").read_text(encoding="utf-8").splitlines()
]

each_golden = pytest.mark.parametrize(
    "golden", GOLDEN, ids=[f"{golden['type']}-{golden['version']}" for golden in GOLDEN]
)
each_type = pytest.mark.parametrize("name", EVENT_TYPES)


def present(name: str) -> bytes:
    """The golden event of a type's present version."""
    body: str = next(
        golden["body"]
        for golden in GOLDEN
        if (golden["type"], golden["version"]) == (name, EVENT_TYPES[name].VERSION)
    )
    return body.encode()


def refused(body: bytes) -> str:
    """Why the bytes are no event."""
    with pytest.raises(UndecodableEvent) as caught:
        decode(body)
    return caught.value.reason


def field_names_and_types(cls: type[Event]) -> list[str]:
    """What a change of the fields would change."""
    return [
        f"{field.name}: {field.type.__name__ if isinstance(field.type, type) else field.type}"
        for field in msgspec.structs.fields(cls)
    ]


def test_why_something_is_no_event_is_told_in_one_line_that_any_store_and_terminal_takes() -> None:
    reason = refused(b'["sale.\\u0000\\n\\u001b[2J' + b"x" * 1_000 + b'",1,2,"x"]')

    assert reason.isprintable()
    assert r"sale.\x00\n\x1b[2J" in reason
    assert len(reason) < 400


# ------------------------------------------------------------------------------------------------------------- golden


def test_every_version_of_every_type_is_on_record() -> None:
    recorded = [(golden["type"], golden["version"]) for golden in GOLDEN]

    assert sorted(recorded) == sorted(
        (name, version) for name, cls in EVENT_TYPES.items() for version in range(1, cls.VERSION + 1)
    )


@each_golden
def test_a_recorded_event_still_means_what_it_meant(golden: dict[str, Any]) -> None:
    event = decode(golden["body"].encode())

    assert type_name(event) == golden["type"]
    assert json.loads(msgspec.json.encode(msgspec.structs.asdict(event))) == golden["means"]


@each_golden
def test_fields_do_not_change_without_a_new_version(golden: dict[str, Any]) -> None:
    """If this fails: raise VERSION, write an upcaster, and add a line to the golden file; change none of its lines."""
    cls = EVENT_TYPES[golden["type"]]
    if golden["version"] == cls.VERSION:
        assert field_names_and_types(cls) == golden["fields"]
    else:
        assert (golden["type"], golden["version"]) in UPCASTERS


@each_type
def test_an_event_is_written_as_the_scripts_write_it(name: str) -> None:
    assert encode(decode(present(name))) == present(name)


# --------------------------------------------------------------------------------------------------------- round trip

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "str": st.text(),
    "bool": st.booleans(),
    "typing.Literal['restock', 'keep', 'none']": st.sampled_from(["restock", "keep", "none"]),
    "tuple[tuple[str, int], ...]": st.lists(st.tuples(st.text(), st.integers(0, 10**9)), max_size=3).map(
        tuple
    ),
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event of the present versions."""
    cls = draw(st.sampled_from(list(EVENT_TYPES.values())))
    fields = dict(line.split(": ", 1) for line in field_names_and_types(cls))
    values: dict[str, Any] = {name: draw(VALUES[kind]) for name, kind in fields.items()}
    return cls(**values | {"v": cls.VERSION})


@given(events())
def test_what_was_written_is_read_back(event: Event) -> None:
    assert decode(encode(event)) == event


@each_type
def test_fields_after_the_known_ones_are_ignored(name: str) -> None:
    longer = present(name)[:-1] + b',"new",{"a":[1,null,true]},1.5]'

    assert decode(longer) == decode(present(name))


# ----------------------------------------------------------------------------------------------------------- trace id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = f',{{"trace":"{TRACE}"}}]'.encode()


@each_golden
def test_a_trace_id_behind_any_event_is_found_and_changes_nothing(golden: dict[str, Any]) -> None:
    body = golden["body"].encode()

    assert trace_of(body) == ""
    assert trace_of(body[:-1] + TRACED) == TRACE
    assert decode(body[:-1] + TRACED) == decode(body)


@each_type
@pytest.mark.parametrize("change", [(b"}]", b"}] "), (b'{"t', b'{"T'), (b"4bf9", b"4BF9"), (b"4736", b"473")])
def test_what_only_looks_like_a_trace_id_is_none(name: str, change: tuple[bytes, bytes]) -> None:
    assert trace_of(present(name)[:-1] + TRACED.replace(*change)) == ""


@given(st.binary(max_size=200))
def test_any_bytes_have_a_trace_id_or_none(body: bytes) -> None:
    assert trace_of(body) == ""
    assert trace_of(body + TRACED) == TRACE


# ------------------------------------------------------------------------------------------------------------ refused


@each_type
@pytest.mark.parametrize("version", [-1, 0, 99, 2**63])
def test_a_version_that_nobody_knows_is_refused(name: str, version: int) -> None:
    raw = json.loads(present(name))
    raw[1] = version

    assert refused(json.dumps(raw).encode()) == f"version {version} is unknown"


@each_type
def test_an_event_that_is_cut_short_is_refused(name: str) -> None:
    body = present(name)
    for length in range(len(body)):
        refused(body[:length])


@each_type
def test_an_event_that_lacks_a_field_is_refused(name: str) -> None:
    raw = json.loads(present(name))
    optional = sum(not field.required for field in msgspec.structs.fields(EVENT_TYPES[name]))
    for count in range(len(raw) - optional):
        refused(json.dumps(raw[:count]).encode())


@each_type
def test_a_field_of_another_type_is_refused(name: str) -> None:
    raw = json.loads(present(name))
    for place in range(1, len(raw)):
        other: object = 1 if isinstance(raw[place], str) else str(raw[place])
        for wrong in (None, {}, 1.5, -0.0, [1], other):
            refused(json.dumps([*raw[:place], wrong, *raw[place + 1 :]]).encode())


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"null", b"{}", b"[]", b"[1]", b'""', b"NaN", b"[NaN]", b"\0", b"\xff\xfe"),
        *(b'["sale.paused"', b'["sale.paused",1,5,"x"]]', b'["sale.paused",1,5,"x"]\0', b'{"sale.paused":1}'),
        *(b'["sale.vanished",1,5,"x"]', b'["",1,5,"x"]', b'["SALE.PAUSED",1,5,"x"]', b'[null,1,5,"x"]'),
        *(b'[["sale.paused"],1,5,"x"]', b'["sale.paused ",1,5,"x"]', b'["sale.paused",1,5,"\xff"]'),
        *(b'["sale.paused",1,0x5,"x"]', b'["sale.paused",1,05,"x"]', b'["sale.paused",1,1_0,"x"]'),
        *(b'["sale.paused",1,NaN,"x"]', b'["sale.paused",1,Infinity,"x"]', b'["sale.paused",true,5,"x"]'),
        *(b'["sale.paused",1.0,5,"x"]', b'["sale.paused",1,1e3,"x"]'),
    ],
)
def test_a_damaged_event_is_refused(body: bytes) -> None:
    assert refused(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'["sale.paused",1,5,"x",' + b"[" * 100_000,
        b'["order.refunded",1,' + b"[" * 100_000 + b"]" * 100_001,
        b'["sale.paused",1,' + b"9" * 100_000 + b',"x"]',
    ],
    ids=["brackets", "brackets at the end", "brackets in an old version", "digits"],
)
def test_an_event_that_is_made_to_hurt_is_refused(body: bytes) -> None:
    assert len(refused(body)) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_are_refused(body: bytes) -> None:
    with contextlib.suppress(UndecodableEvent):
        assert isinstance(decode(body), Event)


@given(st.sampled_from(GOLDEN), st.data())
def test_an_event_with_a_damaged_byte_is_an_event_or_is_refused(
    golden: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(golden["body"].encode())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(UndecodableEvent):
        event = decode(bytes(body))
        assert event.v == type(event).VERSION
