"""Pictures for Prefect's pages: an SVG in a data URI, in the page's theme. Pure.

Of all that a Markdown artifact may hold, its pages draw only two things: Mermaid, and an image, which may be a data
URI. Inline SVG, styles and colours are taken out. A picture asks for the page's theme and paints its own background, so
that its text can be read whichever answer it gets.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Colours that people tell apart who see no red or no green (Okabe and Ito), and a pattern each, for those who see none.
BLUE: Final = "#0072b2"
SKY: Final = "#56b4e9"
LIGHT: Final = "#1f2937"  # text in the light theme
DARK: Final = "#f4f4f5"  # and in the dark one
WIDTH: Final = 672  # as wide as the pages are on a small screen

_THEME: Final = (
    ".card{fill:#fff}.frame{fill:none;stroke:#6b7280}"
    "text{font:12px system-ui,sans-serif;fill:#1f2937}.small{font-size:10px;fill:#4b5563}"
)
_DARK: Final = (
    "@media(prefers-color-scheme:dark){.card{fill:#18181b}text{fill:#f4f4f5}.small{fill:#c4c4cc}.frame{stroke:#a1a1aa}"
)


_MARGIN, _LINE = 12, 18
_LETTER: Final = 7.2  # the width of one, in fonts that are wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What an area is painted with: `drawn` in a tile of so many pixels, again and again."""

    drawn: str
    width: int = 6
    height: int = 6
    turned: int = 0

    def named(self, name: str) -> str:
        """As a definition: `fill="url(#name)"` paints with it."""
        turn = f' patternTransform="rotate({self.turned})"' if self.turned else ""
        return (
            f'<pattern id="{name}" width="{self.width}" height="{self.height}" patternUnits="userSpaceOnUse"{turn}>'
            f"{self.drawn}</pattern>"
        )


DOTS: Final = Pattern(drawn='<circle cx="3" cy="3.5" r=".9" fill="#8a8f98"/>', height=7)
LINES: Final = Pattern(drawn='<rect width="6" height="6" fill="#cc79a7"/><path d="M0 3h6" stroke="#1f2937"/>')
CROSSES: Final = Pattern(
    drawn='<rect width="6" height="6" fill="#9ca3af"/><path d="M0 0l6 6M6 0l-6 6" stroke="#1f2937"/>'
)
UPRIGHTS: Final = Pattern(
    drawn='<rect width="5" height="5" fill="#f0e442"/><path d="M1 0v5" stroke="#1f2937"/>', width=5, height=5
)
STRIPES: Final = Pattern(
    drawn='<rect width="6" height="6" fill="#fff"/><rect width="4" height="6" fill="#d55e00"/>', turned=45
)


def picture(drawn: str, *, width: int, height: int, style: str = "", dark: str = "", definitions: str = "") -> str:
    """Return an SVG that paints its own background.

    Args:
        style: of its own classes, beside `card`, `frame`, `text` and `small`.
        dark: what is otherwise in the dark theme.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{_THEME}{style}{_DARK}{dark}}}</style><defs>{definitions}</defs>"
        f'<rect class="card" width="{width}" height="{height}" rx="6"/>{drawn}</svg>'
    )


def legend(signs: Sequence[tuple[str, str]], *, y: int) -> tuple[str, int]:
    """Draw signs of 22 by 11 pixels with their words, in as many lines as they need; return where these end, too."""
    drawn, x = [], _MARGIN
    for sign, words in signs:
        width = 28 + int(len(words) * _LETTER)
        if x + width > WIDTH - _MARGIN:
            x, y = _MARGIN, y + _LINE
        drawn.append(f'<g transform="translate({x} {y})">{sign}<text x="28" y="10">{words}</text></g>')
        x += width + 14
    return "".join(drawn), y + _LINE


def compact(number: int) -> str:
    """A number of six letters at most, or thereabouts: `58,135`, `142k`, `1.2M`."""
    if number < 100_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number // 1_000}k"
    return f"{number / 1_000_000:.1f}M" if number < 10_000_000 else f"{number // 1_000_000:,}M"


def image(svg: str, says: str) -> str:
    """Return the Markdown that shows a picture, and says the same in words to whoever does not see it."""
    return f"![{says}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
