"""
Curves as SVG.
"""

from xml.etree import ElementTree

import pytest

from bench.plot import curves

SVG = "{http://www.w3.org/2000/svg}"


def test_each_line_has_its_points_and_its_name() -> None:
    """
    What is twice as much stands twice as high above the axis; names of strangers are text.
    """
    drawn = ElementTree.fromstring(curves("CPU", "in flight", "ms", {"a<b": [(1, 1.0), (2, 2.0)], "c": [(1, 2.0)]}))

    first, second, other = drawn.findall(f"{SVG}circle")
    axis = float(drawn.findall(f"{SVG}line[@class='axis']")[0].attrib["y1"])
    assert axis - float(second.attrib["cy"]) == 2 * (axis - float(first.attrib["cy"]))
    assert other.attrib["cy"] == second.attrib["cy"]
    assert "a<b" in [text.text for text in drawn.findall(f"{SVG}text")]


def test_a_logarithmic_axis_has_doublings_at_equal_steps() -> None:
    """
    8, 16 and 32 stand equally far apart; zero has no place there.
    """
    drawn = ElementTree.fromstring(curves("", "", "", {"a": [(8, 1), (16, 1), (32, 1)]}, logarithmic=True))

    one, two, three = (float(each.attrib["cx"]) for each in drawn.findall(f"{SVG}circle"))
    assert three - two == two - one
    with pytest.raises(ValueError, match="0 has no place"):
        curves("", "", "", {"a": [(0, 1)]}, logarithmic=True)
