// What the open view shows, page by page from the service, together with what is known here already.

import { get } from './api.js'
import { activeProjects, changed, dueDay, events, PRIORITIES, route, state, takeTasks } from './store.js'
import { inZone, isShownOpen, matches, partsOf, questionOf, testOf } from './views.js'

const FETCH = 100
const SHOW = 120
const GHOSTS_AFTER = 300

/** One list: `shown` rows at most, `cursor` where the service goes on, `last` the last task it gave. */
const newList = (part) => ({ ...part, shown: SHOW, cursor: null, last: null, total: null, ids: null, loading: true })

export const view = { lists: [], problem: null, ghosts: false }
let current = 0

/** Loads the view of the address; what is known of it shows at once. */
export async function openView() {
  const number = ++current
  const { view: name, mode } = route()
  view.lists = partsOf(name, mode).map(newList)
  view.problem = null
  view.ghosts = false
  changed()
  setTimeout(() => {
    view.ghosts = number === current && view.lists.some((list) => list.loading)
    if (view.ghosts) changed()
  }, GHOSTS_AFTER)
  await Promise.all(view.lists.map((list) => loadMore(list)))
}

/** The same question once more, without emptying the view. */
export async function reload() {
  const number = current
  const { view: name, mode } = route()
  const fresh = partsOf(name, mode).map(newList)
  await Promise.all(fresh.map((list) => loadMore(list)))
  if (number !== current || view.problem) return
  for (const list of fresh) list.shown = view.lists.find(({ name }) => name === list.name)?.shown ?? SHOW
  view.lists = fresh
  changed()
}

const question = (list) =>
  state.query ? { q: state.query, ...inZone() } : questionOf(route().view)

export async function loadMore(list) {
  list.loading = true
  const query = { ...question(list), status: list.statuses, sort: list.sort, limit: FETCH, cursor: list.cursor, total: true }
  try {
    const page = await get('tasks', query)
    takeTasks(page.items)
    list.cursor = page.next_cursor
    list.last = page.items.at(-1) ?? list.last
    list.total = page.total
    if (state.query) list.ids = new Set([...(list.ids ?? []), ...page.items.map(({ id }) => id)])
    view.problem = null
  } catch (error) {
    fail(error)
  } finally {
    list.loading = false
    changed()
  }
}

let timer = null

function fail(error) {
  if (error.status === 401) return
  clearTimeout(timer)
  const seconds = error.retryAfter ?? 10
  timer = setTimeout(reload, seconds * 1000)
  view.problem = { error, seconds }
}

/** Shows more of a list, and fetches what is not here yet. */
export function showMore(list) {
  list.shown += SHOW
  if (list.cursor && !list.loading && tasksOf(list).length < list.shown) loadMore(list)
  changed()
}

// What a list holds -----------------------------------------------------------------------------------------------

export const byDue = (a, b) =>
  (dueDay(a) ?? '9').localeCompare(dueDay(b) ?? '9') ||
  (a.due_at ?? '').localeCompare(b.due_at ?? '') ||
  PRIORITIES.indexOf(b.priority) - PRIORITIES.indexOf(a.priority) ||
  String(a.id).localeCompare(String(b.id), 'en', { numeric: true })

const byUpdate = (a, b) => (b.updated_at ?? '9').localeCompare(a.updated_at ?? '9')

export const orderOf = (list) => (list.sort.startsWith('-') ? byUpdate : byDue)

function testFor(list) {
  if (state.query) return list.ids ? (task) => list.ids.has(task.id) : matches
  const shows = testOf(route().view)
  const board = route().mode === 'board'
  if (list.name === 'open') return (task) => isShownOpen(task) && shows(task)
  const statuses = list.statuses.split(',')
  return (task) => statuses.includes(task.status) && shows(task) && (board || list.name === 'done')
}

/** All tasks of a list that are known here, in order; those past the last page wait until it comes. */
export function tasksOf(list) {
  const order = orderOf(list)
  const test = testFor(list)
  const beyond = (task) => list.cursor && list.last && order(task, list.last) > 0 && !state.own.has(String(task.id))
  return [...state.tasks.values()].filter((task) => test(task) && !beyond(task)).sort(order)
}

export const countOf = (list, tasks) => (list.cursor ? Math.max(list.total ?? 0, tasks.length) : tasks.length)

// Counts in the sidebar ----------------------------------------------------------------------------------------------

const COUNTED = ['today', 'inbox']
const MOST_PROJECTS = 20

/** Asks how many open tasks these views have; without a name all that show a count. */
export async function recount(views = counted()) {
  for (const name of views) {
    const query = { ...questionOf(name), status: 'todo,in_progress', fields: 'id', limit: 1, total: true }
    const page = await get('tasks', query)
    state.counts.set(name, page.total)
    changed()
  }
}

function counted() {
  const shared = activeProjects().filter(({ kind }) => kind !== 'inbox')
  return [...COUNTED, ...shared.slice(0, MOST_PROJECTS).map(({ id }) => `project:${id}`)]
}

let uncounted = new Set()
let counting = null

/** After changes: counts what they touch, once for a while of changes. */
export function countSoon(projectIds) {
  for (const id of projectIds) if (counted().includes(`project:${id}`)) uncounted.add(`project:${id}`)
  counting ??= setTimeout(async () => {
    const names = [...COUNTED, ...uncounted]
    uncounted = new Set()
    counting = null
    events.dispatchEvent(new Event('labels'))
    await Promise.all([recount(names), loadNumbers()]).catch(() => null)
  }, 1500)
}

/** The numbers of the view for the plots, and how many are overdue. */
export async function loadNumbers() {
  const { view: name } = route()
  const project = name.startsWith('project:') ? { project_id: name.slice('project:'.length) } : {}
  const [all, here] = await Promise.all([get('stats', inZone()), project.project_id ? get('stats', { ...project, ...inZone() }) : null])
  state.counts.set('overdue', all.overdue)
  state.stats = here ?? all
  changed()
}

events.addEventListener('sign-out', () => {
  current += 1
  clearTimeout(timer)
})

