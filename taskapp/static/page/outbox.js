// Every change of a task is written down first (IndexedDB), then sent, in order. So nothing is lost when the
// connection is, or the window: a POST goes out again with its key, a PATCH with its If-Match.

import { api, connection, getAll, Unreachable } from './api.js'
import { locked, onWindowMessage, randomKey, tellWindows } from './browser.js'
import { differs, fieldsOfAspect, mergedAspects, unsettled } from './merge.js'
import {
  changed, etagOf, events, forgetTasks, go, isMe, pendingOf, personName, refreshTask, route, say, state, takeTasks,
} from './store.js'
import { t } from './words.js'

const LONGEST_WAIT = 60_000
const MOST_TRIES = 5

// The store ------------------------------------------------------------------------------------------------------

let database = null

function openDatabase() {
  database ??= new Promise((resolve) => {
    const request = indexedDB.open('taskapp', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('outbox', { keyPath: 'id' })
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => resolve(null) // a private window may have none: then it waits in memory
  })
  return database
}

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

// A file is written once: it need not be copied at each change of state.
const write = (entry) => inStore('readwrite', (store) => store.put(entry))
const erase = (entry) => inStore('readwrite', (store) => store.delete(entry.id))

/** Reads what waits, also what other windows wrote down or sent. */
async function load() {
  const all = await inStore('readonly', (store) => store.getAll())
  if (!all) return
  const stored = all.filter((entry) => entry.user === state.me.id)
  const ids = new Set(stored.map((entry) => entry.id))
  const before = state.pending
  const unwritten = before.filter((entry) => !ids.has(entry.id) && writing.has(entry.id))
  state.pending = [...stored, ...unwritten].sort((a, b) => a.id - b.id)
  for (const entry of [...before, ...state.pending]) refreshTask(entry.task)
}

// Writing down ---------------------------------------------------------------------------------------------------

const writing = new Set()
let lastId = 0

/** @param {{op: string, task: number | string, fields?: object, seen: object}} change */
export async function enqueue(change) {
  lastId = Math.max(Date.now() * 1000, lastId + 1)
  const etag = change.seen?.revision ? etagOf(change.seen) : null
  const entry = { id: lastId, user: state.me.id, key: randomKey(), etag, state: 'waiting', tries: 0, waited: !state.online, ...change }
  writing.add(entry.id)
  state.pending.push(entry)
  refreshTask(entry.task)
  await write(entry)
  writing.delete(entry.id)
  flush()
}

export async function drop(entry) {
  state.pending = state.pending.filter((other) => other.id !== entry.id)
  refreshTask(entry.task)
  await erase(entry)
}

/** Takes back what was not sent yet; answers whether that was possible. */
export function takeBack(taskId, op) {
  const entry = pendingOf(taskId).findLast((one) => one.op === op)
  if (!entry || entry.id === sendingId || entry.tries > 0) return false
  drop(entry)
  return true
}

// Sending --------------------------------------------------------------------------------------------------------

let flushing = null
let again = false
let timer = null
let failures = 0
let cut = false
let sendingId = null
let sent = 0

/** Sends what waits; a call while it runs makes it look once more. */
export function flush() {
  again = true
  flushing ??= run().finally(() => {
    flushing = null
  })
  return flushing
}

async function run() {
  while (again) {
    again = false
    clearTimeout(timer)
    await locked('taskapp.outbox', drain)
  }
}

async function drain() {
  if (!state.me) return
  await load()
  for (let entry = next(); entry; entry = next()) {
    try {
      sendingId = entry.id
      await sendOne(entry)
      failures = 0
    } catch (error) {
      if (!(await refused(entry, error))) return
    } finally {
      sendingId = null
    }
  }
  if (sent && !state.pending.some(({ state }) => state === 'waiting')) {
    say(t('saidSent', { n: sent }))
    sent = 0
  }
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

const SEND = {
  create: (entry) => api('POST', 'tasks', { body: entry.fields, headers: withKey(entry) }),
  update: (entry) => api('PATCH', `tasks/${entry.task}`, { body: entry.fields, headers: withMatch(entry) }),
  delete: (entry) => api('DELETE', `tasks/${entry.task}`, { headers: withMatch(entry) }),
  restore: (entry) => api('POST', `tasks/${entry.task}/restore`, { headers: withKey(entry) }),
  comment: (entry) => api('POST', `tasks/${entry.task}/comments`, { body: entry.fields, headers: withKey(entry) }),
  attach: (entry) => api('POST', `tasks/${entry.task}/attachments`, { form: upload(entry), headers: withKey(entry) }),
}
const withKey = ({ key }) => ({ 'Idempotency-Key': key })
const withMatch = ({ etag }) => (etag ? { 'If-Match': etag } : {})

function upload({ file }) {
  const form = new FormData()
  form.append('file', file, file.name)
  return form
}

async function sendOne(entry) {
  const { data } = await SEND[entry.op](entry)
  await done(entry, data)
}

async function done(entry, data) {
  const isTask = data && 'revision' in data
  if (isTask) {
    await moveOn(entry, data)
    takeTasks([data])
    tellWindows({ tasks: [data] })
  }
  if (entry.op === 'delete') forgetTasks([entry.task])
  if (entry.waited) sent += 1
  await drop(entry)
  events.dispatchEvent(new CustomEvent('detail', { detail: entry.task }))
  tellWindows('outbox')
}

/** What waits behind a write of our own builds on its result. */
async function moveOn(entry, task) {
  const etag = etagOf(task)
  const followers = pendingOf(entry.task).filter((one) => one.id !== entry.id)
  for (const follower of followers) {
    if (follower.etag === entry.etag) follower.etag = etag
    follower.task = task.id
    await write(follower)
  }
  if (entry.task === task.id) return
  state.own.add(String(task.id))
  state.renamed.set(String(entry.task), task.id)
  state.tasks.delete(String(entry.task))
  if (route().task === String(entry.task)) history.replaceState(null, '', location.hash.replace(entry.task, task.id))
  entry.task = task.id
}

// What was refused -----------------------------------------------------------------------------------------------

/** Answers whether the others may go on. */
async function refused(entry, error) {
  entry.tries += 1
  if (error.status === 401) return false // the door opens; what waits stays
  const endless = error.status === 500 && entry.tries >= MOST_TRIES
  if (error.mayPass && !endless) {
    entry.waited = true
    await write(entry)
    wait(error)
    return false
  }
  if (error.status === 412) return settled(entry)
  if (error.status === 404 && entry.op === 'delete') await done(entry, null)
  else if (error.status === 409 && entry.op === 'restore') await done(entry, null)
  else await hold(entry, { state: 'refused', detail: error.message, gone: error.status === 404 })
  return true
}

function wait(error) {
  failures += 1
  cut = error instanceof Unreachable
  const backoff = Math.min(1000 * 2 ** failures, LONGEST_WAIT)
  timer = setTimeout(flush, error.retryAfter ? error.retryAfter * 1000 : backoff)
}

async function hold(entry, fields) {
  Object.assign(entry, fields)
  await write(entry)
  refreshTask(entry.task)
}

/** 412: our own lost write is done; what does not touch ours goes on; what both changed is shown. */
async function settled(entry) {
  try {
    const { data: theirs, headers } = await api('GET', `tasks/${entry.task}`)
    takeTasks([theirs])
    if (entry.op === 'delete') return await deleteSettled(entry, theirs, headers.get('ETag'))
    const open = unsettled(entry, theirs)
    if (open.ours.length === 0) await done(entry, null)
    else if (open.both.length === 0 && entry.tries < MOST_TRIES) await hold(entry, { etag: headers.get('ETag'), seen: theirs })
    else await conflict(entry, theirs, headers.get('ETag'))
    return true
  } catch (error) {
    if (error.status === 404) await hold(entry, { state: 'refused', detail: t('taskGone'), gone: true })
    else wait(error)
    return error.status === 404
  }
}

async function deleteSettled(entry, theirs, etag) {
  if (!differs(entry.seen, theirs)) await hold(entry, { etag })
  else {
    await drop(entry)
    say(t('saidNotDeleted', theirs))
  }
  return true
}

async function conflict(entry, theirs, etag) {
  const { both } = unsettled(entry, theirs)
  const who = await whoChanged(entry, theirs)
  await hold(entry, { state: 'conflict', theirs, etag, both, merged: mergedAspects(entry, theirs), who })
  if (route().task !== String(entry.task)) say(t('saidConflict', theirs), Object.assign(() => go({ task: entry.task }), { label: t('look') }))
}

async function whoChanged(entry, theirs) {
  const events = await getAll(`tasks/${theirs.id}/history`).catch(() => [])
  const other = events.findLast((event) => event.revision > entry.seen.revision && !isMe(event.user_id))
  return other ? personName(other.user_id) : t('otherWindow')
}

/** Sends what was chosen of ours, field by field; nothing of it, and theirs stands. */
export async function resolve(entry, aspects) {
  const kept = aspects.flatMap(fieldsOfAspect).filter((field) => field in entry.fields)
  const others = Object.keys(entry.fields).filter((field) => !entry.both.flatMap(fieldsOfAspect).includes(field))
  const fields = Object.fromEntries([...kept, ...others].map((field) => [field, entry.fields[field]]))
  if (Object.keys(fields).length === 0) await drop(entry)
  else await hold(entry, { fields, seen: entry.theirs, state: 'waiting', tries: 0 })
  flush()
}

export async function retry(entry) {
  await hold(entry, { state: 'waiting', tries: 0 })
  flush()
}

/** A change of a task that is gone becomes a task of its own. */
export async function saveAsNew(entry) {
  const { title, description, priority, labels } = { ...entry.seen, ...entry.fields }
  const id = `new-${randomKey()}`
  for (const other of pendingOf(entry.task)) await drop(other)
  const seen = { ...entry.seen, ...entry.fields, id, revision: null }
  await enqueue({ op: 'create', task: id, seen, fields: { title, description, priority, labels } })
}

// Start ----------------------------------------------------------------------------------------------------------

export function startOutbox() {
  flush()
}

connection.addEventListener('reached', () => {
  if (!cut || flushing) return
  cut = false
  flush()
})
addEventListener('online', flush)
onWindowMessage((message) => {
  if (message.tasks) takeTasks(message.tasks)
  else if (message === 'outbox' && !flushing && state.me) load().then(changed)
})
