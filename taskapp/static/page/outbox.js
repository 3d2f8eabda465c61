// Every change of a task is written down first (IndexedDB), then sent, in order. So nothing is lost when the
// connection is, or the window: a POST goes out again with its key, a PATCH with its If-Match.

import { api, connection, getAll, Unreachable } from './api.js'
import { locked, randomKey } from './browser.js'
import { differs, fieldsOf, onlyTheirs, unsettled } from './merge.js'
import { etagOf, forgetTasks, go, inbox, isMe, newestId, pendingOf, personName, refreshTask, route, say, state, takeTasks, tell } from './store.js'
import { t } from './words.js'

const LONGEST_WAIT = 60_000
const MOST_TRIES = 5

// == The store

let database = null

const openDatabase = () =>
  (database ??= new Promise((resolve) => {
    const request = indexedDB.open('taskapp', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('outbox', { keyPath: 'id' })
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => resolve(null) // a private window may have none: then it waits in memory
  }))

async function inStore(mode, run) {
  const db = await openDatabase()
  if (!db) return null
  return new Promise((resolve, reject) => {
    const transaction = db.transaction('outbox', mode)
    const request = run(transaction.objectStore('outbox'))
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = () => reject(transaction.error)
  })
}

const write = (entry) => inStore('readwrite', (store) => store.put(entry))

/** Reads what waits, also what other windows wrote down or sent. */
async function load() {
  const all = await inStore('readonly', (store) => store.getAll())
  if (!all) return
  const before = state.pending
  const stored = all.filter(({ user }) => user === state.me.id)
  const unwritten = before.filter(({ id }) => writing.has(id) && !stored.some((entry) => entry.id === id))
  state.pending = [...stored, ...unwritten].sort((a, b) => a.id - b.id)
  for (const { task } of [...before, ...state.pending]) refreshTask(task)
}

// == Writing down

const writing = new Set()
let lastId = 0

/** @param {{op: string, task: number | string, fields?: object, seen: object}} change */
export async function enqueue(change) {
  lastId = Math.max(Date.now() * 1000, lastId + 1)
  const task = state.renamed.get(String(change.task)) ?? change.task // its creation may just have been answered
  const seen = change.seen.revision ? change.seen : (state.tasks.get(String(task)) ?? change.seen)
  const etag = seen.revision ? etagOf(seen) : null
  const fixed = { id: lastId, user: state.me.id, key: randomKey(), etag, newest: newestId(), waited: !state.online }
  const entry = { ...fixed, state: 'waiting', tries: 0, ...change, task, seen }
  writing.add(entry.id)
  state.pending.push(entry)
  refreshTask(entry.task)
  await write(entry)
  writing.delete(entry.id)
  flush()
}

export async function drop({ id, task }) {
  state.pending = state.pending.filter((entry) => entry.id !== id)
  refreshTask(task)
  await inStore('readwrite', (store) => store.delete(id))
}

/** Takes back what was not sent yet; answers whether that was possible. */
export function takeBack(taskId, op) {
  const entry = pendingOf(taskId).findLast((one) => one.op === op)
  if (!entry || entry.id === sending || entry.tries > 0) return false
  drop(entry)
  return true
}

// == Sending

let flushing = null
let again = false
let timer = null
let failures = 0
let cut = false
let sending = null
let sent = 0

/** Sends what waits; a call while it runs makes it look once more. */
export function flush() {
  again = true
  flushing ??= run().finally(() => (flushing = null))
}

async function run() {
  while (again) {
    again = false
    clearTimeout(timer)
    await locked('outbox', drain)
  }
}

async function drain() {
  if (!state.me) return
  await load()
  for (let entry = next(); entry; entry = next()) {
    sending = entry.id
    try {
      await done(entry, (await SEND[entry.op](entry)).data)
      failures = 0
    } catch (error) {
      if (!(await refused(entry, error))) return
    } finally {
      sending = null
    }
  }
  if (sent) say(t('saidSent', { n: sent }))
  sent = 0
}

/** The first that waits for nothing but its turn: what comes after a conflict waits with it. */
function next() {
  const stuck = new Set()
  for (const entry of state.pending) {
    if (entry.state !== 'waiting') stuck.add(String(entry.task))
    else if (!stuck.has(String(entry.task))) return entry
  }
  return null
}

const keyed = ({ key }) => ({ 'Idempotency-Key': key })
const matched = ({ etag }) => (etag ? { 'If-Match': etag } : {})
const SEND = {
  create: (entry) => api('POST', 'tasks', { body: entry.fields, headers: keyed(entry) }),
  update: (entry) => api('PATCH', `tasks/${entry.task}`, { body: entry.fields, headers: matched(entry) }),
  delete: (entry) => api('DELETE', `tasks/${entry.task}`, { headers: matched(entry) }),
  restore: (entry) => api('POST', `tasks/${entry.task}/restore`, { headers: keyed(entry) }),
  comment: (entry) => api('POST', `tasks/${entry.task}/comments`, { body: entry.fields, headers: keyed(entry) }),
  attach: (entry) => {
    const form = new FormData()
    form.append('file', entry.file, entry.file.name)
    return api('POST', `tasks/${entry.task}/attachments`, { form, headers: keyed(entry) })
  },
}

async function done(entry, data) {
  if (data && 'revision' in data) {
    await moveOn(entry, data)
    takeTasks([data])
  }
  if (entry.op === 'delete') forgetTasks([entry.task])
  if (entry.waited) sent += 1
  await drop(entry)
  tell('detail', entry.task)
}

/** What waits behind a write of our own builds on its result. */
async function moveOn(entry, task) {
  for (const follower of pendingOf(entry.task).filter(({ id }) => id !== entry.id)) {
    if (follower.etag === entry.etag) follower.etag = etagOf(task)
    follower.task = task.id
    await write(follower)
  }
  if (entry.task === task.id) return
  state.own.add(String(task.id))
  state.renamed.set(String(entry.task), task.id)
  state.tasks.delete(String(entry.task))
  if (route().task === entry.task) history.replaceState(null, '', location.hash.replace(entry.task, task.id))
  entry.task = task.id
}

// == What was refused

/** Answers whether the others may go on. */
async function refused(entry, error) {
  entry.tries += 1
  const { status } = error
  if (status === 401) return false // the door opens; what waits stays
  if (error.mayPass && (status !== 500 || entry.tries < MOST_TRIES)) {
    await hold(entry, { waited: true })
    return wait(error)
  }
  if (status === 412) return settled(entry)
  const alreadySo = (status === 404 && entry.op === 'delete') || (status === 409 && entry.op === 'restore')
  if (alreadySo) await done(entry, null)
  else await hold(entry, { state: 'refused', detail: error.message, gone: status === 404 })
  return true
}

function wait(error) {
  failures += 1
  cut = error instanceof Unreachable
  timer = setTimeout(flush, error.retryAfter * 1000 || Math.min(1000 * 2 ** failures, LONGEST_WAIT))
  return false
}

async function hold(entry, fields) {
  if (!state.pending.some(({ id }) => id === entry.id)) return // dropped meanwhile
  Object.assign(entry, fields)
  await write(entry)
  refreshTask(entry.task)
}

/** 412: our own lost write is done; what does not touch ours goes on; what both changed is shown. */
async function settled(entry) {
  try {
    const { data: theirs, headers } = await api('GET', `tasks/${entry.task}`)
    takeTasks([theirs])
    await settle(entry, theirs, headers.get('ETag'))
    return true
  } catch (error) {
    if (error.status !== 404) return wait(error)
    await hold(entry, { state: 'refused', detail: t('taskGone'), gone: true })
    return true
  }
}

async function settle(entry, theirs, etag) {
  if (entry.op === 'delete') {
    if (!differs(entry.seen, theirs)) return hold(entry, { etag })
    say(t('saidNotDeleted', theirs))
    return drop(entry)
  }
  const { ours, both } = unsettled(entry, theirs)
  if (ours.length === 0) return done(entry, null)
  if (both.length === 0 && entry.tries < MOST_TRIES) return hold(entry, { state: 'waiting', etag, seen: theirs })
  const conflict = { state: 'conflict', theirs, etag, both, merged: onlyTheirs(entry, theirs), who: await whoChanged(entry) }
  await hold(entry, conflict)
  if (route().task !== String(entry.task)) say(t('saidConflict', theirs), Object.assign(() => go({ task: entry.task }), { label: t('look') }))
}

async function whoChanged({ task, seen }) {
  const events = await getAll(`tasks/${task}/history`).catch(() => [])
  const other = events.findLast(({ revision, user_id }) => revision > seen.revision && !isMe(user_id))
  return other ? personName(other.user_id) : t('otherWindow')
}

/** What a conflict is about may be gone since, or be as we want it. */
export async function lookAgain(tasks) {
  const conflicts = state.pending.filter((entry) => entry.state === 'conflict' && tasks.includes(entry.task))
  for (const entry of conflicts) await settled(entry)
  if (conflicts.length) flush()
}

/** Takes up what was left behind when the page was closed. */
export async function takeUp() {
  await load()
  await lookAgain(state.pending.map(({ task }) => task))
  flush()
}

/** Sends what was chosen of ours; where that is nothing, theirs stands. */
export async function resolve(entry, chosen) {
  const given = entry.both.filter((aspect) => !chosen.includes(aspect)).flatMap(fieldsOf)
  const fields = Object.fromEntries(Object.entries(entry.fields).filter(([field]) => !given.includes(field)))
  if (Object.keys(fields).length === 0) await drop(entry)
  else await hold(entry, { fields, seen: entry.theirs, state: 'waiting', tries: 0 })
  flush()
}

export async function retry(entry) {
  await hold(entry, { state: 'waiting', tries: 0 })
  flush()
}

// What a task keeps that is made once more: neither its project nor whom it was given to need be there.
const KEPT = ['title', 'description', 'status', 'priority', 'due_at', 'due_on', 'repeat', 'reminders', 'labels']

/** All that was changed in a task that is gone becomes a task of its own. */
export async function saveAsNew({ task, seen: before }) {
  const id = `new-${randomKey()}`
  const waiting = pendingOf(task)
  const changes = waiting.filter(({ op }) => op === 'update').map(({ fields }) => fields)
  const seen = Object.assign({}, before, ...changes, { id, revision: null, project_id: inbox().id, assignee_id: null, parent_id: null })
  await enqueue({ op: 'create', task: id, seen, fields: Object.fromEntries(KEPT.map((name) => [name, seen[name]])) })
  for (const { op, fields, file } of waiting) {
    if (op === 'comment' || op === 'attach') await enqueue({ op, task: id, seen, fields, file })
  }
  await Promise.all(waiting.map(drop)) // at once: without the first, the next would be sent
}

connection.addEventListener('reached', () => {
  if (!cut || flushing) return
  cut = false
  flush()
})
addEventListener('online', flush)
