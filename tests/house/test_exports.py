"""What a module says it exports is sorted, true and complete."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import flashsale

MODULES = [
    "flashsale",
    *(
        module.name
        for module in pkgutil.walk_packages(flashsale.__path__, "flashsale.")
        if not module.name.endswith("__main__")
    ),
]


def order(name: str) -> tuple[int, str]:
    """Sort as ruff's RUF022 does, so that `make fmt` repairs it: CONSTANTS, Classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def passed_on(package: ModuleType) -> set[str]:
    """The public classes and functions that a package takes from its own modules."""
    return {
        name
        for name, value in vars(package).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith(f"{package.__name__}.")
        and not name.startswith("_")
    }


@pytest.mark.parametrize("name", MODULES)
def test_exports_are_sorted_true_and_complete(name: str) -> None:
    module = importlib.import_module(name)
    exports = getattr(module, "__all__", None)
    if exports is None:
        return

    assert list(exports) == sorted(set(exports), key=order)
    assert [export for export in exports if not hasattr(module, export)] == []
    assert passed_on(module) - set(exports) == set()
