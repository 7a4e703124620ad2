"""Help as plain text: what draws frames around it takes longer to import than all else that the help needs."""

from typing import Any

from typer.core import TyperGroup

LONGEST = 400  # characters of a command's sentence in the list


class PlainGroup(TyperGroup):
    """Lists its commands with the whole first sentence of each; typer's own cuts it where the line ends."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list into the help."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(LONGEST)) for name, each in commands if each and not each.hidden]
            )
