"""The portal's command line: serve, worker, create-user, sign-in-link, settings."""

from __future__ import annotations

import json
import sys
from dataclasses import fields

import click

from portal.database import Database
from portal.errors import PortalError
from portal.models import Role
from portal.settings import Settings


def main() -> None:
    """Run the command line; our own errors become one clear line and exit code 1."""
    try:
        cli(standalone_mode=True)
    except PortalError as error:
        click.echo(error.message, err=True)
        sys.exit(1)


@click.group()
def cli() -> None:
    """Proving Ground: the portal and its worker."""


@cli.command()
def serve() -> None:
    """Migrate, check the content, and run web, worker and gateway until Ctrl-C."""
    from portal.supervisor import serve as run

    sys.exit(run(Settings.from_environment()))


@cli.command()
def worker() -> None:
    """Run the worker alone: the only process that touches sandboxes."""
    from portal.worker import run_worker

    run_worker(Settings.from_environment())


@cli.command()
def migrate() -> None:
    """Bring the database to the newest version."""
    database = _database()
    database.migrate()
    database.close()
    click.echo("The database is up to date.")


@cli.command("create-user")
@click.argument("email")
@click.option("--name", default="", help="Name to show; the part before the @ when left out.")
@click.option(
    "--role", type=click.Choice([str(role) for role in Role]), default=str(Role.LEARNER), show_default=True
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input; without it a sign-in link is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def create_user(email: str, name: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Make an account."""
    # Imported here and below: accounts bring all of Flask along, which the other commands do without.
    from portal.features.accounts import AccountService
    from portal.owner import link_url

    settings = Settings.from_environment()
    password = sys.stdin.readline(1000).rstrip("\n") if password_stdin else None
    database = _database(settings)
    database.migrate()
    with database.transaction() as session:
        service = AccountService(session)
        user = service.create(
            email=email, display_name=name or email.partition("@")[0], password=password, role=Role(role)
        )
        session.flush()
        link = None if password else link_url(settings, service.make_sign_in_link(user))
        result = {"id": user.id, "email": user.email, "role": user.role, "sign_in_link": link}
    database.close()
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(f"Made the {role} account {result['email']}.")
        if link:
            click.echo(f"One-time sign-in link, good for 24 hours: {link}")


@cli.command("sign-in-link")
@click.argument("email", required=False)
def sign_in_link(email: str | None) -> None:
    """Print a one-time sign-in link, for the owner when no address is given."""
    from portal.owner import make_link

    settings = Settings.from_environment()
    database = _database(settings)
    database.migrate()
    click.echo(make_link(database, settings, email))
    database.close()


@cli.command("rebuild-statistics")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rebuild_statistics(as_json: bool) -> None:
    """Make due dates and question statistics anew from all recorded answers. Stop the portal before."""
    from dataclasses import asdict

    from portal.content import ContentSource
    from portal.features.practice import rebuild

    settings = Settings.from_environment()
    database = _database(settings)
    database.migrate()
    with database.transaction() as session:
        result = rebuild(session, ContentSource.of(settings).current().bank)
    database.close()
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        click.echo(f"Rebuilt from {result.answers} answers of {result.learners} learners.")
        if result.left_out:
            click.echo(f"{result.left_out} answers are to questions that are not in the bank any more.")


@cli.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show_settings(as_json: bool) -> None:
    """List every setting with its value here and its meaning."""
    current = Settings.from_environment()
    rows = [
        {
            "name": knob.name.upper(),
            "value": "(set)"
            if knob.name == "secret_key" and current.secret_key
            else str(getattr(current, knob.name)),
            "help": knob.metadata["help"],
        }
        for knob in fields(Settings)
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']}={row['value']}\n    {row['help']}")


def _database(settings: Settings | None = None) -> Database:
    return Database((settings or Settings.from_environment()).database_url_effective)
