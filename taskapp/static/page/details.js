// What belongs to a task: subtasks, attachments, comments, history. It is loaded when the task is opened.

import { add, attach, comment } from './actions.js'
import { api, getAll } from './api.js'
import { ago, dayName } from './dates.js'
import { reason } from './dialogs.js'
import { avatar, h, icon, iconButton } from './elements.js'
import { tick } from './list.js'
import {
  changed, childrenOf, events, href, isMe, isNew, pendingOf, personName, projectById, route, say, state, takeTasks, taskById,
} from './store.js'
import { fieldName, readField } from './values.js'
import { locale, number, t } from './words.js'

const EVENTS_SHOWN = 200

// == Loading

export async function loadDetails({ id }) {
  if (isNew(id)) return
  try {
    const lists = ['attachments', 'comments', 'history'].map((name) => getAll(`tasks/${id}/${name}`))
    const [children, attachments, comments, past] = await Promise.all([getAll('tasks', { parent: id }), ...lists])
    takeTasks(children)
    state.details.set(String(id), { attachments, comments, past: past.slice(-EVENTS_SHOWN).reverse() })
    changed()
  } catch (error) {
    if (!error.mayPass && error.status !== 404) say(error.message)
  }
}

let timer = null
let rounds = 0

/** Loads them once more, when the open task or what belongs to it has changed. */
function reload(id, delay = 400) {
  if (String(id) !== route().task) return
  clearTimeout(timer)
  timer = setTimeout(() => taskById(id) && loadDetails({ id }), delay)
}

events.addEventListener('detail', ({ detail }) => reload(detail))
// A comment of somebody else leaves the task as it is, so that /changes does not show it.
events.addEventListener('polled', () => {
  rounds += 1
  if (rounds % 3 === 0 && route().task) reload(route().task)
})

/** What is not worth the outbox: it is done now, or not. */
async function removeNow(task, path) {
  await api('DELETE', `tasks/${task}/${path}`).catch((error) => say(reason(error)))
  reload(task, 0)
}

// == Parts

const part = (name, count, ...children) =>
  h('section.part', { 'aria-label': t(name) }, h('h3', t(name), count && h('small', count)), children)

const drafts = new Map() // what was begun and not sent
events.addEventListener('left', () => drafts.clear())

/** A line, or a text of several, which Enter sends and Shift and Enter continues. */
function adder(task, label, add, maxlength, tag = 'input') {
  const firstId = [...state.renamed].find(([, id]) => id === task.id)?.[0] ?? task.id
  const draft = `${firstId} ${label}`
  const onsubmit = (event) => {
    event.preventDefault()
    const value = field.value.trim()
    field.value = field.saved = ''
    drafts.delete(draft)
    if (value) add(value)
  }
  const onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    event.target.form.requestSubmit()
  }
  const oninput = () => drafts.set(draft, field.value)
  const value = drafts.get(draft) ?? ''
  const field = h(tag, { name: label, value, 'aria-label': label, placeholder: label, maxlength, oninput, onkeydown, rows: 1, autocomplete: 'off' })
  field.saved = ''
  return h('form.adder', { onsubmit }, icon('plus'), field)
}

export function subtasks(task, writes) {
  const children = childrenOf(task.id)
  const done = children.filter(({ status }) => status === 'done').length
  const item = (child) => h('li', { class: child.status === 'done' ? 'is-done' : null },
    tick(child), h('a', { href: href({ task: child.id }) }, child.title), child.due_on && h('small', dayName(child.due_on)))
  return part('subtasks', children.length > 0 && `${number(done)}/${number(children.length)}`,
    h('ul', children.map(item)),
    writes && !isNew(task.id) && adder(task, t('addSubtask'), (title) => add({ title, parent_id: task.id, project_id: task.project_id }), 500))
}

function size(bytes) {
  const [unit, name] = bytes < 1e6 ? [1e3, 'kB'] : [1e6, 'MB']
  return `${(bytes / unit).toLocaleString(locale(), { maximumFractionDigits: 1 })} ${name}`
}

async function download({ id, task_id, name }) {
  try {
    const { data } = await api('GET', `tasks/${task_id}/attachments/${id}`, { as: 'blob' })
    const address = URL.createObjectURL(data)
    h('a', { href: address, download: name }).click()
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
  } catch (error) {
    say(reason(error))
  }
}

export function attachments(task, details, writes) {
  const send = (files) => [...files].forEach((file) => attach(task, file))
  const onchange = ({ target }) => {
    send(target.files)
    target.value = ''
  }
  const item = (file) => h('li', icon('file'),
    h('button.link', { type: 'button', title: t('download', file), onclick: () => download(file) }, file.name), h('small', size(file.size)),
    writes && iconButton('close', t('remove', { what: file.name }), () => removeNow(task.id, `attachments/${file.id}`), 'small-action'))
  const sending = pendingOf(task.id).filter(({ op }) => op === 'attach')
  const section = part('attachments', null,
    h('ul', details?.attachments.map(item), sending.map(({ file }) => h('li', icon('waiting'), file.name, h('small', t('uploading'))))),
    writes && h('label.adder', icon('plus'), t('addFile'), h('input.unseen', { type: 'file', name: 'file', multiple: true, onchange })))
  section.addEventListener('dragover', (event) => event.preventDefault())
  section.addEventListener('drop', (event) => {
    event.preventDefault()
    if (writes) send(event.dataTransfer.files)
  })
  return section
}

export function comments(task, details, writes) {
  const owner = projectById(task.project_id)?.role === 'owner'
  const item = ({ id, created_by: who, created_at: at, body }) => h('li', avatar(personName(who), isMe(who)),
    h('article.comment',
      h('header', h('strong', personName(who)), h('time', { datetime: at }, at ? ago(at) : t('waitingMark')),
        id && writes && (isMe(who) || owner) && iconButton('close', t('removeComment'), () => removeNow(task.id, `comments/${id}`), 'small-action')),
      h('p', body)))
  const sending = pendingOf(task.id).filter(({ op }) => op === 'comment').map(({ fields }) => ({ ...fields, created_by: state.me.id }))
  return part('comments', null,
    h('ul', [...(details?.comments ?? []), ...sending].map(item)),
    writes && adder(task, t('addComment'), (body) => comment(task, body), 10_000, 'textarea'))
}

// == History

const KINDS = {
  created: 'created', deleted: 'deletedIt', restored: 'restoredIt', moved: 'movedIt', reminder: 'remindedIt',
  'comment-created': 'commentAdded', 'comment-updated': 'commentChanged', 'comment-deleted': 'commentRemoved',
  'attachment-created': 'fileAdded', 'attachment-deleted': 'fileRemoved',
}

export function history({ past }, open) {
  const item = ({ user_id, at, kind, changes }) => h('li',
    h('span', h('b', personName(user_id)), ' ', KINDS[kind] ? t(KINDS[kind]) : sentence(changes)), h('small', ago(at)))
  return h('details.part', { open }, h('summary', t('history'), ' ', h('small', number(past.length))), h('ol.history', past.map(item)))
}

const sentence = (changes) => Object.entries(changes)
  .filter(([field]) => field !== 'completed_at')
  .map(([field, [a, b]]) => (field === 'description' ? t('edited') : `${fieldName(field)}: ${readField(field, a)} → ${readField(field, b)}`))
  .join('; ')
