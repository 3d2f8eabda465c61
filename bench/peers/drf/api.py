"""The serializer and the viewset."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import IntegerChoices, QuerySet
from django.urls import include, path
from django.utils import timezone
from rest_framework import mixins, serializers, viewsets
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from bench.peers.drf.models import Membership, Task


class Named(serializers.ChoiceField):
    """The label of a choice on the wire, its number in the database."""

    def __init__(self, choices: type[IntegerChoices], **kwargs: Any) -> None:
        self.numbers = {choice.label: choice.value for choice in choices}
        self.names = {choice.value: choice.label for choice in choices}
        super().__init__(choices=list(self.numbers), **kwargs)

    def to_representation(self, value: int) -> str:
        return self.names[value]

    def to_internal_value(self, data: Any) -> int:
        return self.numbers[super().to_internal_value(data)]


class TaskSerializer(serializers.ModelSerializer[Task]):
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    status = Named(Task.Status, required=False)
    priority = Named(Task.Priority, required=False)

    class Meta:
        model = Task
        fields: ClassVar[list[str]] = [
            *("id", "project_id", "external_id", "title", "description", "status", "priority"),
            *("due_at", "due_on", "repeat", "reminders", "assignee_id", "parent_id", "labels"),
            *("created_by", "created_at"),
            *("updated_at", "completed_at", "revision"),
        ]
        read_only_fields: ClassVar[list[str]] = [
            *("id", "project_id", "external_id", "repeat", "reminders", "assignee_id"),
            *("parent_id", "labels"),
            *("created_by", "created_at", "updated_at", "completed_at", "revision"),
        ]

    def create(self, validated_data: dict[str, Any]) -> Task:
        if validated_data.get("status") == Task.Status.DONE:
            validated_data["completed_at"] = timezone.now()
        return super().create(validated_data)

    def update(self, instance: Task, validated_data: dict[str, Any]) -> Task:
        status = validated_data.get("status", instance.status)
        if status != instance.status:
            done = status == Task.Status.DONE
            validated_data["completed_at"] = timezone.now() if done else None
        return super().update(instance, validated_data)


class TaskPagination(CursorPagination):
    page_size, max_page_size, page_size_query_param = 50, 200, "limit"
    ordering = "-id"

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "next_cursor": self.get_next_link()})


class TaskViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Task],
):
    serializer_class = TaskSerializer
    pagination_class = TaskPagination

    def get_queryset(self) -> QuerySet[Task]:
        mine = Membership.objects.filter(user=self.request.user).values("project_id")
        return Task.objects.filter(project_id__in=mine)

    def perform_create(self, serializer: serializers.BaseSerializer[Task]) -> None:
        user = self.request.user
        serializer.save(project=user.inbox, created_by=user.id)


_router = SimpleRouter(trailing_slash=False)
_router.register("tasks", TaskViewSet, basename="task")
urlpatterns = [path("api/v1/", include(_router.urls))]
