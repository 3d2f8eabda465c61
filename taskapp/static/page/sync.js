// What others changed: /changes is asked again and again, with the ETag of the last answer, so that it can be a 304.

import { api, getAll } from './api.js'
import { recall, remember } from './browser.js'
import { countSoon, loadMembers, loadProjects, openView, tasksOf, view } from './lists.js'
import { lookAgain } from './outbox.js'
import {
  changed, confirmedTask, events, forgetTasks, isMe, pendingOf, personName, projectById, route, say, state, takeTasks, tell,
} from './store.js'
import { t } from './words.js'

const EVERY = 5_000
const CATCHING_UP = 300
const KEPT = 5_000 // tasks that are kept though no view has shown them
const PROJECTS_EVERY = 12 // rounds

let timer = null
let etag = null
let rounds = 0
let caughtUp = false
let asking = false

const bookmark = () => `changes.${state.me.id}`

function plan(delay) {
  clearTimeout(timer)
  if (!document.hidden && state.me) timer = setTimeout(ask, delay)
}

async function ask() {
  if (asking || !state.me) return
  asking = true
  let delay = EVERY
  try {
    if (await askOnce()) delay = CATCHING_UP
    rounds += 1
    tell('polled')
    if (rounds % PROJECTS_EVERY === 0) await loadProjects()
  } catch (error) {
    if (error.code === 'cursor-expired' || error.code === 'invalid-cursor') startAgain()
    else delay = error.retryAfter * 1000 || EVERY
  }
  asking = false
  plan(delay)
}

/** One page of changes; answers whether there are more. */
async function askOnce() {
  const cursor = recall(bookmark())
  const { status, data, headers } = await api('GET', 'changes', { query: { cursor, limit: 200 }, headers: etag ? { 'If-None-Match': etag } : {} })
  if (status === 304 || !state.me) return false
  await take(data)
  etag = data.next_cursor === cursor ? headers.get('ETag') : null
  remember(bookmark(), data.next_cursor)
  caughtUp ||= !data.has_more
  return data.has_more
}

function startAgain() {
  remember(bookmark(), null)
  etag = null
  caughtUp = false
  openView()
}

async function take({ tasks, deleted }) {
  const gone = deleted.map(confirmedTask).filter(Boolean)
  const inFlight = new Set(state.pending.map(({ task }) => String(task)))
  const news = takeTasks(tasks.filter(({ id }) => confirmedTask(id) || caughtUp || state.tasks.size < KEPT))
  forgetTasks(deleted)
  if (!caughtUp || tasks.length + deleted.length === 0) return
  countSoon()
  const strange = new Set(tasks.map(({ project_id }) => project_id).filter((id) => !projectById(id)))
  if (deleted.length || strange.size) await loadProjects()
  for (const id of strange) await loadMembers(id)
  const open = gone.find(({ id }) => String(id) === route().task)
  if (open && pendingOf(open.id).length === 0) say(t('saidGone', open))
  await lookAgain(deleted)
  await announce(news.filter(({ task }) => !inFlight.has(String(task.id))))
}

/** The row glows, and the live region says who did what. */
async function announce(news) {
  for (const { task } of news) {
    glow(task.id)
    tell('detail', task.id)
  }
  const shown = new Set(view.lists.flatMap(tasksOf).map(({ id }) => id))
  const here = news.filter(({ task }) => shown.has(task.id))
  if (here.length > 1) return say(t('saidOthers', { n: here.length }))
  for (const { task, before } of here) {
    const last = before ? (await getAll(`tasks/${task.id}/history`)).at(-1) : { user_id: task.created_by }
    if (!isMe(last.user_id)) say(t(before ? 'saidOtherChanged' : 'saidOther', { who: personName(last.user_id), title: task.title }))
  }
}

export function glow(id) {
  state.fresh.add(String(id))
  changed()
  setTimeout(() => state.fresh.delete(String(id)), 1700)
}

/** Asks at once: at the start, and after a pause. */
export function askNow() {
  if (!state.me) return
  caughtUp ||= recall(bookmark()) !== null
  plan(0)
}

document.addEventListener('visibilitychange', askNow)
events.addEventListener('left', () => {
  clearTimeout(timer)
  etag = null
  caughtUp = false
})
