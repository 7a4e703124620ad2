"""What a dry run says of what it cannot know."""

from consumer.commands.scan.plan import Plan


def test_a_dry_run_says_that_each_picture_of_a_file_costs() -> None:
    """
    How many there are is known once they are decoded: the most is said.
    """
    plan = Plan.of(0, [], ["a"], 0, 10, 1.5, {}, pictures=8)

    assert "up to 8 are asked about (images.frames), each a call: it takes and costs as much more." in plan.text()
    assert "images.frames" not in Plan.of(0, [], ["a"], 0, 10, 1.5, {}).text()
