"""The commands `release-dashboard users` and `release-dashboard db`."""

import sys

import click

from dashboard.audit.log import AuditEvent, AuditEventType
from dashboard.auth.accounts import Accounts, EmailTaken, InvalidUser, UserNotFound, normalize_user_name
from dashboard.auth.oidc.identities import IdentityStore
from dashboard.auth.passwords import InvalidPassword, check_password_policy
from dashboard.database.models import Role, User
from dashboard.database.timeouts import COMMAND_TIMEOUTS
from dashboard.database.unit_of_work import AccountsUnavailable
from dashboard.database.url_masking import SecretMask
from dashboard.domain.display import display_id, display_text
from dashboard.settings.model import SettingsError, load_settings

REPORTED_ERRORS = (InvalidPassword, EmailTaken, InvalidUser, UserNotFound, AccountsUnavailable)


class InvalidSetting(click.ClickException):
    """An invalid setting, with the exit code of a usage error."""

    exit_code = 2


class UsersCommand(click.Command):
    """A command that reports errors in one line without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except REPORTED_ERRORS as exc:
            raise click.ClickException(str(exc)) from exc
        except SettingsError as exc:
            raise InvalidSetting(str(exc)) from exc


class UsersGroup(click.Group):
    """A group whose commands are of that kind."""

    command_class = UsersCommand


@click.group(cls=UsersGroup)
def users() -> None:
    """Add, list, disable and enable the users of the dashboard."""


email_argument = click.argument("email")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from one line of standard input."
)


@users.command()
@email_argument
@password_option
@click.option("--name", help="Display name.")
@click.option("--admin", is_flag=True, help="Make the user an admin. Default: viewer.")
def add(email: str, password_stdin: bool, name: str | None, admin: bool) -> None:
    """Add a user."""
    accounts = _accounts()
    if found := accounts.by_email(email):
        raise EmailTaken(found.email)
    role = Role.admin if admin else Role.viewer
    given = accounts.hashed(_new_password(password_stdin, email, normalize_user_name(name)))
    with accounts.transaction():
        user = accounts.add(email, given, name=name, role=role)
        accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_added, user.email, role=user.role))
    click.echo(f"Added {display_id(user.email)} as {user.role}.")


@users.command("list")
def list_() -> None:
    """List users with e-mail address, name, role, state and creation time."""
    found = _accounts().all()
    if not found:
        click.echo("No users yet. Add one: release-dashboard users add EMAIL")
        return
    _show_table([("EMAIL", "NAME", "ROLE", "STATE", "CREATED"), *map(_user_table_row, found)])


@users.command()
@email_argument
def disable(email: str) -> None:
    """Disable a user and end their sessions and tokens immediately."""
    accounts = _accounts()
    with accounts.transaction():
        user = accounts.disable(email)
        accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_disabled, user.email))
    click.echo(f"Disabled {display_id(user.email)}.")


@users.command()
@email_argument
def enable(email: str) -> None:
    """Enable a disabled user. The password is unchanged."""
    accounts = _accounts()
    with accounts.transaction():
        user = accounts.enable(email)
        accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_enabled, user.email))
    click.echo(f"Enabled {display_id(user.email)}.")


@users.command()
@email_argument
@password_option
def password(email: str, password_stdin: bool) -> None:
    """Set a user's password and end their sessions and tokens immediately."""
    accounts = _accounts()
    owner = accounts.known(email)
    given = accounts.hashed(_new_password(password_stdin, owner.email, owner.name))
    with accounts.transaction():
        user = accounts.set_password(email, given)
        accounts.audit.add(AuditEvent.from_command_line(AuditEventType.password_reset, user.email))
    note = "" if user.enabled else " The user is still disabled."
    click.echo(f"Changed the password of {display_id(user.email)}.{note}")


@users.command()
@email_argument
def unlink(email: str) -> None:
    """Unlink a user from their OpenID provider account. Their next single sign-on links it again."""
    accounts = _accounts()
    user = accounts.known(email)
    with accounts.transaction():
        count = IdentityStore(accounts).forget(user)
        if count:
            accounts.audit.add(AuditEvent.from_command_line(AuditEventType.user_unlinked, user.email))
    done = "is no longer linked to a provider account" if count else "was not linked to a provider account"
    click.echo(f"{display_id(user.email)} {done}.")


@click.group(cls=UsersGroup)
def db() -> None:
    """Manage the accounts database."""


@db.command("upgrade")
def upgrade_() -> None:
    """Upgrade the tables to this version. Data is kept; running it again has no effect."""
    revision = _unprepared_accounts().upgrade()
    click.echo(f"The accounts database is up to date (revision {revision}).")


def _accounts() -> Accounts:
    accounts = _unprepared_accounts()
    accounts.prepare()
    return accounts


def _unprepared_accounts() -> Accounts:
    url = load_settings().accounts_url
    SecretMask(url).mask_tracebacks()
    accounts = Accounts(url, bounds=COMMAND_TIMEOUTS)
    click.get_current_context().call_on_close(accounts.close)
    return accounts


def _new_password(from_stdin: bool, email: str, name: str | None) -> str:
    if from_stdin:
        given: str = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise click.ClickException("No terminal to prompt for the password. Use --password-stdin.")
    check_password_policy(given, email=email, name=name)
    return given


def _user_table_row(user: User) -> tuple[str, ...]:
    state = "enabled" if user.enabled else "disabled"
    name = display_text(user.name or "-")
    return display_id(user.email), name, user.role, state, f"{user.created_at:%Y-%m-%d %H:%M} UTC"


def _show_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
