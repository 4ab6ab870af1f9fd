"""The command help, and its topics."""

from __future__ import annotations

import click

from irminpy.cli.failure import USAGE, Failure

__all__ = ["TOPICS", "help_"]

TOPICS: dict[str, str] = {
    "revisions": """\
A revision names a commit.

  main, dev            the head of a branch
  genesis              a tag, unless a branch is called so
  4f0c19aa3e           a hash, or at least 7 digits of one
  main~2               the second first parent; "~" alone is "~1"
  main^2               the second parent of a merge; "^" alone is "^1"
""",
    "paths": """\
A path has steps with "/" between them; a "/" at either end does not matter.

  accounts/alice       on the branch: of -b, of irmin.yml, or main; in the commit of --commit
  main~2:accounts      in the commit main~2; for a command that writes, BRANCH:PATH
  :a:b                 the path "a:b": the first ":" ends the revision

Patterns (find) take *, ?, [...] within a step, and ** for any number of steps.
""",
    "values": """\
The store has one type of contents. What a command is given and prints:

  bytes, string        the bytes themselves
  json, json-value     JSON
  msgpack              JSON, as far as JSON can say it; else {"msgpack": "hex"}
  counter              a number

VALUE "-" is stdin, @FILE the bytes of a file, "@@..." a value that begins with "@". --as reads and writes in another
form: raw (the bytes that are stored), text, json, msgpack, hex. In JSON, bytes that are not UTF-8 are {"hex": "..."}.
""",
    "irmin.yml": """\
The nearest irmin.yml upwards says which store and branch a directory is about; else the one of the user,
$XDG_CONFIG_HOME/irminpy/config.yml or ~/.config/irminpy/config.yml. The command line and the environment win over both.

  store: pack:./ledger        # a relative path is meant from where the file is
  branch: main                # checkout sets it
  author: ann
  contents: json/1            # for stores that do not record it, such as Git's
  remote.origin: URI          # a name for clone, fetch, pull and push; remote add and rm set it

init makes one, checkout changes one, --config FILE reads another. Unknown keys are errors.
""",
    "output": """\
Data goes to stdout, messages, questions and progress to stderr. Into a pipe it is plain, one record on a line, and
stays so from version to version; --json prints a JSON object on each line, -z names and paths as they are, each with a
NUL behind it.

What cannot be printed is shown with escapes, so no control character of a path, a value or a message reaches
a terminal.
get writes a value as it is into a pipe or a file, with escapes on a terminal.

Colour: --color, NO_COLOR. It needs rich: pip install 'irminpy[cli]'. Long output goes through IRMINPY_PAGER, PAGER
or less; --no-pager. IRMINPY_AUTHOR and IRMINPY_DATE are for commits.
""",
    "status": """\
  0    done
  1    the answer is no: different (diff), nothing found (find), a test or a proof refused, a question answered with no
  2    the command line or a name in it is wrong
  3    not found
  4    conflict, or a lost race; nothing was written
  5    data is damaged
  6    a remote or the network
  7    the store cannot be used safely: locked, read-only, another schema or version; the system refused
  70   a fault of irminpy itself

An error is three lines: what, why, what to type. -vv, before the command, adds where it happened.
""",
}


@click.command("help")
@click.argument("topic", metavar="[COMMAND|TOPIC]", required=False)
@click.pass_context
def help_(ctx: click.Context, topic: str | None) -> None:
    """Tell what a command does, or about a topic: revisions, paths, values, irmin.yml, output, status."""
    root = ctx.find_root()
    if topic is None:
        click.echo(root.get_help())
        return
    if topic in TOPICS:
        click.echo(TOPICS[topic], nl=False)
        return
    assert isinstance(root.command, click.Group)
    command = root.command.get_command(root, topic)
    if command is None:
        import difflib  # late: only here

        near = difflib.get_close_matches(topic, [*root.command.list_commands(root), *TOPICS], n=1)
        raise Failure(
            f"there is no command or topic {topic!r:.60}",
            why=f"did you mean {near[0]!r}?" if near else f"topics are {', '.join(TOPICS)}",
            type=f"irminpy help {near[0]}" if near else "irminpy help",
            status=USAGE,
        )
    click.echo(command.get_help(click.Context(command, parent=root, info_name=topic)))
