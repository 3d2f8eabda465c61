// What the open view shows, page by page from the service, together with what is known here already.

import { get, getAll } from './api.js'
import { changed, dueDay, events, isNew, isOpen, PRIORITIES, route, sharedProjects, shownTasks, state, takeTasks } from './store.js'
import { inZone, matches, partsOf, questionOf, readView, testOf } from './views.js'

const FETCH = 200
const SHOW = 120
const GHOSTS_AFTER = 300
const MOST_PROJECTS = 20

export const view = { lists: [], problem: null, ghosts: false }
let current = 0
let timer = null

/** One list: `shown` rows at most, `cursor` where the service goes on, `last` the last task it gave. */
const newLists = () =>
  partsOf(route()).map((part) => ({ ...part, shown: SHOW, cursor: null, last: null, total: null, ids: null, loading: true }))

/** Loads the view of the address; what is known of it shows at once. */
export async function openView() {
  const number = ++current
  Object.assign(view, { lists: newLists(), problem: null, ghosts: false })
  changed()
  setTimeout(() => {
    view.ghosts = number === current && view.lists.some(({ loading }) => loading)
    if (view.ghosts) changed()
  }, GHOSTS_AFTER)
  await Promise.all(view.lists.map(loadMore))
}

const ask = ({ statuses: status, sort }, more) => {
  const question = state.query ? { q: state.query, ...inZone } : questionOf(route().view)
  return get('tasks', { ...question, status, sort, total: true, ...more })
}

export async function loadMore(list) {
  list.loading = true
  const searched = Boolean(state.query)
  try {
    const { items, next_cursor, total } = await ask(list, { cursor: list.cursor, limit: FETCH })
    takeTasks(items)
    Object.assign(list, { cursor: next_cursor, total, last: items.at(-1) ?? list.last })
    if (searched) list.ids = new Set([...(list.ids ?? []), ...items.map(({ id }) => id)])
    view.problem = null
  } catch (error) {
    if (error.status !== 401) fail(error)
  }
  list.loading = false
  changed()
}

function fail(error) {
  const seconds = error.retryAfter || 10
  view.problem = { error, seconds }
  clearTimeout(timer)
  timer = setTimeout(() => state.me && openView(), seconds * 1000)
}

/** Shows more of a list, and fetches what is not here yet. */
export function showMore(list) {
  list.shown += SHOW
  if (list.cursor && !list.loading && tasksOf(list).length < list.shown) loadMore(list)
  changed()
}

// == What a list holds

// The order of the service: due days, then moments, then priorities, and of equals the newest first.
const keyOf = ({ sort }, task) => {
  if (sort.startsWith('-')) return task.updated_at
  return [dueDay(task) ?? '9', task.due_at ?? '', PRIORITIES.length - PRIORITIES.indexOf(task.priority)].join(' ')
}

const place = (list, task) => ({ task, key: keyOf(list, task), id: isNew(task.id) ? Infinity : task.id })

function order(list) {
  const sign = list.sort.startsWith('-') ? -1 : 1
  return (a, b) => (a.key === b.key ? b.id - a.id || 0 : a.key < b.key ? -sign : sign)
}

function testFor({ name, statuses, ids }) {
  if (name === 'found') return ids ? ({ id }) => ids.has(id) : matches
  const shows = testOf(route().view)
  if (name === 'open') return (task) => (isOpen(task) || state.leaving.has(String(task.id))) && shows(task)
  return (task) => statuses.split(',').includes(task.status) && shows(task)
}

/** All tasks of a list that are known here, in order; those past the last page wait until it comes. */
export function tasksOf(list) {
  if (list.version === state.version) return list.tasks
  const inOrder = order(list)
  const end = list.cursor && place(list, list.last)
  const shown = shownTasks().filter(testFor(list)).map((task) => place(list, task))
  const near = end ? shown.filter((one) => inOrder(one, end) <= 0 || state.own.has(String(one.task.id))) : shown
  const tasks = near.sort(inOrder).map(({ task }) => task)
  Object.assign(list, { version: state.version, tasks })
  return tasks
}

export const countOf = (list, tasks) => (list.cursor ? Math.max(list.total, tasks.length) : tasks.length)

// == Projects and people

export async function loadProjects() {
  state.projects = (await getAll('projects')).sort((a, b) => a.name.localeCompare(b.name))
  // A service without invitations says nothing of whether an address is proved.
  state.invitations = 'email_verified' in state.me ? (await get('invitations').catch(() => ({ items: [] }))).items : []
  changed()
}

export async function loadMembers(id) {
  state.members.set(Number(id), await getAll(`projects/${id}/members`))
  changed()
}

// == Numbers: in the sidebar, and for the plots

export async function loadNumbers() {
  const { kind, value } = readView(route().view)
  const all = await get('stats', inZone)
  state.stats = kind === 'project' ? await get('stats', { project_id: value, ...inZone }) : all
  state.counts.set('overdue', all.overdue)
  changed()
}

/** How many open tasks each view has that shows a count. */
export async function count() {
  const projects = sharedProjects().slice(0, MOST_PROJECTS).map(({ id }) => `project:${id}`)
  for (const name of ['today', 'inbox', ...projects]) {
    const query = { ...questionOf(name), status: 'todo,in_progress', fields: 'id', limit: 1, total: true }
    state.counts.set(name, (await get('tasks', query)).total)
    changed()
  }
}

export async function loadLabels() {
  state.labels = (await get('labels', { limit: 200 })).items.sort((a, b) => b.count - a.count)
  changed()
}

/** Of lists that go on, only the service knows how long they are. */
async function countLists() {
  for (const list of view.lists.filter(({ cursor }) => cursor)) list.total = (await ask(list, { limit: 1, fields: 'id' })).total
  changed()
}

let counting = null

/** After changes, once for a while of them. Most answers are 304s. */
export function countSoon() {
  counting ??= setTimeout(async () => {
    counting = null
    if (state.me) await Promise.all([count(), countLists(), loadNumbers(), loadLabels()]).catch(() => null)
  }, 2000)
}

events.addEventListener('left', () => clearTimeout(timer))
