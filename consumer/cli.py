"""
The command line: parses, calls, prints. What a command does stands elsewhere, and is imported once it is asked for.
"""

import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, SchemaName, usual
from consumer.commands.backfill.command_line import backfill
from consumer.commands.feedback.command_line import feedback_app
from consumer.commands.libraries.command_line import libraries_app
from consumer.commands.offsets_command_line import offsets_app
from consumer.commands.plain_help import PlainGroup
from consumer.commands.policy.command_line import policy_app
from consumer.commands.scan.command_line import scan
from consumer.errors import ConsumerError, Misconfigured
from consumer.extras import extra
from consumer.shipped import file_or_shipped
from consumer.vendor_facts.aliyun import KEY_ID, KEY_SECRET

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="moderation-consumer",
    cls=PlainGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
)


def console(stderr: bool = False) -> "Console":
    """Where what a command says is printed, with markup; imported once there is something to say."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def show_version(asked: bool) -> None:
    """Print the release and end, where that was asked for."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"moderation-consumer {version('moderation-consumer')}")
        raise typer.Exit


@app.callback()
def about(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """
    Reads upload events from Kafka, asks Alibaba Cloud Image Moderation about each image, publishes verdicts.

    The exit status is 0 on success, 1 on failure, 2 when the configuration or the command line is wrong, and 3 on an
    unexpected error.
    """


@app.command()
def run(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Run the service until SIGTERM: read uploads, have them judged, publish verdicts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys and presigned URLs

    import structlog

    from consumer.app import run as run_service
    from consumer.commands.inputs import load_inputs
    from consumer.observability.logs import set_up_logs

    settings, policy, credentials, keyring, warnings = load_inputs(usual(config), os.environ, overrides or ())
    set_up_logs(settings.logs)
    for each in warnings:
        structlog.get_logger().warning("config.variable_without_effect", reason=each)
    run_service(settings, policy, credentials, keyring, os.environ)


app.add_typer(offsets_app, name="offsets", cls=PlainGroup)
app.add_typer(feedback_app, name="feedback", cls=PlainGroup)


@app.command()
def check(
    config: ConfigFile = None,
    overrides: Overrides = None,
    latency: Annotated[float, typer.Option(min=0.001, help="Duration of a call to the provider, in seconds.")] = 0.3,
    outage: Annotated[
        float, typer.Option(min=0.0, help="Longest outage that must not lose an upload, in hours.")
    ] = 24.0,
    canary: Annotated[
        bool, typer.Option("--canary", help="Ask about each of canaries.images once, too; these calls are billed.")
    ] = False,
) -> None:
    """
    Check everything that the service needs before it runs, and say how to correct what is wrong.

    Configuration, policy, key, topics and their limits, quota, retention, clock. Nothing is changed in Kafka, and the
    one call to the provider names no image, so it is not billed; with --canary images whose answer is known are asked
    about, which is. Exits with 2 if `run` would refuse the configuration,
    with 1 if anything else is wrong.
    """
    import asyncio

    from consumer.commands.check import check as look
    from consumer.commands.check.findings import exit_status, lines

    looked = look(
        usual(config), os.environ, overrides or (), latency=latency, outage=outage * 3600, canary=canary
    )  # fmt: skip
    findings = asyncio.run(looked)
    output = console()
    for line in lines(findings):
        output.print(line)
    sys.exit(exit_status(findings))


@app.command()
def decode(
    file: Annotated[
        Path | None, typer.Argument(help="The message's value; `-` reads standard input.", show_default=False)
    ] = None,
    headers: Annotated[
        Path | None,
        typer.Option(help='Its headers: a JSON list of [name, value], a value being a text, null or {"base64": "…"}.'),
    ] = None,
    null_value: Annotated[
        bool, typer.Option("--null-value", help="The message has no value (a tombstone); FILE is not read.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The configuration with the bindings. Without it every bucket counts as bound."),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            help="Where it was read: what its producers may claim. Without it, the configuration's first topic."
        ),
    ] = None,
) -> None:
    """
    Show which images one Kafka message asks about: a JSON object for each.

    Prints {"ignored": reason} for a message without images, and {"rejected": reason} with exit status 1 for a message
    that would become a dead letter.
    """
    from consumer.commands.decode import lines, read_headers, show
    from consumer.config.loading import load_config

    if file is None and not null_value:
        raise typer.BadParameter("name a FILE, or say --null-value")
    given = () if headers is None else read_headers(headers, content_of(headers))
    settings = None if config is None else load_config(config, os.environ)
    value = None if file is None or null_value else content_of(file)
    shown, was_read = show(value, given, settings, topic)
    typer.echo(lines(shown))
    sys.exit(0 if was_read else 1)


@app.command()
def schema(
    name: Annotated[
        SchemaName | None, typer.Argument(help="The schema; without it, all of them by name.", show_default=False)
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write each into a file of this folder instead.")
    ] = None,
) -> None:
    """Print the JSON Schema of upload events, verdicts, dead letters' headers, the configuration or the policy."""
    from consumer.commands.schema import schema as make
    from consumer.commands.schema import write_all, written

    if write is not None:
        try:
            files = write_all(write)
        except OSError as error:
            raise Misconfigured([f"--write: {write} cannot be written: {error.strerror}"]) from error
        typer.echo("\n".join(map(str, files)))
    else:
        typer.echo(written({each.value: make(each) for each in SchemaName} if name is None else make(name)))


app.command("scan")(scan)
app.command("backfill")(backfill)
app.add_typer(policy_app, name="policy", cls=PlainGroup)
app.add_typer(libraries_app, name="libraries", cls=PlainGroup)


@app.command("config")
def show_config(config: ConfigFile = None, overrides: Overrides = None) -> None:
    """Print the configuration as it takes effect, and where each value came from. No secret is shown."""
    from consumer.commands.config import effective
    from consumer.config.loading import load_with_origins

    path = usual(config)
    typer.echo(effective(load_with_origins(path, os.environ, overrides or ()), path, os.environ))


@app.command()
def emulator(
    host: Annotated[
        str,
        typer.Option(help="Where to listen. Other addresses than loopback need --beyond-loopback."),
    ] = "127.0.0.1",
    beyond_loopback: Annotated[
        bool,
        typer.Option(
            "--beyond-loopback",
            help="Say that whoever reaches it may read its calls and learn which URLs this machine reaches.",
        ),
    ] = False,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="A host name by which it is called, beside localhost; may be repeated."),
    ] = None,
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8090,
    regions: Annotated[
        list[str] | None,
        typer.Option("--region", help="A region to serve; may be repeated, each on the port above the one before."),
    ] = None,
    unauthorised: Annotated[
        list[str] | None,
        typer.Option(help="Glob on buckets that the account has not authorised, code 408; may be repeated."),
    ] = None,
    qps: Annotated[int, typer.Option(help="Calls accepted in any second; more are throttled.")] = 100,
    scan_images: Annotated[
        int, typer.Option(help="Images that the 1.0 API accepts in any second; more are throttled.")
    ] = 50,
    scan_seconds: Annotated[
        float, typer.Option(help="Seconds that an asynchronous task of the 1.0 API takes, beside the latency.")
    ] = 0.0,
    callback_hosts: Annotated[
        list[str] | None,
        typer.Option("--callback-host", help="A host, beside loopback, that callbacks go to; may be repeated."),
    ] = None,
    latency: Annotated[float, typer.Option(help="Seconds from a call to its answer.")] = 0.3,
    rules: Annotated[
        Path | None, typer.Option(help="YAML file with the verdict for each image. Without it all images are harmless.")
    ] = None,
    access_key_id: Annotated[str | None, typer.Option(envvar=KEY_ID, help="The one account that may call.")] = None,
    access_key_secret: Annotated[str | None, typer.Option(envvar=KEY_SECRET, help="Its secret.")] = None,
) -> None:
    """Serve the provider's API, to try the service without an account. It follows rules and looks at no content."""
    import asyncio
    from functools import partial

    with extra("demo", "The emulator, which looks at real images,"):
        from consumer.emulator import EmulatorSettings, serve
        from consumer.emulator.rules import RuleFile
    from pydantic import ValidationError

    from consumer.config.loading import validated
    from consumer.config.origins import Origins
    from consumer.config.problems import explained
    from consumer.config.yaml_file import read_yaml
    from consumer.proxies import Proxies

    given = {
        "beyond_loopback": beyond_loopback, "host": host, "names": names, "port": port, "qps": qps, "latency": latency,
        "scan_images": scan_images, "scan_seconds": scan_seconds, "callback_hosts": callback_hosts,
        "regions": regions, "unauthorised": unauthorised, "rules": rules,
        "access_key_id": access_key_id, "access_key_secret": access_key_secret,
    }  # fmt: skip
    if rules is not None:
        file = read_yaml(rules)
        given["rules"] = validated(RuleFile, file.tree, Origins(file)).rules
    options = {key: value for key, value in given.items() if value is not None}
    try:
        settings = EmulatorSettings.model_validate(options)
    except ValidationError as error:
        problems = explained(error, EmulatorSettings, options, {("access_key_id",)})
        singular = {"names": "name", "regions": "region", "callback-hosts": "callback-host"}
        named = [(".".join(each.keys[:1]).replace("_", "-"), each.text) for each in problems]
        raise Misconfigured([f"--{singular.get(name, name)}: {text}" for name, text in named]) from None
    try:
        announce = partial(console().print, markup=False)
        asyncio.run(serve(settings, announce=announce, proxies=Proxies.of(os.environ)))
    except OSError as error:
        reason = f"{host}:{port} cannot be listened on: {error.strerror or error}"
        raise Misconfigured([f"--host, --port: {reason}; 0 takes a free port"]) from error


