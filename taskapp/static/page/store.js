// What the page knows. Views read it; only store, actions, outbox, lists, session and sync write to it.

import { recall } from './browser.js'
import { today, toDay } from './dates.js'
import { t } from './words.js'

export const STATUSES = ['todo', 'in_progress', 'done', 'cancelled']
export const PRIORITIES = ['none', 'low', 'medium', 'high', 'urgent']

export const state = {
  version: 0, // of all that follows
  me: null,
  projects: [],
  members: new Map(), // project id → its members
  invitations: [],
  labels: [],
  stats: null,
  counts: new Map(), // view → open tasks
  tasks: new Map(), // as shown: what the service said, and on top what waits to be sent
  details: new Map(), // task id → comments, attachments, history
  pending: [], // the outbox: changes that the service has not confirmed
  online: true,
  query: '',
  singleKeys: recall('keys') ?? true,
  leaving: new Set(), // tasks that were just completed and are still shown
  fresh: new Set(), // tasks that have just come or changed
  own: new Set(), // tasks that were added in this window
  renamed: new Map(), // the id that a task had before the service gave it one → its id
}

// 'changed', 'said', 'detail', 'polled', 'entered', 'left'
export const events = new EventTarget()
export const tell = (name, detail) => events.dispatchEvent(new CustomEvent(name, { detail }))
export const say = (text, undo) => tell('said', { text, undo })

let rendersSoon = false

/** Renders soon, once for whatever changes meanwhile. */
export function changed() {
  state.version += 1
  if (rendersSoon) return
  rendersSoon = true
  queueMicrotask(() => {
    rendersSoon = false
    tell('changed')
  })
}

// == Where we are: #/<view>/<mode>/<task>, so that every state has an address

export function route() {
  const [, view, mode, task] = location.hash.split('/')
  return { view: view || 'today', mode: mode === 'board' ? 'board' : 'list', task: task || null }
}

export function href(change) {
  const { view, mode, task } = { ...route(), ...change }
  return `#/${view}/${mode}${task ? `/${task}` : ''}`
}

export const go = (change) => {
  location.hash = href(change)
}

// == Tasks

const confirmed = new Map() // task id → the task as the service said it last

export const confirmedTask = (id) => confirmed.get(String(id))
export const newestId = () => Math.max(0, ...confirmed.keys())
export const taskById = (id) => state.tasks.get(String(state.renamed.get(String(id)) ?? id))
export const pendingOf = (id) => state.pending.filter((entry) => String(entry.task) === String(id))
export const childrenOf = (id) => shownTasks().filter(({ parent_id }) => parent_id === id)
export const etagOf = (task) => `"${task.project_id}-${task.revision}"`
export const isNew = (id) => String(id).startsWith('new-')
export const isOpen = ({ status }) => status === 'todo' || status === 'in_progress'
export const dueDay = (task) => task.due_on ?? (task.due_at ? toDay(new Date(task.due_at)) : null)
export const isLate = (task) => isOpen(task) && (task.due_at ? new Date(task.due_at) < new Date() : task.due_on && task.due_on < today())

/** Takes tasks as the service has them; answers which of them are news here. */
export function takeTasks(tasks) {
  const news = []
  for (const task of tasks) {
    const before = confirmedTask(task.id)
    if (before?.project_id === task.project_id && before.revision >= task.revision) continue
    confirmed.set(String(task.id), task)
    refreshTask(task.id)
    news.push({ task, before })
  }
  return news
}

export function forgetTasks(ids) {
  for (const id of ids) {
    confirmed.delete(String(id))
    refreshTask(id)
  }
}

export function forgetAll() {
  confirmed.clear()
  for (const map of [state.tasks, state.details, state.members, state.counts]) map.clear()
  Object.assign(state, { me: null, projects: [], labels: [], stats: null, query: '', pending: [] })
}

const APPLY = {
  create: (task, { seen }) => ({ ...seen, ...task }),
  update: (task, { fields }) => task && { ...task, ...fields },
  delete: (task) => task && { ...task, gone: true },
  restore: (task, { seen }) => ({ ...seen, ...task, gone: false }),
}

/** Lays what waits to be sent on what the service said. */
export function refreshTask(id) {
  let task = confirmedTask(id)
  for (const entry of pendingOf(id)) task = APPLY[entry.op]?.(task, entry) ?? task
  if (task && !task.gone) state.tasks.set(String(id), task)
  else state.tasks.delete(String(id))
  changed()
}

/** All tasks; what a creation of ours made, but whose answer has not come, only as it waits. */
export function shownTasks() {
  const tasks = [...state.tasks.values()]
  const twins = new Set()
  for (const { seen, newest } of state.pending.filter(({ op }) => op === 'create')) {
    twins.add(tasks.find((task) => task.id > newest && task.title === seen.title && isMe(task.created_by) && !twins.has(task)))
  }
  return twins.size ? tasks.filter((task) => !twins.has(task)) : tasks
}

// == Projects and people

export const projectById = (id) => state.projects.find((project) => project.id === Number(id))
export const projectName = (project) => (project?.kind === 'inbox' ? t('inbox') : (project?.name ?? t('unknownProject')))
export const inbox = () => state.projects.find(({ kind }) => kind === 'inbox')
export const activeProjects = () => state.projects.filter(({ archived_at }) => !archived_at)
export const sharedProjects = () => activeProjects().filter(({ kind }) => kind !== 'inbox')
export const membersOf = (projectId) => state.members.get(Number(projectId)) ?? []
export const isMe = (userId) => userId === state.me?.id

export function mayWrite(projectId) {
  const project = projectById(projectId)
  return Boolean(project) && project.role !== 'viewer' && !project.archived_at
}

export function personName(userId) {
  if (userId == null) return t('nobody')
  if (isMe(userId)) return state.me.name
  return [...state.members.values()].flat().find(({ user_id }) => user_id === userId)?.name ?? t('somebody')
}
