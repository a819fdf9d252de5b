"""Identifiers, quantities and positions: what is accepted, and what the caller is told otherwise."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.ids import START, Position

Check = Callable[[object], str]

GOOD: list[tuple[Check, str]] = [
    *((ids.sale_id, text) for text in ("a", "0", "black-friday-2026", "a--", "x" * 48)),
    *((ids.sku, text) for text in ("A", "iphone-17.pro_256", "x" * 64)),
    *((ids.buyer, text) for text in ("a", "Ann.Lee+shop@example-mail.com", "x" * 128)),
    *((ids.order_id, text) for text in ("0-abcdefgh", "999-" + "A_-9" * 12, "10-________")),
    *((ids.actor, text) for text in ("sweeper", "ann@desk:1/a+b", "x" * 64)),
    *((ids.request_id, text) for text in ("1", "r-2026.11_27", "x" * 64)),
]

#: refused by every check
NO_ID: list[object] = [
    "",
    " ",
    "a b",
    " abcd",
    "abcd ",
    "a\n",
    "a\r\nX: y",
    "a\0b",
    "a\tb",
    "a{b",
    "a}",
    "{}",
    "x}:ev",
    "*",
    "?",
    "[",
    "\\",
    '"',
    "'",
    "a,b",
    "é",
    "e\u0301",  # the same letter in two characters
    "\uff41",  # a wide letter a
    "\u0661",  # a digit, says str.isdigit
    "🦙",
    "\u202eabc",
    "a\ud800",
    "-a",
    ".a",
    "_a",
    "x" * 300,
    "x" * 10_000,
    None,
    1,
    True,
    b"abcd",
    ["a"],
]

BAD: list[tuple[Check, object]] = [
    *((ids.sale_id, text) for text in ("A", "a.b", "a_b", "a:b", "../x", "x" * 49)),
    *((ids.sku, text) for text in ("a:b", "a/b", "a@b", "a+b", "x" * 65)),
    *((ids.buyer, text) for text in ("a:b", "a/b", "-", "x" * 129)),
    *(
        (ids.order_id, text)
        for text in (
            "abcdefgh",
            "0-abcdefg",
            "0-",
            "-abcdefgh",
            "00-abcdefgh",
            "01-abcdefgh",
            "1000-abcdefgh",
        )
    ),
    *((ids.order_id, text) for text in ("0-" + "a" * 49, "0-abcd.efg", "0:abcdefgh", "\u0660-abcdefgh")),
    *((ids.actor, text) for text in ("a=b", "x" * 65)),
    *((ids.request_id, text) for text in ("a:b", "a@b", "x" * 65)),
]

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (ids.sale_id, ids.sku, ids.buyer, ids.order_id, ids.actor, ids.request_id)
}


@pytest.mark.parametrize(("check", "text"), GOOD)
def test_a_good_id_is_returned_as_it_is(check: Check, text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "value"), [*BAD, *((check, value) for check in CHECKS.values() for value in NO_ID)]
)
def test_a_bad_id_is_refused_with_its_field_and_a_remedy(check: Check, value: object) -> None:
    with pytest.raises(BadInput) as caught:
        check(value)

    assert caught.value.value is value
    assert caught.value.remedy.startswith("use ")
    assert str(caught.value).startswith(f"{caught.value.field}: ")
    assert len(str(caught.value)) < 300, "a pasted file does not fill the terminal"


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_names_the_field_as_the_caller_does(name: str) -> None:
    with pytest.raises(BadInput, match=r"^row 7: '' is not accepted; use "):
        getattr(ids, name)("", "row 7")


#: Short texts that are nearly ids: many fit, many do not.
NEARLY = st.one_of(
    st.sampled_from(["0-abcdefgh", "ann", "A-1", "0-abcdefgh ann", "ann A-1", "A-1\n", ""]),
    st.text("a0-_. @\n", max_size=12),
    st.sampled_from(NO_ID),
)


@given(NEARLY, NEARLY, NEARLY)
def test_three_ids_at_one_look_are_good_when_each_is(order: object, buyer: object, sku: object) -> None:
    each = _accepts(ids.order_id, order) and _accepts(ids.buyer, buyer) and _accepts(ids.sku, sku)

    assert ids.are_order_buyer_sku(order, buyer, sku) == each


def _accepts(check: Check, value: object) -> bool:
    try:
        check(value)
    except BadInput:
        return False
    return True


# --------------------------------------------------------------------------------------------------------- quantities


@pytest.mark.parametrize("value", [1, 2, 999_999])
def test_a_good_quantity_is_returned_as_it_is(value: int) -> None:
    assert ids.quantity(value) == value


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 1_000_000, 2**31, 2**53 + 1, 2**63, 10**60),
        *(True, 1.0, 1.5, float("nan"), float("inf"), None),
        *("1", "", "-0", "0x10", "1e3", "1_000", " 5 ", "5\n", "\u0663", b"2"),
    ],
)
def test_a_bad_quantity_is_refused_and_not_converted(value: object) -> None:
    with pytest.raises(BadInput, match="use a whole number from 1 to 999999"):
        ids.quantity(value)


def test_another_maximum_is_in_the_remedy() -> None:
    assert ids.quantity(ids.CAPACITY_MAX, maximum=ids.CAPACITY_MAX) == ids.CAPACITY_MAX
    with pytest.raises(BadInput, match=r"^stock: 1000000001 is not accepted; .* from 1 to 1000000000$"):
        ids.quantity(ids.CAPACITY_MAX + 1, "stock", ids.CAPACITY_MAX)


# ---------------------------------------------------------------------------------------------------------- positions


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_position_is_read_back_from_its_text(epoch: int, seq: int) -> None:
    position = Position(epoch, seq)

    assert Position.parse(str(position)) == Position.parse(str(position).encode()) == position


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1--2",
            "1-2-3",
            "+1-2",
            "1_0-2",
            " 1-2",
            "1-2\n",
            "1.0-2",
            "1e3-2",
            "x-y",
        ),
        *("\u0661-\u0662", "1" * 21 + "-1", b"\xff-1", b"1 -1"),
    ],
)
def test_another_text_is_no_position(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"position|utf-8"):
        Position.parse(text)


def test_positions_are_ordered_by_epoch_then_seq() -> None:
    assert START < Position(1, 1) < Position(1, 10) < Position(2, 1)


# ---------------------------------------------------------------------------------------------------------- order ids


@given(st.integers(0, 999))
def test_a_new_order_id_is_valid_and_knows_its_shard(shard: int) -> None:
    order = ids.new_order_id(shard)

    assert ids.order_id(order) == order
    assert ids.shard_of_order(order) == shard


def test_new_order_ids_differ() -> None:
    assert len({ids.new_order_id() for _ in range(1000)}) == 1000


def test_a_derived_order_id_is_the_same_for_ever() -> None:
    """A literal: another value would make orders of before the upgrade buy again."""
    assert ids.derived_order_id("sale", "ann", "key-1") == "0-SKNYPiVoFmm75W2Swy-_Cg"
    assert ids.derived_order_id("sale", "ann", "key-1", shard=7) == "7-SKNYPiVoFmm75W2Swy-_Cg"


texts = st.text(st.characters(), max_size=20)  # also halves of surrogate pairs, as argv may hold them


@given(texts, texts, texts, st.integers(0, 999))
def test_a_derived_order_id_is_valid_whatever_it_is_made_of(
    sale: str, buyer: str, key: str, shard: int
) -> None:
    order = ids.derived_order_id(sale, buyer, key, shard)

    assert ids.order_id(order) == order
    assert ids.shard_of_order(order) == shard


@given(st.tuples(texts, texts, texts), st.tuples(texts, texts, texts))
def test_other_parts_make_another_order_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (ids.derived_order_id(*one) == ids.derived_order_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c", "x"), ("a", "bc", "x")),
        (("s", "ab", "c"), ("s", "a", "bc")),
        (("s", "", "a"), ("s", "a", "")),
        (("s\0", "a", "b"), ("s", "\0a", "b")),
        (("s", "a", "é"), ("s", "a", "e\u0301")),
    ],
)
def test_the_same_letters_cut_elsewhere_make_another_order_id(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert ids.derived_order_id(*one) != ids.derived_order_id(*other)
