"""What the emulated provider answers: it looks at no content. Colour decides, and one path."""

from consumer.emulator.rules import Label, Match, Rule

REPORTED = "reported"
"""Folder of the images that are found by their URL, whatever they look like."""

RULES = (
    Rule(
        match=Match(url=f"*/{REPORTED}/*"),
        labels=(Label(label="violent_knives", confidence=88.1, risk_level="high"),),
    ),
    Rule(
        match=Match(average_colour="red"),
        labels=(Label(label="violent_gun", confidence=97.2, risk_level="high"),),
    ),
    Rule(
        match=Match(average_colour="orange"),
        labels=(Label(label="inappropriate_smoking", confidence=81.5, risk_level="medium"),),
    ),
    Rule(
        match=Match(average_colour="yellow"),
        labels=(Label(label="inappropriate_tattoo", confidence=62.0, risk_level="low"),),
    ),
)
"""Blue and green match nothing, and nothing is found in them."""
