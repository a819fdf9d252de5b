"""The pictures of the documentation are taken of the pages as they are: `make pictures`."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browser.conftest import OpenPage, Shop

ROOT = Path(__file__).parents[2]
#: picture → whether it is dark, and the states in it
STRIPS = {
    "storefront.png": (False, ("soon", "waiting", "held", "paid")),
    "storefront-dark.png": (True, ("in-the-draw", "called", "few", "sold-out")),
}
#: A repository is no photo album.
BYTES_MAX = 180_000
_STYLE = (
    "body {{ margin: 0; padding: 28px; display: flex; align-items: flex-start; gap: 24px; width: max-content; "
    "background: {paper} }}"
    "img {{ flex: none; width: 360px; height: 740px; border-radius: 28px; border: 1px solid {line} }}"
)


@pytest.mark.parametrize("name", STRIPS)
def test_a_picture_shows_the_pages_as_they_are(
    chromium: Browser, shop: Shop, visit: OpenPage, tmp_path: Path, name: str
) -> None:
    dark, states = STRIPS[name]
    path = shop.sell()
    shots = []
    for state in states:
        page = visit(f"{path}?demo={state}", dark=dark, device_scale_factor=1.5, reduced_motion="reduce")
        page.evaluate("document.fonts.ready")
        shots.append(page.screenshot())

    place = Path(os.environ.get("FLASHSALE_PICTURES", tmp_path)) / name
    place.write_bytes(strip(chromium, shots, dark=dark))

    assert place.stat().st_size <= BYTES_MAX
    assert f"pictures/{name}" in (ROOT / "docs/storefront.md").read_text(encoding="utf-8")
    assert (ROOT / "docs/pictures" / name).is_file()


def strip(chromium: Browser, shots: list[bytes], *, dark: bool) -> bytes:
    """Pages beside each other, as a PNG of few colours."""
    paper, line = ("#0d0b0a", "#38312c") if dark else ("#efe9e0", "#e0d7cb")
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(shot).decode()}">' for shot in shots)
    page = chromium.new_page(device_scale_factor=1.5, viewport={"width": 1_700, "height": 100})
    try:
        page.set_content(
            f"<!doctype html><title>strip</title><style>{_STYLE.format(paper=paper, line=line)}</style><body>{images}"
        )
        whole = page.locator("body").screenshot()
    finally:
        page.close()
    picture = io.BytesIO()
    few = Image.open(io.BytesIO(whole)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(picture, "PNG", optimize=True)
    return picture.getvalue()
