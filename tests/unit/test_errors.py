"""The exceptions: their tree, their exit codes and their messages."""

import re

import pytest

from flashsale import errors
from flashsale.errors import BadInput, FlashsaleError, Overloaded

LINE = re.compile(r"    (?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<exit_code>\d) +(?P<meaning>\S.*)")

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, FlashsaleError)
}


def documented() -> dict[str, tuple[str | None, int]]:
    """Name → (parent, exit code), as the module's docstring draws them."""
    assert errors.__doc__ is not None
    tree: dict[str, tuple[str | None, int]] = {}
    path: list[str] = []
    for match in map(LINE.fullmatch, errors.__doc__.splitlines()):
        if match is None:
            continue
        depth = len(match["branch"]) // 4
        path[depth:] = [match["name"]]
        tree[match["name"]] = (path[depth - 1] if depth else None, int(match["exit_code"]))
    return tree


def test_the_docstring_draws_the_classes_that_there_are() -> None:
    actual = {
        name: (cls.__bases__[0].__name__ if cls is not FlashsaleError else None, cls.exit_code)
        for name, cls in CLASSES.items()
    }

    assert documented() == actual


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_says_when_it_happens(name: str) -> None:
    docstring = CLASSES[name].__doc__
    assert docstring is not None
    assert docstring[0].isupper()
    assert docstring.endswith(".")


def test_the_docstring_of_the_class_is_the_message_that_was_not_given() -> None:
    assert str(Overloaded()) == Overloaded.__doc__
    assert str(Overloaded("full")) == "full"


def test_bad_input_names_field_value_and_remedy() -> None:
    error = BadInput("quantity", "0x10", "use a whole number")

    assert str(error) == "quantity: '0x10' is not accepted; use a whole number"
    assert (error.field, error.value, error.remedy) == ("quantity", "0x10", "use a whole number")


def test_a_long_value_is_cut() -> None:
    error = BadInput("sku", "x" * 5000, "use less")

    assert str(error) == f"sku: '{'x' * 149}… (5002 characters) is not accepted; use less"


@pytest.mark.parametrize("value", ["\x1b[2J", "a\nb", "a\0b", "\u202e"])
def test_a_value_cannot_play_with_the_terminal(value: str) -> None:
    assert str(BadInput("buyer", value, "use letters")).isprintable()


def test_a_number_too_long_to_print_is_described() -> None:
    assert str(BadInput("quantity", 10**5000, "use less")).startswith(
        "quantity: a number of very many digits is not"
    )
