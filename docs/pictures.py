"""Take the picture of the report that the README shows: `python -m docs.pictures demo/report.html`.

It shows how well one concept is read from each layer, and what steering does, without tables and SQL.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

PICTURE = Path(__file__).with_name("images") / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, SCALE = 1080, 1.5
MARGIN = 16
COLOURS = 256
HEADINGS = "[...document.querySelectorAll('h3, h4')]"
PARTS = (("style", "What is taken for what"), ("Steering: first-look", "What else changes"))
"""From the heading with this text to the next one that begins so."""


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="Take the picture of the demo's report.")
    parser.add_argument("report", type=Path)
    report: Path = parser.parse_args().report
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"No browser: none of {', '.join(BROWSERS)} is on the PATH.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-drawn]")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.hidden = true; })")
        parts = [taken(page, start, end) for start, end in PARTS]
        running.close()
    stacked(parts).quantize(COLOURS).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")  # noqa: T201


def taken(page: Page, start: str, end: str) -> Image.Image:
    """The page between two headings."""
    tops: list[tuple[str, float]] = page.evaluate(
        f"{HEADINGS}.map((one) => [one.textContent, one.getBoundingClientRect().top + scrollY])"
    )
    first = next(place for place, (text, _) in enumerate(tops) if text == start)
    last = next(top for text, top in tops[first + 1 :] if text.startswith(end))
    top = tops[first][1] - MARGIN
    clip: FloatRect = {"x": 0, "y": top, "width": WIDTH, "height": last - top - MARGIN}
    return Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")


def stacked(parts: list[Image.Image]) -> Image.Image:
    """The parts, one below the other."""
    whole = Image.new("RGB", (parts[0].width, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    return whole


if __name__ == "__main__":
    main()
