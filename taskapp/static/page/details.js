// What belongs to a task: subtasks, attachments, comments, history. It is loaded when the task is opened.

import { add, attach, comment } from './actions.js'
import { api, getAll } from './api.js'
import { ago, dayName } from './dates.js'
import { avatar, h, icon, iconButton } from './elements.js'
import { tick } from './list.js'
import {
  changed, events, href, isMe, pendingOf, personName, projectById, route, say, state, taskById, takeTasks,
} from './store.js'
import { fieldName, readField } from './values.js'
import { locale, number, t } from './words.js'

const EVENTS_SHOWN = 200

// Loading --------------------------------------------------------------------------------------------------------

export async function loadDetails({ id }) {
  if (String(id).startsWith('new-')) return
  try {
    const path = `tasks/${id}`
    const [children, files, remarks, past] = await Promise.all([
      getAll('tasks', { parent: id }), getAll(`${path}/attachments`), getAll(`${path}/comments`), getAll(`${path}/history`),
    ])
    takeTasks(children)
    state.details.set(String(id), { attachments: files, comments: remarks, events: past.slice(-EVENTS_SHOWN).reverse() })
    changed()
  } catch (error) {
    if (!error.mayPass && error.status !== 404) say(error.message)
  }
}

let soon = null
let rounds = 0

/** Loads them once more, when the open task or what belongs to it has changed. */
function reloadDetails(id = route().task, delay = 400) {
  clearTimeout(soon)
  soon = setTimeout(() => {
    const task = taskById(id)
    if (task && String(task.id) === route().task) loadDetails(task)
  }, delay)
}

events.addEventListener('detail', ({ detail }) => reloadDetails(detail))
// A comment of somebody else leaves the task as it is, so that /changes does not show it.
events.addEventListener('polled', () => {
  rounds += 1
  if (rounds % 3 === 0 && route().task) reloadDetails()
})

// Parts ------------------------------------------------------------------------------------------------------------

function part(name, count, ...children) {
  return h('section', { class: 'part', 'aria-label': t(name) }, h('h3', {}, t(name), count && h('small', {}, count)), children)
}

/** One line by default; with `rows` a text of several, sent by Ctrl and Enter, too. */
function adder(label, add, { maxlength, rows } = {}) {
  const onsubmit = (event) => {
    event.preventDefault()
    const field = event.target.elements[0]
    const value = field.value.trim()
    field.value = field.saved = ''
    if (value) add(value)
  }
  const onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      event.target.form.requestSubmit()
    }
  }
  const attributes = { name: label, 'aria-label': label, placeholder: label, maxlength, autocomplete: 'off' }
  const field = rows ? h('textarea', { ...attributes, rows: 1, onkeydown }) : h('input', attributes)
  field.saved = ''
  return h('form', { class: 'adder', onsubmit }, icon('plus'), field, h('button', { class: 'unseen', tabindex: -1 }, t('add')))
}

export function subtasks(task, writes) {
  const children = [...state.tasks.values()].filter(({ parent_id }) => parent_id === task.id)
  const item = (child) => h('li', { class: child.status === 'done' ? 'is-done' : null },
    tick(child), h('a', { href: href({ task: child.id }) }, child.title),
    child.due_on && h('small', {}, dayName(child.due_on)))
  const done = children.filter(({ status }) => status === 'done').length
  const canAdd = writes && !String(task.id).startsWith('new-')
  return part('subtasks', children.length > 0 && `${number(done)}/${number(children.length)}`,
    h('ul', {}, children.map(item)),
    canAdd && adder(t('addSubtask'), (title) => add({ title, parent_id: task.id, project_id: task.project_id }), { maxlength: 500 }))
}

// Attachments ------------------------------------------------------------------------------------------------------

function size(bytes) {
  const [unit, name] = bytes < 1e6 ? [1e3, 'kB'] : [1e6, 'MB']
  return `${(bytes / unit).toLocaleString(locale(), { maximumFractionDigits: 1 })} ${name}`
}

async function download(file) {
  try {
    const { data } = await api('GET', `tasks/${file.task_id}/attachments/${file.id}`, { as: 'blob' })
    const address = URL.createObjectURL(data)
    h('a', { href: address, download: file.name }).click()
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
  } catch (error) {
    say(error.message || t('offline'))
  }
}

