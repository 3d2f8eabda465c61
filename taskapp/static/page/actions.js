// What a person does to tasks. Each is shown at once, written into the outbox, and can be taken back.

import { randomKey } from './browser.js'
import { moment, zone } from './dates.js'
import { countSoon } from './lists.js'
import { drop, enqueue, takeBack } from './outbox.js'
import {
  changed, go, inbox, knowsDays, pendingOf, placeOf, route, say, state, takeTasks, taskById,
} from './store.js'
import { api } from './api.js'
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
  changed()
}

/** Due on a day, or with a time at a moment; both fields, because one excludes the other. */
export function due(day, time) {
  if (!day) return knowsDays() ? { due_on: null, due_at: null } : { due_at: null }
  if (time) return knowsDays() ? { due_on: null, due_at: moment(day, time) } : { due_at: moment(day, time) }
  return knowsDays() ? { due_on: day, due_at: null } : { due_at: moment(day, '23:59') }
}

export const repeatOf = (rule, from = 'due') => (rule ? { rule, from, timezone: zone } : null)

const EMPTY = {
  description: '', status: 'todo', priority: 'none', due_at: null, due_on: null, repeat: null, reminders: [],
  assignee_id: null, parent_id: null, labels: [], external_id: null, completed_at: null, revision: null,
}

function draft(fields) {
  const id = `new-${randomKey()}`
  const at = new Date().toISOString()
  return { ...EMPTY, project_id: inbox().id, created_by: state.me.id, created_at: at, updated_at: at, ...fields, id }
}

/** Adds a task; what stays as the service would have it is not sent. */
export function add(fields) {
  const task = draft(fields)
  state.own.add(task.id)
  enqueue({ op: 'create', task: task.id, seen: task, fields })
  glow(task.id)
  countSoon([task.project_id])
  return task
}

export function addAndSay(fields) {
  const task = add(fields)
  const elsewhere = !testOf(route().view)(task)
  const title = elsewhere ? `${task.title}, ${placeOf(task)}` : task.title
  canUndo(t('saidAdded', { title }), () => removeQuietly(taskById(task.id)))
}

/** @param seen the task as it was on the screen when the change was made */
export function change(seen, fields) {
  enqueue({ op: 'update', task: seen.id, seen, fields })
  countSoon([seen.project_id])
}

export function setStatus(task, status) {
  const before = task.status
  if (before === status) return
  change(task, { status })
  if (status === 'done' && route().mode === 'list') leave(task)
  canUndo(statusText(task, status), () => change(taskById(task.id) ?? task, { status: before }))
}

function statusText(task, status) {
  if (status === 'done' && task.repeat) return t('saidNext', task)
  if (status === 'done') return t('saidDone', task)
  if (task.status === 'done') return t('saidOpen', task)
  return t('saidMoved', { title: task.title, status: t(status) })
}

// A completed row stays long enough to be seen as done, then goes.
function leave({ id }) {
  const key = String(id)
  state.leaving.add(key)
  setTimeout(() => {
    state.leaving.delete(key)
    changed()
  }, ROW_LEAVES_AFTER)
}

async function removeQuietly(task) {
  if (!task) return
  const unsent = String(task.id).startsWith('new-') && takeBack(task.id, 'create')
  if (unsent) for (const entry of pendingOf(task.id)) await drop(entry)
  else enqueue({ op: 'delete', task: task.id, seen: task })
  countSoon([task.project_id])
}

export async function remove(task) {
  if (route().task === String(task.id)) go({ task: null })
  await removeQuietly(task)
  const text = t('saidDeleted', task)
  if (knowsDays()) canUndo(text, () => bringBack(task))
  else say(text)
}

function bringBack(task) {
  if (takeBack(task.id, 'delete')) return
  if (String(task.id).startsWith('new-')) add(sentFields(task))
  else enqueue({ op: 'restore', task: task.id, seen: task })
  countSoon([task.project_id])
}

const sentFields = ({ title, description, priority, labels, project_id }) => ({ title, description, priority, labels, project_id })

export const comment = (task, body) => enqueue({ op: 'comment', task: task.id, seen: task, fields: { body } })
export const attach = (task, file) => enqueue({ op: 'attach', task: task.id, seen: task, file })

/** The task of an address that no list has brought yet. */
export async function loadTask(id) {
  if (taskById(id) || !/^\d+$/.test(id)) return
  try {
    takeTasks([(await api('GET', `tasks/${id}`)).data])
  } catch (error) {
    if (error.status !== 404) return
    say(t('taskGone'))
    go({ task: null })
  }
}

