"""Projects by the names that people use."""

from __future__ import annotations

from taskapp_client import Json
from taskapp_client.failures import Conflict, NotFound
from taskapp_client.service import Service


def names(service: Service) -> dict[int, str]:
    """The name of each project that the caller sees."""
    return {project["id"]: project["name"] for project in service.items("/projects")}


def find(service: Service, text: str) -> Json:
    """The project of that id, of that name, or whose name alone begins so; without case.

    Raises:
        NotFound: there is none, and these are there.
        Conflict: there are several.
    """
    projects = list(service.items("/projects"))
    wanted = text.strip().casefold()
    exact = [p for p in projects if p["name"].casefold() == wanted or str(p["id"]) == wanted]
    if wanted == "inbox":
        exact = [p for p in projects if p["kind"] == "inbox"]
    chosen = exact or [p for p in projects if p["name"].casefold().startswith(wanted)]
    if not chosen:
        there = ", ".join(sorted(p["name"] for p in projects))
        raise NotFound(f"You see no project {text!r}. There are: {there}.")
    if len(chosen) > 1:
        ids = ", ".join(f"{p['id']} ({p['name']})" for p in chosen)
        raise Conflict(f"{text!r} may be several projects: name one by its id: {ids}.")
    return chosen[0]


def find_or_create(service: Service, name: str) -> tuple[int, bool]:
    """The id of the project of exactly that name, and whether it had to be created."""
    wanted = name.casefold()
    for project in service.items("/projects"):
        if project["name"].casefold() == wanted:
            return int(project["id"]), False
    return int(service.post("/projects", {"name": name}).body["id"]), True


def member_id(service: Service, text: str, project_id: int | None) -> int | None:
    """Whom a task is assigned to: `me`, `none`, an id, or the e-mail address of a member."""
    if text == "none":
        return None
    if text.isdecimal():
        return int(text)
    me = service.get("/users/me").body
    if text == "me" or text.casefold() == me["email"].casefold():
        return int(me["id"])
    members = service.items(f"/projects/{project_id or me['inbox_id']}/members")
    for member in members:
        if member["email"].casefold() == text.casefold():
            return int(member["user_id"])
    raise NotFound(f"{text!r} is no member of the project: an owner can add them to it.")
