"""The colours of the results can be told apart with any colour vision, and from the ground."""

import itertools
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).resolve().parents[2] / "Sources" / "CDashboard" / "dashboard.html"
RESULTS = ["hit", "stale", "collapsed", "miss", "bypass", "write", "error"]
# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency":
# linear RGB as it looks to people without one kind of cone.
VISION = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def colours(name):
    """Returns the light and the dark form of a colour, in linear RGB."""
    forms = re.search(rf"--{name}: light-dark\(#(\w{{6}}), #(\w{{6}})\)", PAGE.read_text()).groups()

    def linear(text):
        parts = [int(text[place:place + 2], 16) / 255 for place in (0, 2, 4)]
        return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]

    return [linear(form) for form in forms]


def luminance(colour):
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def lab(colour):
    red, green, blue = (min(1, max(0, part)) for part in colour)

    def curve(part):
        return part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116

    x = curve((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
    y = curve(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    z = curve((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_results_differ(theme, vision):
    def seen(name):
        colour = colours(name)[theme]
        return lab([sum(row[place] * colour[place] for place in range(3)) for row in VISION[vision]])

    for one, other in itertools.combinations(RESULTS, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen(one), seen(other))) ** 0.5
        assert distance > 20, (one, other)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_graphics_and_text_have_contrast(theme):
    surface, page = colours("surface")[theme], colours("page")[theme]
    for name in [*RESULTS, "plain", "control"]:
        assert contrast(colours(name)[theme], surface) >= 3, name
    for name in ["ink", "muted", "accent", "good", "warn", "bad"]:
        assert contrast(colours(name)[theme], surface) >= 4.5, name
        assert contrast(colours(name)[theme], page) >= 4.5, name
