"""`gatepost user`: the administrators, and the tokens of programs.

Only translates; passwords are asked for, never taken from the command line.
"""

from __future__ import annotations

import sys
from typing import Annotated, get_args

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_text import moment, shown
from gatepost.admin.operations import tokens, users
from gatepost.admin.tokens import DAYS, MAX_DAYS
from gatepost.admin.users import Role
from gatepost.errors import GatepostError

group = Group("user", "Administrators of the gateway, and the tokens of programs.")
token = Group("token", "Tokens by which programs use the REST API.")
group.app.add_typer(token.app)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the administrator.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")]


RoleOption = Annotated[Role, typer.Option("--role", metavar="ROLE", help=f"What they may do: {', '.join(get_args(Role))}.")]


@group.command("add")
def add(cli: Cli, name: Name, role: RoleOption = "administrator", password_stdin: FromStdin = False) -> None:
    """Add an administrator."""
    users.add(cli.operator, name, _password(password_stdin), role)
    cli.show({"added": name, "role": role}, [f"Added user {name}, {role}."])


@group.command("role")
def role(cli: Cli, name: Name, role: Annotated[Role, typer.Argument(metavar="ROLE", help="The new role.")]) -> None:
    """Give an administrator another role."""
    users.set_role(cli.operator, name, role)
    cli.show({"changed": name, "role": role}, [f"{name} is {role} now."])


@group.command("passwd")
def passwd(cli: Cli, name: Name, password_stdin: FromStdin = False) -> None:
    """Change an administrator's password."""
    users.set_password(cli.operator, name, _password(password_stdin))
    cli.show({"changed": name}, [f"Changed the password of {name}."])


@group.command("list")
def listing(cli: Cli) -> None:
    """Show the administrators."""
    known = users.listing(cli.operator)
    rows = [(one.name, one.role, moment(one.created), moment(one.changed)) for one in known]
    cli.show(known, [table("Name", "Role", "Added", "Password set", rows=rows)] if known else ["There are no users yet."])


@group.command("delete")
def delete(cli: Cli, name: Name) -> None:
    """Remove an administrator."""
    users.delete(cli.operator, name)
    cli.show({"deleted": name}, [f"Deleted user {name}."])


@group.command("add-key")
def add_key(
    cli: Cli,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Public key as OpenSSH writes it; - for standard input.")],
) -> None:
    """Let an administrator sign in by SSH with a public key."""
    added = users.add_keys(cli.operator, name, file)
    cli.show(added, [f"Added {one.kind} key {one.fingerprint} of {name}." for one in added])


@group.command("keys")
def keys(cli: Cli, name: Name) -> None:
    """Show an administrator's public SSH keys."""
    known = users.keys(cli.operator, name)
    rows = [(one.fingerprint, one.kind, shown(one.comment)) for one in known]
    cli.show(known, [table("Fingerprint", "Kind", "Comment", rows=rows)] if known else [f"{name} has no keys."])


@group.command("delete-key")
def delete_key(
    cli: Cli, name: Name, fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="SHA256:...")]
) -> None:
    """Take a public key from an administrator."""
    users.delete_key(cli.operator, name, fingerprint)
    cli.show({"deleted": fingerprint}, [f"Deleted key {fingerprint} of {name}."])


TokenName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the token.")]


@token.command("add")
def add_token(
    cli: Cli,
    name: TokenName,
    role: RoleOption = "read-only",
    days: Annotated[int, typer.Option(metavar="N", min=1, max=MAX_DAYS, help="Days for which it is good.")] = DAYS,
) -> None:
    """Make a token and print it. It is not kept, and cannot be shown again."""
    made = tokens.add(cli.operator, name, role, days)
    cli.show(made, [made.secret])


@token.command("list")
def list_tokens(cli: Cli) -> None:
    """Show the tokens; never their secrets."""
    known = tokens.listing(cli.operator)
    rows = [(one.name, one.role, moment(one.created), moment(one.expires), one.author) for one in known]
    shown_table = table("Name", "Role", "Made", "Good until", "By", rows=rows)
    cli.show(known, [shown_table] if known else ["There are no tokens yet."])


@token.command("revoke")
def revoke_token(cli: Cli, name: TokenName) -> None:
    """Take a token away; what is asked with it from now on is refused."""
    tokens.revoke(cli.operator, name)
    cli.show({"revoked": name}, [f"Revoked token {name}."])


def _password(from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise GatepostError("standard input holds no password")
        return password
    if not sys.stdin.isatty():
        raise GatepostError("there is no terminal to ask for the password: give it with --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True))
