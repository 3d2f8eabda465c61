"""The offline copy: what the changes feed says, applied page by page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from taskapp_client import Json, projects
from taskapp_client.failures import Failure
from taskapp_client.service import PAGE, Service
from taskapp_client.store import Store


@dataclass
class Synced:
    changed: int = 0
    gone: int = 0
    started_again: bool = False


def sync(service: Service, store: Store) -> Synced:
    """Bring the copy up to date.

    Each page and the cursor behind it are stored in one transaction, so a sync that was interrupted
    goes on where it stopped. An expired cursor means to start again: the old copy stays readable
    until the new one is whole.
    """
    result = Synced()
    while True:
        page = _next_page(service, store, result)
        if page is None:
            break
        _apply(store, page, result)
        if not page["has_more"]:
            break
    names = projects.names(service)
    user_id = service.get("/users/me").body["id"]
    with store.transaction():
        store.run("DELETE FROM projects")
        store.run_many("INSERT INTO projects (id, name) VALUES (?, ?)", list(names.items()))
        store.set_state(user_id=str(user_id))
    return result


def _next_page(service: Service, store: Store, result: Synced) -> Json | None:
    """The next page of changes, or None when there is nothing new."""
    cursor = store.state("cursor")
    query: Json = {"limit": PAGE}
    if cursor:
        query["cursor"] = cursor
    answer = service.get("/changes", query, etag=store.state("etag"), also=(410,))
    if answer.status == 304:
        return None
    if answer.status == 410:
        result.started_again = True
        _start_again(store, cursor)
        return _next_page(service, store, result)
    return {**answer.body, "cursor": cursor, "etag": answer.etag}


def _start_again(store: Store, cursor: str) -> None:
    if not cursor:
        raise Failure("The service cannot say what is there at present: try again later.")
    round_number = int(store.state("round") or 0)
    with store.transaction():
        store.set_state(cursor="", etag="", round=str(round_number + 1))


def _apply(store: Store, page: Json, result: Synced) -> None:
    with store.transaction():
        if store.state("cursor") != page["cursor"]:
            return  # another sync was quicker; its page is stored already
        number = int(store.state("round") or 0)
        rows = [(task["id"], number, json.dumps(task)) for task in page["tasks"]]
        store.run_many("INSERT OR REPLACE INTO tasks (id, round, body) VALUES (?, ?, ?)", rows)
        gone = [(task_id,) for task_id in page["deleted"]]
        store.run_many("DELETE FROM tasks WHERE id = ?", gone)
        if not page["has_more"]:
            store.run("DELETE FROM tasks WHERE round < ?", number)
            store.set_state(complete="yes")
        # An idle poll keeps its cursor, so that the next one can be a 304.
        is_idle = page["next_cursor"] == page["cursor"]
        store.set_state(cursor=page["next_cursor"], etag=page["etag"] if is_idle else "")
    result.changed += len(rows)
    result.gone += len(gone)


def tasks(store: Store) -> list[Json]:
    """All tasks of the copy.

    Raises:
        Failure: there is no copy yet.
    """
    if not store.state("complete"):
        raise Failure("There is no offline copy yet: run `tasks sync` while you are online.")
    return [json.loads(body) for (body,) in store.run("SELECT body FROM tasks")]


def project_names(store: Store) -> dict[int, str]:
    return dict(store.run("SELECT id, name FROM projects"))
