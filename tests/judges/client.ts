// A client made from the document: what `openapi-typescript` says of it must compile, and be so.
import createClient from "openapi-fetch";
import type { components, paths } from "./document.js";

declare const process: { argv: string[] };
declare const console: { log(text: string): void };

type Task = components["schemas"]["Task"];

const [base = "", token = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });

function found<T>(data: T | undefined, error: unknown): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const created = await api.POST("/api/v1/tasks", { body: { title: "Water the fern", labels: ["home"] } });
const task: Task = found(created.data, created.error);
const id: number = task.id;
const due: string | null = task.due_at;
const status: "todo" | "in_progress" | "done" | "cancelled" = task.status;
// @ts-expect-error what a client may not write is no part of what it sends
const unsent: components["schemas"]["TaskInput"] = { title: "x", revision: 1 };

const tag = created.response.headers.get("ETag") ?? "";
const path = { task_id: id };
const done = await api.PATCH("/api/v1/tasks/{task_id}", {
  params: { path, header: { "If-Match": tag } },
  body: { status: "done" },
});
const again = await api.PATCH("/api/v1/tasks/{task_id}", {
  params: { path, header: { "If-Match": tag } },
  body: { status: "todo" },
});
const code: string = again.error?.code ?? "";
const listed = await api.GET("/api/v1/tasks", { params: { query: { status: "done", limit: 1 } } });
const page = found(listed.data, listed.error);
if (typeof page === "string") throw new Error("a list comes as JSON unless Accept wants another");
const titles = page.items.map((item) => item.title);
console.log(
  JSON.stringify({ id, due, status, unsent: unsent.title, now: found(done.data, done.error).status, code, titles }),
);
