"""taskapp: a task tracker's back end, served by plain, synchronous Flask."""

from typing import Any

from flask import Flask

from config import Settings
from taskapp.web.application import Taskapp
from taskapp.web.routing import AnythingConverter, IdConverter

JWT_CONFIG = {
    "JWT_ALGORITHM": "HS256",
    "JWT_DECODE_LEEWAY": 60,  # seconds that clocks may differ; tokens.check minds the end
    "JWT_ENCODE_ISSUER": "taskapp",
    "JWT_DECODE_ISSUER": "taskapp",
    "JWT_ENCODE_AUDIENCE": "taskapp",
    "JWT_DECODE_AUDIENCE": "taskapp",
}


def create_app(settings: Settings, *, commands: bool = True, migrates: bool = True) -> Flask:
    """Build the application: settings, extensions, what surrounds a request, then the rooms.

    A process that serves needs no `commands`. Without `migrates` there is no `flask db`, and the
    process is 11 MiB smaller.
    """
    from taskapp import errors
    from taskapp.database import engines
    from taskapp.database.session import release
    from taskapp.extensions import cache, db, jwt
    from taskapp.ops import reporting
    from taskapp.web import headers, rate_limits, request_log

    app = Taskapp(__name__, static_folder="static", static_url_path="/static")
    app.extensions["taskapp"] = settings
    app.config.from_mapping(_config(settings))
    app.url_map.converters |= {"id": IdConverter, "anything": AnythingConverter}
    app.url_map.merge_slashes = False

    errors.init_app(app)
    headers.configure(app, settings)
    engines.configure(app, settings, request_log.note_statement)
    if migrates:
        from flask_migrate import Migrate

        from taskapp.ops.checks import MIGRATIONS

        Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    jwt.init_app(app)
    cache.init_app(app)
    rate_limits.configure(app, settings)
    _surround(app, settings)
    app.teardown_appcontext(release)
    _add_rooms(app)
    if commands:
        _add_commands(app)
    reporting.configure(app, settings)
    return app


def _surround(app: Flask, settings: Settings) -> None:
    """What every request goes through before its view and after it, in this order."""
    from taskapp.auth import guard
    from taskapp.exchange import imports
    from taskapp.web import (
        addresses,
        assets,
        headers,
        long_operations,
        memory,
        rate_limits,
        request_log,
    )
    from taskapp.web.contract import public
    from taskapp.web.hooks import surround

    policies = rate_limits.policies(settings)
    before = [
        request_log.begin,
        headers.identify_request,
        addresses.locate,
        addresses.check_host,
        guard.authenticate,
        rate_limits.counter(policies),
        guard.authorize,
    ]
    after = [rate_limits.explain, addresses.complete, headers.finish, request_log.write]
    at_end = [imports.close, request_log.end, long_operations.end, memory.note]
    surround(app, before, after, at_end)
    app.view_functions["static"] = public(assets.send)
    app.add_template_global(assets.address, "asset")


def _config(settings: Settings) -> dict[str, Any]:
    cache = "InRedis" if settings.redis_url else "InMemory"
    return {
        "CACHE_TYPE": f"taskapp.database.caches.{cache}",
        "JWT_COOKIE_CSRF_PROTECT": False,  # tokens never stand in cookies
        "JWT_SECRET_KEY": settings.secret_key,
        **JWT_CONFIG,
    }


def _add_rooms(app: Flask) -> None:
    from taskapp.attachments.routes import attachments
    from taskapp.auth.oidc_routes import oidc
    from taskapp.auth.routes import auth
    from taskapp.auth.totp_routes import second_factor
    from taskapp.comments.routes import comments
    from taskapp.exchange.routes import exchange
    from taskapp.mcp.routes import mcp
    from taskapp.ops.health import health
    from taskapp.personal_tokens.routes import personal_tokens
    from taskapp.projects.routes import invitations, projects
    from taskapp.reports.routes import reports
    from taskapp.sync.routes import sync
    from taskapp.tasks.routes import tasks
    from taskapp.users.routes import users
    from taskapp.web.docs import docs
    from taskapp.webhooks.routes import webhooks

    people = (auth, second_factor, oidc, personal_tokens, users, projects, invitations)
    work = (tasks, comments, attachments, sync, exchange, reports, webhooks, mcp)
    for room in (*people, *work, health, docs):
        app.register_blueprint(room)


def _add_commands(app: Flask) -> None:
    from taskapp.courier.loop import courier
    from taskapp.ops.backup import backup
    from taskapp.ops.cli import OperatorCommand, accounts, doctor, print_openapi
    from taskapp.ops.copy_to import copy_to
    from taskapp.ops.purge import purge
    from taskapp.ops.reseal import reseal
    from taskapp.ops.restore import restore
    from taskapp.ops.resume_mail import resume_mail
    from taskapp.ops.seed import seed

    for command in (seed, doctor, backup, restore, copy_to, purge, reseal, resume_mail, courier):
        app.cli.command(cls=OperatorCommand)(command)
    app.cli.command("openapi")(print_openapi)
    app.cli.add_command(accounts)
