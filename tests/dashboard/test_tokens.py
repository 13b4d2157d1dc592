"""The colours: every pair meets its contrast in both themes, and no other file names one."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "dashboard" / "static" / "dashboard"
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\);",
        (STATIC / "tokens.css").read_text(),
    )
}
THEMES = {"light": 0, "dark": 1}
PAGES = ("page", "surface", "sunken")
TEXTS = ("text", "muted", "action", "action-hover")
STATES = ("ok", "watch", "alert", "info", "testing", "staging", "ab-testing", "production")
SERIES = tuple(f"series-{number}" for number in range(1, 7))

TEXT_PAIRS = [
    *((text, page) for text in TEXTS for page in PAGES),
    *((state, f"{state}-tint") for state in (*STATES, "archived")),
    *(("text", f"{tone}-tint") for tone in ("ok", "watch", "alert", "info", "diff")),
    *(("muted", f"{tone}-tint") for tone in ("info", "diff")),
    *((tone, "surface") for tone in ("ok", "watch", "alert")),
    *((tone, "diff-tint") for tone in ("ok", "alert")),
    ("on-action", "action"),
    ("on-action", "action-hover"),
    ("on-alert", "alert"),
]
UI_PAIRS = [
    *(("control", page) for page in PAGES),
    *(("reference", page) for page in PAGES[:2]),
    *((series, page) for series in SERIES for page in PAGES[:2]),
    *((series, "sunken") for series in SERIES[:2]),
]

# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    first, second = (float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    ratio = (TO_XYZ @ np.clip(rgb, 0, 1)) / WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 (Sharma, Wu and Dalal 2005), the three factors being 1."""
    mean_chroma = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    a = np.array([one[1], other[1]]) * stretch
    b = np.array([one[2], other[2]])
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    turn = (hue[1] - hue[0] + 180) % 360 - 180
    middle = (hue[0] + turn / 2) % 360
    lightness, colourful = (one[0] + other[0]) / 2, chroma.mean()
    weight = (
        1
        - 0.17 * np.cos(np.radians(middle - 30))
        + 0.24 * np.cos(np.radians(2 * middle))
        + 0.32 * np.cos(np.radians(3 * middle + 6))
        - 0.20 * np.cos(np.radians(4 * middle - 63))
    )
    off = (lightness - 50) ** 2
    steps = np.array(
        [
            (other[0] - one[0]) / (1 + 0.015 * off / np.sqrt(20 + off)),
            (chroma[1] - chroma[0]) / (1 + 0.045 * colourful),
            2
            * np.sqrt(chroma.prod())
            * np.sin(np.radians(turn / 2))
            / (1 + 0.015 * colourful * weight),
        ]
    )
    bend = -2 * np.sqrt(colourful**7 / (colourful**7 + 25.0**7))
    bend *= np.sin(np.radians(60 * np.exp(-(((middle - 275) / 25) ** 2))))
    return float(np.sqrt((steps**2).sum() + bend * steps[1] * steps[2]))


def test_the_difference_formula_agrees_with_the_published_pairs() -> None:
    blue = np.array([50.0, 2.6772, -79.7751])
    assert difference(blue, np.array([50.0, 0.0, -82.7485])) == pytest.approx(2.0425, abs=1e-4)
    grey = np.array([50.0, 2.5, 0.0])
    assert difference(grey, np.array([73.0, 25.0, -18.0])) == pytest.approx(27.1492, abs=1e-4)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("ink", "ground"), TEXT_PAIRS)
def test_text_is_readable(ink: str, ground: str, theme: str) -> None:
    at = THEMES[theme]
    assert contrast(TOKENS[ink][at], TOKENS[ground][at]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("ink", "ground"), UI_PAIRS)
def test_controls_and_chart_lines_stand_out(ink: str, ground: str, theme: str) -> None:
    at = THEMES[theme]
    assert contrast(TOKENS[ink][at], TOKENS[ground][at]) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_series_differ_in_every_vision(vision: str, theme: str) -> None:
    seen = [lab(VISIONS[vision] @ linear(TOKENS[name][THEMES[theme]])) for name in SERIES]
    assert min(difference(one, other) for one, other in combinations(seen, 2)) >= 10


def test_no_other_file_names_a_colour() -> None:
    sources = [path for path in STATIC.glob("*.*") if path.name not in {"tokens.css", "mark.svg"}]
    sources += (ROOT / "templates").rglob("*.html")
    sources += (ROOT / "dashboard").rglob("*.py")
    named = re.compile(
        r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?(?:[0-9a-fA-F]{2})?(?=[;\s\"')])|\brgba?\("
    )
    assert [str(path) for path in sources if named.search(path.read_text())] == []


def test_every_colour_in_use_is_a_token() -> None:
    known = set(re.findall(r"--([\w-]+):", (STATIC / "tokens.css").read_text())) | {"ink", "tint"}
    for path in (*STATIC.glob("app.css"), *STATIC.glob("ui.js"), *STATIC.glob("icons.svg")):
        used = set(re.findall(r"var\(--([\w-]+)\)", path.read_text()))
        assert used <= known, path.name


def test_templates_hold_no_inline_style_or_script() -> None:
    inline = re.compile(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:")
    pages = (ROOT / "templates").rglob("*.html")
    assert [str(path) for path in pages if inline.search(path.read_text())] == []


@pytest.mark.parametrize("folder", [STATIC / "vendor", ROOT / "tests" / "browser" / "vendor"])
def test_vendored_files_are_the_published_ones(folder: Path) -> None:
    rows = re.findall(
        r"^\| ([\w.]+) \|.*\| ([0-9a-f]{64}) \|$", (folder / "VERSIONS.md").read_text(), re.M
    )
    assert {name for name, _ in rows} == {path.name for path in folder.glob("*.*s")}
    for name, digest in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
