"""A task as a calendar program reads it: a VTODO (RFC 5545, section 3.6.2)."""

from icalendar import Todo, vCategory, vText

from taskapp.database.session import Body

# RFC 5545, sections 3.8.1.11 and 3.8.1.9: 1 is the highest priority, 0 is none.
STATUS = {"todo": "NEEDS-ACTION", "in_progress": "IN-PROCESS", "done": "COMPLETED"}
PRIORITY = {"urgent": 1, "high": 3, "medium": 5, "low": 7, "none": 0}


class Text(vText):
    r"""Text in which `C:\New` stays as it is: icalendar takes its `\N` for the end of a line."""

    def to_ical(self) -> bytes:
        return rb"\\N".join(vText(part).to_ical() for part in self.split(r"\N"))


def todo(task: Body) -> bytes:
    """Its times are whole seconds."""
    labels = vCategory([])
    labels.cats = [Text(label) for label in task["labels"]]
    properties = {
        "uid": f"task-{task['id']}@taskapp",
        "dtstamp": task["updated_at"],
        "summary": Text(task["title"]),
        "description": Text(task["description"]) or None,
        "status": STATUS.get(task["status"], "CANCELLED"),
        "priority": PRIORITY[task["priority"]],
        "due": task["due_at"],
        "completed": task["completed_at"],
        "created": task["created_at"],
        "last-modified": task["updated_at"],
        "categories": labels if labels.cats else None,
        "related-to": task["parent_id"] and f"task-{task['parent_id']}@taskapp",
        "sequence": task["revision"],
    }
    made = Todo()
    for name, value in properties.items():
        if value is not None:
            made.add(name, value)
    return bytes(made.to_ical())
