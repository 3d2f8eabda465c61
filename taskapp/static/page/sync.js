// What others changed: /changes is asked again and again, with the ETag of the last answer, so that it can be a 304.

import { api, getAll } from './api.js'
import { recall, remember } from './browser.js'
import { countSoon, openView, tasksOf, view } from './lists.js'
import {
  changed, confirmedTask, events, forgetTasks, go, isMe, pendingOf, personName, projectById, route, say, state, takeTasks,
} from './store.js'
import { t } from './words.js'

const EVERY = 5_000
const CATCHING_UP = 300
const KEPT = 5_000 // tasks that are kept though no view has shown them
const PROJECTS_EVERY = 12

let timer = null
let etag = null
let rounds = 0
let caughtUp = false
let running = false
let onProjects = async () => {}

const bookmark = () => `changes.${state.me.id}`

export function startSync(reloadProjects) {
  onProjects = reloadProjects
  caughtUp = recall(bookmark()) !== null
  plan(CATCHING_UP)
}

export function stopSync() {
  clearTimeout(timer)
  etag = null
}

function plan(delay) {
  clearTimeout(timer)
  if (!document.hidden) timer = setTimeout(ask, delay)
}

async function ask() {
  if (running || !state.me) return
  running = true
  let delay = EVERY
  try {
    const more = await askOnce()
    delay = more ? CATCHING_UP : EVERY
    rounds += 1
    events.dispatchEvent(new Event('polled'))
    if (rounds % PROJECTS_EVERY === 0) await onProjects()
  } catch (error) {
    if (error.code === 'cursor-expired' || error.code === 'invalid-cursor') startAgain()
    else delay = (error.retryAfter ?? 0) * 1000 || EVERY
  } finally {
    running = false
    plan(delay)
  }
}

/** One page of changes; answers whether there are more. */
async function askOnce() {
  const cursor = recall(bookmark())
  const headers = etag ? { 'If-None-Match': etag } : {}
  const answer = await api('GET', 'changes', { query: { cursor, limit: 200 }, headers })
  if (answer.status === 304) return false
  const { tasks, deleted, next_cursor, has_more } = answer.data
  await take(tasks, deleted)
  etag = next_cursor === cursor ? answer.headers.get('ETag') : null
  remember(bookmark(), next_cursor)
  if (!has_more) caughtUp = true
  return has_more
}

function startAgain() {
  remember(bookmark(), null)
  etag = null
  caughtUp = false
  openView()
}

async function take(tasks, deleted) {
  const before = new Map(deleted.map((id) => [id, confirmedTask(id)]))
  const wanted = tasks.filter((task) => confirmedTask(task.id) || caughtUp || state.tasks.size < KEPT)
  const inFlight = new Set(state.pending.map(({ task }) => String(task)))
  const news = takeTasks(wanted)
  forgetTasks(deleted)
  if (!caughtUp) return
  const touched = [...tasks, ...[...before.values()].filter(Boolean)].map((task) => task.project_id)
  if (touched.length) countSoon(touched)
  if (touched.some((id) => !projectById(id)) || deleted.length) await onProjects()
  closeDeleted(before)
  await announce(news.filter(({ task }) => !inFlight.has(String(task.id))))
}

function closeDeleted(before) {
  const open = Number(route().task)
  if (!before.get(open) || pendingOf(open).length) return
  say(t('saidGone', before.get(open)))
  go({ task: null })
}

/** The row glows, and the live region says who did what. */
async function announce(news) {
  const shown = new Set(view.lists.flatMap(tasksOf))
  const here = news.filter(({ task }) => shown.has(state.tasks.get(String(task.id))))
  for (const { task } of news) glow(task.id)
  if (news.some(({ task }) => String(task.id) === route().task)) events.dispatchEvent(new CustomEvent('detail', { detail: route().task }))
  if (here.length > 1) return say(t('saidOthers', { n: here.length }))
  for (const { task, before } of here) {
    const last = before ? (await getAll(`tasks/${task.id}/history`)).at(-1) : { user_id: task.created_by }
    if (!last || isMe(last.user_id)) continue
    say(t(before ? 'saidOtherChanged' : 'saidOther', { who: personName(last.user_id), title: task.title }))
  }
}

export function glow(id) {
  state.fresh.add(String(id))
  changed()
  setTimeout(() => state.fresh.delete(String(id)), 1700)
}

/** Asks at once, after a pause or when somebody says that there is something. */
export function askNow() {
  if (state.me) plan(0)
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer)
  else askNow()
})

