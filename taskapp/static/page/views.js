// What each view shows: as a question to the API, and as a test of one task, which must agree.

import { addDays, fromDay, today, zone } from './dates.js'
import { dueDay, inbox, isLate, isMe, projectById, projectName, state } from './store.js'
import { t } from './words.js'

const startOfTomorrow = () => fromDay(addDays(today(), 1))

const VIEWS = {
  today: [() => ({ due_before: startOfTomorrow().toISOString() }), (task) => dueDay(task) && dueDay(task) <= today()],
  upcoming: [() => ({ due_after: new Date(startOfTomorrow() - 1).toISOString() }), (task) => dueDay(task) > today()],
  overdue: [() => ({ due: 'overdue' }), isLate],
  mine: [() => ({ assignee: 'me' }), (task) => isMe(task.assignee_id)],
  all: [() => ({}), () => true],
  done: [() => ({}), () => true],
  inbox: [() => ({ project_id: inbox().id }), (task) => task.project_id === inbox().id],
  project: [(id) => ({ project_id: id }), (task, id) => task.project_id === Number(id)],
  label: [
    (name) => ({ label: name.replace(/[\\,]/g, '\\$&') }),
    (task, name) => task.labels.some((label) => label.toLowerCase() === name.toLowerCase()),
  ],
}

/** "label:home" is of kind `label` with value `home`. */
export function readView(view) {
  const [, kind, , value] = /^(\w+)(:(.*))?$/.exec(view) ?? []
  return VIEWS[kind] ? { kind, value: value && decodeURIComponent(value) } : { kind: 'today' }
}

/** In whose zone a day is a day. */
export const inZone = { tz: zone }

/** The question of a view, without status and order. */
export function questionOf(view) {
  const { kind, value } = readView(view)
  return { ...VIEWS[kind][0](value), ...inZone }
}

export function testOf(view) {
  const { kind, value } = readView(view)
  const archived = ({ project_id }) => kind !== 'project' && projectById(project_id)?.archived_at
  return (task) => !archived(task) && VIEWS[kind][1](task, value)
}

export function nameOf(view) {
  const { kind, value } = readView(view)
  if (kind === 'project') return projectName(projectById(value))
  return kind === 'label' ? `#${value}` : t(kind)
}

const part = (name, statuses, sort) => ({ name, statuses, sort })
const BY_DUE = 'due_at,-priority'
const LIST = [part('open', 'todo,in_progress', BY_DUE)]
const DONE = [part('done', 'done,cancelled', '-updated_at')]
const FOUND = [part('found', null, 'status,due_at')]
const BOARD = [
  part('todo', 'todo', BY_DUE), part('in_progress', 'in_progress', BY_DUE),
  part('done', 'done', '-updated_at'), part('cancelled', 'cancelled', '-updated_at'),
]

/** The lists of which a view is made: one, or on the board one for each status. */
export function partsOf({ view, mode }) {
  if (state.query) return FOUND
  if (view === 'done') return DONE
  return mode === 'board' ? BOARD : LIST
}

// As the API searches: without case and accents, every word somewhere in title or notes.
export const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
export const queryWords = () => plain(state.query).split(/\s+/).filter(Boolean)
export const matches = ({ title, description }) => queryWords().every((word) => plain(`${title} ${description}`).includes(word))
