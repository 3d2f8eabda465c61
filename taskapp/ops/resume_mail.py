"""`flask resume-mail`: after a restore or a copy, let mail go on with what happens from now on."""

import click

from taskapp.extensions import db
from taskapp.mail.access import resume_mail as resume


def resume_mail() -> None:
    """Send mail again, which a restore or a copy has paused."""
    resumed = resume(db.session.connection())
    click.echo("mail goes on from now" if resumed else "mail is not paused")
