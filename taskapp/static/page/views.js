// What each view shows: as a question to the API, and as a test of one task, which must agree.

import { addDays, fromDay, today, zone } from './dates.js'
import { dueDay, inbox, isLate, isMe, isOpen, knowsDays, projectById, projectName, state } from './store.js'
import { t } from './words.js'

const OPEN = 'todo,in_progress'
const startOfTomorrow = () => fromDay(addDays(today(), 1))
const escaped = (label) => label.replace(/[\\,]/g, '\\$&')

const VIEWS = {
  today: {
    question: () => ({ due_before: startOfTomorrow().toISOString() }),
    shows: (task) => dueDay(task) !== null && dueDay(task) <= today(),
  },
  upcoming: {
    question: () => ({ due_after: new Date(startOfTomorrow() - 1).toISOString() }),
    shows: (task) => dueDay(task) > today(),
  },
  overdue: { question: () => ({ due: 'overdue' }), shows: isLate },
  mine: { question: () => ({ assignee: 'me' }), shows: (task) => isMe(task.assignee_id) },
  all: { question: () => ({}), shows: () => true },
  done: { question: () => ({}), shows: () => true },
  inbox: { question: () => ({ project_id: inbox()?.id }), shows: (task) => task.project_id === inbox()?.id },
  project: { question: (id) => ({ project_id: id }), shows: (task, id) => task.project_id === Number(id) },
  label: {
    question: (name) => ({ label: escaped(name) }),
    shows: (task, name) => task.labels.some((label) => label.toLowerCase() === name.toLowerCase()),
  },
}

export function readView(view) {
  const at = view.indexOf(':')
  const kind = at < 0 ? view : view.slice(0, at)
  const value = at < 0 ? null : decodeURIComponent(view.slice(at + 1))
  return VIEWS[kind] ? { kind, value } : { kind: 'today', value: null }
}

/** The question of a view, without status and order. */
export function questionOf(view) {
  const { kind, value } = readView(view)
  return { ...VIEWS[kind].question(value), ...inZone() }
}

/** In whose zone a day is a day; a service without days of its own does not take it. */
export const inZone = () => (knowsDays() ? { tz: zone } : {})

export function testOf(view) {
  const { kind, value } = readView(view)
  const archived = (task) => kind !== 'project' && Boolean(projectById(task.project_id)?.archived_at)
  return (task) => !archived(task) && VIEWS[kind].shows(task, value)
}

export function nameOf(view) {
  const { kind, value } = readView(view)
  if (kind === 'project') return projectName(projectById(value))
  return kind === 'label' ? `#${value}` : t(kind)
}

/** The lists of which a view is made: one, or on the board one for each status. */
export function partsOf(view, mode) {
  if (state.query) return [{ name: 'found', statuses: null, sort: 'status,due_at' }]
  const { kind } = readView(view)
  if (mode === 'board' && kind !== 'done') return BOARD
  if (kind === 'done') return [{ name: 'done', statuses: 'done,cancelled', sort: '-updated_at' }]
  return [{ name: 'open', statuses: OPEN, sort: 'due_at,-priority' }]
}

const BOARD = [
  { name: 'todo', statuses: 'todo', sort: 'due_at,-priority' },
  { name: 'in_progress', statuses: 'in_progress', sort: 'due_at,-priority' },
  { name: 'done', statuses: 'done', sort: '-updated_at' },
  { name: 'cancelled', statuses: 'cancelled', sort: '-updated_at' },
]

// As the API searches: without case and accents, every word somewhere in title or notes.
export const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
export const queryWords = () => plain(state.query).split(/\s+/).filter(Boolean)

export function matches(task) {
  const text = plain(`${task.title} ${task.description}`)
  return queryWords().every((word) => text.includes(word))
}

export const isShownOpen = (task) => isOpen(task) || state.leaving.has(String(task.id))
