"""tasks: the command line of taskapp."""

from __future__ import annotations

import sqlite3

import click
from click.shell_completion import get_completion_class

from taskapp_client import __version__
from taskapp_client.commands import account, edit, exports, imports, lists
from taskapp_client.commands import tasks as single
from taskapp_client.credentials import data_folder
from taskapp_client.failures import Failure
from taskapp_client.session import Session, colours_allowed

EPILOG = """\b
Exit codes:
  0  it was done
  1  it failed for a reason that no other code stands for
  2  the command line is wrong
  3  there is no such thing, or you may not see it
  4  you are not signed in, or may not do this
  5  somebody else changed it, or it is in the way of something
  6  the service does not accept what it was sent
  7  the service cannot be reached or is busy: the same again later
"""


class Tasks(click.Group):
    """The group of all commands; what this machine refuses is a sentence, too."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly where nobody reads on
        except OSError as error:
            raise Failure(f"This machine refuses: {error}.") from None
        except sqlite3.Error as error:
            raise Failure(
                f"What `tasks` remembers on this machine cannot be used ({error}): delete"
                f" {data_folder()}, then `tasks sync` makes the offline copy again."
            ) from None


@click.group(
    cls=Tasks,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="tasks")
@click.pass_context
def tasks(context: click.Context) -> None:
    """Your tasks, from a terminal.

    Begin with `tasks login`. TASKS_URL and TASKS_TOKEN may stand in for it in scripts.
    """
    context.color = colours_allowed()
    context.obj = Session()
    context.call_on_close(context.obj.close)


@tasks.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete.

    In the start file of the shell: eval "$(tasks completion bash)"
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(tasks, {}, "tasks", "_TASKS_COMPLETE").source())


COMMANDS = (
    account.register,
    account.login,
    account.logout,
    account.whoami,
    single.add,
    lists.ls,
    single.show,
    edit.edit,
    single.done,
    single.undo,
    single.rm,
    lists.sync,
    exports.export,
    imports.import_,
)
for command in COMMANDS:
    tasks.add_command(command)
