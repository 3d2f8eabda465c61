"""The application: `uvicorn lab.twin.app:app`, with DATABASE_URL and SECRET_KEY set.

The twin of taskapp/__init__.py and wsgi.py. `--workers N` runs N processes, each with an event
loop and connection pools of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI

from lab.twin import errors
from lab.twin.auth.routes import auth
from lab.twin.database import Database
from lab.twin.edge import Edge
from lab.twin.settings import Settings
from lab.twin.strict import no_parameters
from lab.twin.tasks.routes import tasks


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Engines belong to the loop they run on: made when it starts, closed before it ends."""
    app.state.database = Database(app.state.settings)
    yield
    await app.state.database.dispose()


def create_app(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="taskapp, async twin",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its pages load their scripts from other people's servers
        redoc_url=None,
    )
    app.state.settings = settings
    app.add_middleware(Edge)
    errors.init_app(app)
    app.include_router(auth, prefix="/api/v1/auth")
    app.include_router(tasks, prefix="/api/v1/tasks")

    @app.get("/health", dependencies=[Depends(no_parameters)])
    async def alive() -> dict[str, Any]:
        """The process answers; nothing else is touched."""
        return {"status": "ok"}

    return app


app = create_app(Settings())
