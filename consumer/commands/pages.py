"""What the pages have in common that commands write: each is one file that loads nothing."""

from importlib.resources import files

_STYLE = "/* shared */\n"


def template(package: str, name: str) -> str:
    """A page's template out of its package, with the style that all pages share."""
    style = files("consumer.commands").joinpath("page.css").read_text("utf-8")
    return files(package).joinpath(name).read_text("utf-8").replace(_STYLE, style)
