"""Labels in use, and how many tasks have each, from their index alone.

It holds the labels of each project by their key, then by task. So the next label is where the
entries of one end, and how many tasks have it is the length of a range.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from taskapp.caller import Caller
from taskapp.database.hot import Hot
from taskapp.database.pages import MOST, Page, count, cut
from taskapp.database.session import Body
from taskapp.ledger import access
from taskapp.ledger.access import AMONG_PROJECTS, NAMED_PROJECTS, PROJECTS
from taskapp.tasks.models import LABELS

MAX_SEPARATE_PROJECTS = 16
LABEL = LABELS.c
_AFTER = bindparam("after", type_=sa.Text)
_IS_SEEN = LABEL.project_id.in_(NAMED_PROJECTS)
_NUMBER = sa.func.count()
_LENGTH = sa.select(_NUMBER).select_from(LABELS)
_FIRST_KEY = sa.select(LABEL.key).order_by(LABEL.key).limit(1)
_FIRST_NAME = sa.select(LABEL.name).order_by(LABEL.task_id).limit(1)


def list_labels(caller: Caller, query: Body) -> Page:
    """Labels of the tasks that the caller sees, with how many tasks have each."""
    seen = access.seen_by(caller)
    project_ids = access.ids_of(seen)
    last = query.get("cursor") or [""]  # no label is as short
    values: Body = {"projects": project_ids, "after": last[0]}
    are_few = len(project_ids) <= MAX_SEPARATE_PROJECTS
    labels = _LABELS if are_few else _LABELS_OF_MANY
    limit = query["limit"]
    page = cut(labels, limit, ["key"], values)
    if query["total"]:
        total = count(_KEYS, values)
        page = page._replace(total=total)
    return page.only("name", "count")


def _in_use() -> sa.CTE:
    """(project, key) of each label after the last page, as many of a project as a page has."""
    project_id = PROJECTS.c.id
    in_project = LABEL.project_id == project_id
    is_after = LABEL.key > _AFTER
    first = _FIRST_KEY.where(in_project, is_after).scalar_subquery()
    place = sa.literal(1)
    firsts = sa.select(project_id.label("project_id"), first.label("key"), place.label("place"))
    table = firsts.where(AMONG_PROJECTS).cte("used", recursive=True)
    used = table.c
    in_project = LABEL.project_id == used.project_id
    is_after = LABEL.key > used.key
    following = _FIRST_KEY.where(in_project, is_after).scalar_subquery()
    next_place = used.place + 1
    others = sa.select(used.project_id, following, next_place)
    is_there = used.key.is_not(None)
    is_on_page = used.place < MOST
    others = others.where(is_there, is_on_page)
    return table.union_all(others)


def _counted() -> sa.Select[Any]:
    """(key, name, number) of each label of each project: the length of its range."""
    used = _in_use().c
    in_project = LABEL.project_id == used.project_id
    has_key = LABEL.key == used.key
    length = _LENGTH.where(in_project, has_key).scalar_subquery()
    spelling = _FIRST_NAME.where(in_project, has_key).scalar_subquery()
    labels = sa.select(used.key, spelling.label("name"), length.label("number"))
    is_there = used.key.is_not(None)
    return labels.where(is_there)


def _grouped() -> sa.Select[Any]:
    """The same of many projects, whose labels are read one after the other."""
    name = sa.func.min(LABEL.name).label("name")
    number = _NUMBER.label("number")
    labels = sa.select(LABEL.key, name, number)
    is_after = LABEL.key > _AFTER
    labels = labels.where(_IS_SEEN, is_after)
    return labels.group_by(LABEL.project_id, LABEL.key)


def _page(of_projects: sa.Select[Any]) -> Hot:
    counted = of_projects.subquery().c
    name = sa.func.min(counted.name).label("name")
    sum_of_all = sa.func.sum(counted.number)
    number = sa.cast(sum_of_all, sa.Integer).label("count")
    labels = sa.select(counted.key, name, number)
    labels = labels.group_by(counted.key)
    page = labels.order_by(counted.key).limit(MOST)
    return Hot(page, keeps_plan=False)


_LABELS = _page(_counted())
_LABELS_OF_MANY = _page(_grouped())
_LABELS_SEEN = sa.select(LABEL.key).where(_IS_SEEN)
_KEYS = _LABELS_SEEN.group_by(LABEL.key)