@app.command()
def broker() -> None:
    """Serve Kafka on loopback from this process, for one consumer and a short time."""
    with extra("demo", "The embedded broker"):
        from consumer.emulator.broker import EmbeddedBroker

    output = console()
    with EmbeddedBroker() as embedded:
        output.print(f"bootstrap servers: [bold]{embedded.bootstrap_servers}[/bold]    Ctrl-C ends it")
        for limit in embedded.limits:
            output.print(f"  [dim]{limit}[/dim]")
        wait_for_signal()


@app.command()
def demo(
    events: Annotated[int, typer.Option(min=32, help="Upload events to publish.")] = 600,
    qps: Annotated[int, typer.Option(min=1, help="The emulated account's calls a second.")] = 100,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="The YAML file. [default: config/demo.yaml, or the release's]", show_default=False
        ),
    ] = None,
) -> None:
    """Run the real service against an embedded broker and an emulated provider, and compare expected with seen."""
    from consumer.demo import DemoOptions, run_demo

    file = config or file_or_shipped(Path("config/demo.yaml"))
    sys.exit(run_demo(DemoOptions(events=events, qps=qps, keep=keep, config=file)))


def content_of(path: Path) -> bytes:
    """Read a file, or standard input for `-`."""
    try:
        return sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}"]) from error


def wait_for_signal() -> None:
    """Block until SIGTERM or SIGINT."""
    awaited = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    signal.sigwait(awaited)


def complain(*problems: str) -> None:
    """Print each on standard error, behind a red cross; what looks like markup in it is none."""
    from rich.markup import escape

    errors = console(stderr=True)
    for problem in problems:
        errors.print(f"[red]✗[/red] {escape(problem)}", markup=True)


def main() -> None:
    """Run a command. Exit 2: the configuration is wrong; 1: it could not go on; 3: an error that nobody expected."""
    try:
        app(prog_name="moderation-consumer")
    except Misconfigured as error:
        complain(*error.problems)
        sys.exit(2)
    except (ConsumerError, OSError) as error:  # OSError: such as a full disk below standard output
        complain(str(error))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 — Python would say its text, and end with 1, which commands mean otherwise
        from consumer.commands.faults import UNEXPECTED, in_a_line, innermost
        from consumer.observability.tracebacks import frames_of

        inner = innermost(error)
        complain(in_a_line(inner))
        console(stderr=True).print("\n".join(frames_of(inner)), markup=False)
        sys.exit(UNEXPECTED)
