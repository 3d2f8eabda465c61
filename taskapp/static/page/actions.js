// What a person does to tasks. Each is shown at once, written into the outbox, and can be taken back.

import { get } from './api.js'
import { randomKey } from './browser.js'
import { dayName, moment, zone } from './dates.js'
import { countSoon } from './lists.js'
import { drop, enqueue, takeBack } from './outbox.js'
import {
  changed, dueDay, go, inbox, isNew, pendingOf, projectById, projectName, route, say, state, takeTasks, taskById,
} from './store.js'
import { glow } from './sync.js'
import { testOf } from './views.js'
import { t } from './words.js'

const ROW_LEAVES_AFTER = 1150
const undos = []

function canUndo(text, undo) {
  undos.push(undo)
  say(text, undoLast)
}

export async function undoLast() {
  const undo = undos.pop()
  if (!undo) return
  await undo()
  say(t('undone'))
}

/** Due on a day, or with a time at a moment; both fields, because one excludes the other. */
export function due(day, time) {
  return { due_on: (!time && day) || null, due_at: day && time ? moment(day, time) : null }
}

export const repeatOf = (rule, from = 'due') => (rule ? { rule, from, timezone: zone } : null)

const EMPTY = {
  description: '', status: 'todo', priority: 'none', due_at: null, due_on: null, repeat: null, reminders: [],
  assignee_id: null, parent_id: null, labels: [], completed_at: null, revision: null,
}

// What a new task is made of once more, after it was deleted before the service had it.
const WRITTEN = [
  'title', 'description', 'status', 'priority', 'due_at', 'due_on', 'repeat', 'reminders', 'assignee_id', 'parent_id',
  'labels', 'project_id',
]

export function add(fields) {
  const id = `new-${randomKey()}`
  const at = new Date().toISOString()
  const task = { ...EMPTY, project_id: inbox().id, created_by: state.me.id, created_at: at, updated_at: at, ...fields, id }
  state.own.add(id)
  enqueue({ op: 'create', task: id, seen: task, fields })
  glow(id)
  countSoon()
  return task
}

export function addAndSay(fields) {
  const task = add(fields)
  const place = dueDay(task) ? dayName(dueDay(task)) : projectName(projectById(task.project_id))
  const title = testOf(route().view)(task) ? task.title : `${task.title}, ${place}`
  canUndo(t('saidAdded', { title }), () => removeQuietly(taskById(task.id)))
}

/** @param seen the task as it was on the screen when the change was made */
export function change(seen, fields) {
  enqueue({ op: 'update', task: seen.id, seen, fields })
  countSoon()
}

export function setStatus(task, status) {
  const before = task.status
  if (before === status) return
  change(task, { status })
  if (status === 'done' && route().mode === 'list') leave(String(task.id))
  canUndo(statusText(task, status), () => change(taskById(task.id) ?? task, { status: before }))
}

function statusText(task, status) {
  if (status === 'done') return t(task.repeat ? 'saidNext' : 'saidDone', task)
  if (task.status === 'done') return t('saidOpen', task)
  return t('saidMoved', { title: task.title, status: t(status) })
}

// A completed row stays long enough to be seen as done, then goes.
function leave(id) {
  state.leaving.add(id)
  setTimeout(() => {
    state.leaving.delete(id)
    changed()
  }, ROW_LEAVES_AFTER)
}

async function removeQuietly(task) {
  const unsent = isNew(task.id) && takeBack(task.id, 'create')
  if (unsent) for (const entry of pendingOf(task.id)) await drop(entry)
  else enqueue({ op: 'delete', task: task.id, seen: task })
  countSoon()
}

export async function remove(task) {
  if (route().task === String(task.id)) go({ task: null })
  await removeQuietly(task)
  canUndo(t('saidDeleted', task), () => bringBack(task))
}

function bringBack(task) {
  if (takeBack(task.id, 'delete')) return
  if (isNew(task.id)) add(Object.fromEntries(WRITTEN.map((name) => [name, task[name]])))
  else enqueue({ op: 'restore', task: task.id, seen: task })
  countSoon()
}

export const comment = (task, body) => enqueue({ op: 'comment', task: task.id, seen: task, fields: { body } })
export const attach = (task, file) => enqueue({ op: 'attach', task: task.id, seen: task, file })

/** The task of an address that no list has brought yet. */
export async function loadTask(id) {
  if (taskById(id) || isNew(id)) return
  try {
    takeTasks([await get(`tasks/${id}`)])
  } catch (error) {
    if (error.status !== 404) return
    say(t('taskGone'))
    go({ task: null })
  }
}
