"""The tables, which taskapp's migrations make."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Json(models.JSONField):
    """Django's own columns are jsonb; of a json column the driver has read the text already."""

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return value


class User(AbstractBaseUser):
    email = models.TextField(unique=True)
    name = models.TextField()
    is_active = models.BooleanField()
    password = models.TextField(db_column="password_hash")
    last_login = None
    USERNAME_FIELD = "email"

    class Meta:
        db_table, managed = "users", False


class Project(models.Model):
    name = models.TextField()
    inbox_of = models.OneToOneField(
        User, models.CASCADE, db_column="inbox_of", related_name="inbox", null=True
    )
    members = models.ManyToManyField(User, through="Membership", related_name="projects")

    class Meta:
        db_table, managed = "projects", False


class Membership(models.Model):
    pk = models.CompositePrimaryKey("project_id", "user_id")
    project = models.ForeignKey(Project, models.CASCADE)
    user = models.ForeignKey(User, models.CASCADE)
    role = models.TextField()

    class Meta:
        db_table, managed = "memberships", False


class Task(models.Model):
    class Status(models.IntegerChoices):
        TODO = 0, "todo"
        IN_PROGRESS = 1, "in_progress"
        DONE = 2, "done"
        CANCELLED = 3, "cancelled"

    class Priority(models.IntegerChoices):
        NONE = 0, "none"
        LOW = 1, "low"
        MEDIUM = 2, "medium"
        HIGH = 3, "high"
        URGENT = 4, "urgent"

    project = models.ForeignKey(Project, models.CASCADE)
    external_id = models.TextField(null=True)
    title = models.TextField()
    description = models.TextField(default="")
    status = models.SmallIntegerField(choices=Status, default=Status.TODO)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NONE)
    due_at = models.DateTimeField(null=True)
    due_on = models.DateField(null=True)
    repeat = Json(null=True)
    reminders = Json(default=list)
    assignee_id = models.BigIntegerField(null=True)
    parent_id = models.BigIntegerField(null=True)
    labels = Json(default=list)
    created_by = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True)
    revision = models.BigIntegerField(default=1)

    class Meta:
        db_table, managed = "tasks", False
