"""The options of `policy backtest`. What it does stands beside it, and is imported once it is asked for."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual

Written = typer.Option(metavar="FILE", show_default=False)


def backtest(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The policy that is to follow.")],
    against: Annotated[Path, typer.Option(metavar="CURRENT", help="The policy that decides now.")],
    verdicts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Verdicts as they were published: JSON lines, plain or compressed, or Parquet; `-` reads standard "
            "input. May be repeated. [default: the topics of the configuration]",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="How far back: 14d, 6h. [default: 14d of topics, all of files]", show_default=False
        ),
    ] = None,
    sample: Annotated[float, typer.Option(help="Look at this share of the images, the same ones every time.")] = 1.0,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="People's decisions (moderation.review.v1), as --verdicts.", show_default=False
        ),
    ] = None,
    decisions_topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="People's decisions in Kafka.", show_default=False)
    ] = None,
    seconds_per_review: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long a look takes. [default: people's median, else 20]", show_default=False),
    ] = None,
    gates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="`gates: {…}`: bounds, as the next options.", show_default=False)
    ] = None,
    max_flips_to_pass: Annotated[
        int | None, typer.Option(min=0, help="Images that may newly pass.", show_default=False)
    ] = None,
    max_review_growth: Annotated[
        float | None, typer.Option(min=-1, help="0.10: a tenth more reviews.", show_default=False)
    ] = None,
    min_block_precision: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of blocks that people looked at: those removed.", show_default=False),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page to look at.")] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of it as JSON; `-`: to standard output, alone.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the counts as CSV.")] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """
    Say what a policy would have decided about what was published, beside the one that decides now.

    Nothing is asked of the provider, and nothing is published or committed. Exits with 4 where a gate does not hold,
    with 1 where nothing could be replayed, and with 2 where a file is wrong.
    """
    from consumer.commands.policy.backtesting import command
    from consumer.commands.policy.backtesting.outputs import Outputs
    from consumer.commands.scan.consoles import Consoles

    if not 0 < sample <= 1:
        raise typer.BadParameter("is a share: more than 0, at most 1", param_hint="--sample")
    given = {
        "max_flips_to_pass": max_flips_to_pass,
        "max_review_growth": max_review_growth,
        "min_block_precision": min_block_precision,
    }
    options = command.Options(
        candidate=candidate, current=against, verdicts=verdicts or (), config=usual(config),
        overrides=overrides or (), since=since, share=sample, decisions=decisions or (),
        decisions_topic=decisions_topic, gates=gates,
        gates_given={name: value for name, value in given.items() if value is not None},
        seconds_per_review=seconds_per_review,
    )  # fmt: skip
    outputs = Outputs(json, csv, html, Consoles.usual())
    result = command.backtest(options, os.environ, outputs.watching)
    outputs.write(result)
    sys.exit(command.exit_status(result))
