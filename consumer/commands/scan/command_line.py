"""The options of `scan`. What it does stands in `scanning.py`, which is imported once it is asked for."""

import os
import resource
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual
from consumer.commands.scan.options import PATIENCE, FailOn, ScanOptions


def scan(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Files, folders, globs in quotes, URLs; `-` is standard input: an image, or a list of paths and URLs.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='A list: a path or a URL a line, or {"image": …, "tenant": …, "purpose": …, "id": …}.',
        ),
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Decide by this policy instead of the configuration's.")
    ] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Fetch URLs from here and upload them, as files are; not by the provider.")
    ] = False,
    qps: Annotated[
        int | None,
        typer.Option(min=1, help="Calls a second. [default: quota.reserve, which the service leaves to others]"),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="No service runs: use all of quota.qps.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Remember what was judged: a scan with it goes on, and pays nothing twice."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what there is to judge, how long it takes, what it costs. Asks nobody."),
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="PER_THOUSAND", help="What a thousand calls cost, to say what this does."),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JSON lines, too.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the images, blurred, and what was found.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Do not blur the images in the page.")] = False,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 1 where an image is at least this.", show_default=False)
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0.0, help="Seconds without any answer after which a scan gives up.")
    ] = PATIENCE,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log to standard error as the service does.")] = False,
) -> None:
    """
    Judge images by hand: files, folders, URLs, with the service's policy and provider. Each call is billed.

    On a terminal it shows its progress and a table, elsewhere it writes a JSON object for each image, as it is decided.
    Exits with 0; with 1 if --fail-on found something; with 2 if it was asked wrongly; with 3 if it could not finish:
    it was interrupted, the account is refused, or nothing was answered for --patience.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys and presigned URLs

    from consumer.commands.scan.scanning import run

    options = ScanOptions(
        images=images or (), manifest=manifest, config=usual(config), overrides=overrides or (), policy=policy,
        upload=upload, qps=qps, alone=alone, price=price, patience=patience, state=state, json=json, html=html,
        show=show, fail_on=fail_on, dry_run=dry_run, verbose=verbose,
    )  # fmt: skip
    sys.exit(run(options, os.environ))