async function removeAttachment(file) {
  await tryIt(() => api('DELETE', `tasks/${file.task_id}/attachments/${file.id}`))
  reloadDetails(file.task_id, 0)
}

/** What is not worth the outbox: it is done now, or not. */
async function tryIt(run) {
  try {
    await run()
  } catch (error) {
    say(error.message || t('offlineNow'))
  }
}

export function attachments(task, details, writes) {
  const item = (file) => h('li', {}, icon('file'),
    h('button', { type: 'button', class: 'link', title: t('download', file), onclick: () => download(file) }, file.name),
    h('small', {}, size(file.size)),
    writes && iconButton('close', t('remove', { what: file.name }), () => removeAttachment(file), 'small-action'))
  const uploading = pendingOf(task.id).filter(({ op }) => op === 'attach')
  const waiting = (entry) => h('li', {}, icon('waiting'), entry.file.name, h('small', {}, t('uploading')))
  const send = (files) => [...files].forEach((file) => attach(task, file))
  const onchange = ({ target }) => {
    send(target.files)
    target.value = ''
  }
  const section = part('attachments', null,
    h('ul', {}, details?.attachments.map(item), uploading.map(waiting)),
    writes && h('label', { class: 'adder' }, icon('plus'), t('addFile'), h('input', { type: 'file', name: 'file', multiple: true, class: 'unseen', onchange })))
  if (writes) takesFiles(section, send)
  return section
}

function takesFiles(section, send) {
  section.addEventListener('dragover', (event) => {
    if (event.dataTransfer.types.includes('Files')) event.preventDefault()
  })
  section.addEventListener('drop', (event) => {
    event.preventDefault()
    send(event.dataTransfer.files)
  })
}

// Comments -----------------------------------------------------------------------------------------------------------

export function comments(task, details, writes) {
  const owner = projectById(task.project_id)?.role === 'owner'
  const item = (one) => h('li', {},
    avatar(personName(one.created_by), isMe(one.created_by)),
    h('article', { class: 'comment' },
      h('header', {}, h('strong', {}, personName(one.created_by)), h('time', { datetime: one.created_at }, ago(one.created_at)),
        writes && (isMe(one.created_by) || owner) && iconButton('close', t('removeComment'), () => removeComment(one), 'small-action')),
      h('p', {}, one.body)))
  const waiting = pendingOf(task.id).filter(({ op }) => op === 'comment')
  const sending = (entry) => h('li', {}, avatar(state.me.name, true),
    h('article', { class: 'comment' }, h('header', {}, h('strong', {}, state.me.name), h('time', {}, t('waitingMark'))), h('p', {}, entry.fields.body)))
  return part('comments', null,
    h('ul', {}, details?.comments.map(item), waiting.map(sending)),
    writes && adder(t('addComment'), (body) => comment(task, body), { maxlength: 10_000, rows: true }))
}

async function removeComment({ id, task_id }) {
  await tryIt(() => api('DELETE', `tasks/${task_id}/comments/${id}`))
  reloadDetails(task_id, 0)
}

// History ------------------------------------------------------------------------------------------------------------

export function history(task, { events }, open) {
  const item = (event) => h('li', {}, h('span', {}, h('b', {}, personName(event.user_id)), ' ', sentence(event)), h('small', {}, ago(event.at)))
  return h('details', { class: 'part', open },
    h('summary', {}, t('history'), ' ', h('small', {}, number(events.length))),
    h('ol', { class: 'history' }, events.map(item)))
}

const KINDS = {
  created: 'created', deleted: 'deletedIt', restored: 'restoredIt', moved: 'movedIt', reminder: 'remindedIt',
  'comment-created': 'commentAdded', 'comment-updated': 'commentChanged', 'comment-deleted': 'commentRemoved',
  'attachment-created': 'fileAdded', 'attachment-deleted': 'fileRemoved',
}

function sentence({ kind, changes }) {
  if (KINDS[kind]) return t(KINDS[kind])
  const shown = Object.entries(changes).filter(([field]) => field !== 'completed_at')
  return shown.map(([field, [a, b]]) => changeText(field, a, b)).join('; ') || kind
}

function changeText(field, a, b) {
  if (field === 'description') return t('edited')
  return t('changedField', { field: fieldName(field), a: readField(field, a), b: readField(field, b) })
}

