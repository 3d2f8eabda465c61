"""The same four answers, built as other people build them; each file can be read in minutes.

All serve the same tables of one database: `GET /api/v1/tasks?limit=`, `GET`, `PATCH
/api/v1/tasks/{id}` and `POST /api/v1/tasks`, for the user a JSON Web Token names.
"""
