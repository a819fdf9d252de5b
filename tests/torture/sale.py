"""What is sold while everything breaks."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.processes import Cli
from tests.torture.shop import HOLD_S, SKUS

#: One unit in so many is scarce, and sold out while the faults last.
SCARCE = 12
LIMIT = 40


def begin(cli: Cli, directory: Path, sale: str, units: int) -> None:
    """Define a sale of so many units, warm and open it."""
    scarce = units // SCARCE
    items = "".join(
        f'[[items]]\nsku = "{sku}"\ntitle = "{sku}"\nquantity = {quantity}\n'
        f"unit_price_minor = 100\nlimit = {LIMIT}\n"
        for sku, quantity in zip(SKUS, (units - scarce, scarce), strict=True)
    )
    file = directory / "sale.toml"
    file.write_text(f'sale = "{sale}"\ntitle = "Torture"\ncurrency = "EUR"\nhold = "{HOLD_S:.0f}s"\n{items}')
    cli.ok("sale", "define", str(file))
    cli.ok("sale", "warm", sale)
    cli.ok("sale", "open", sale, "--now")
