// One task: its fields, and below them what belongs to it. A part is made once more only when what it shows has
// changed, and never while somebody types in it.

import { change, due as dueFields, remove, repeatOf, setStatus } from './actions.js'
import { growing } from './browser.js'
import { showConflict } from './conflict.js'
import { addDays, dayName, timeOf, today } from './dates.js'
import { attachments, comments, history, loadDetails, subtasks } from './details.js'
import { $, arrange, h, icon, iconButton, keeper, removableChip, select } from './elements.js'
import { taskLink, tick } from './list.js'
import { REPEATS } from './repeat.js'
import {
  activeProjects, childrenOf, dueDay, go, href, isLate, isMe, mayWrite, membersOf, pendingOf, personName, PRIORITIES,
  projectById, projectName, route, state, STATUSES, taskById,
} from './store.js'
import { fieldName, readField, reminderName, REMINDERS } from './values.js'
import { getLanguage, t } from './words.js'

const kept = keeper()
const bases = new Map() // field that is being typed in → the task as it was when that began
let current = null
let writes = false
let refocus = null // at once: a key that is pressed before would be lost

const save = (fields) => change(current, fields)

export function renderPanel() {
  const panel = $('panel')
  const task = taskById(route().task)
  const before = current
  const gone = before && !task && route().task === String(before.id)
  if (gone && isUnsaved(focusedField())) return
  const same = task && before && (before.id === task.id || state.renamed.get(before.id) === task.id)
  if (!same) focusedField()?.blur() // saves what was typed; an element that is taken away may not say that it changed
  if (gone) go({ task: null })
  current = task
  panel.hidden = !task
  $('app').classList.toggle('with-panel', Boolean(task))
  if (!task) return panel.replaceChildren()
  writes = mayWrite(task.project_id)
  if (!same) {
    kept.clear()
    bases.clear()
  }
  if (before?.id !== task.id) loadDetails(task)
  panel.setAttribute('aria-label', task.title)
  arrange(panel, parts(task).filter(Boolean))
  refocus?.()
  refocus = null
  if (same) return
  panel.scrollTop = 0
  if (matchMedia('(max-width: 719px)').matches) panel.focus() // it covers the list
}

export function closePanel() {
  const { task } = route()
  go({ task: null })
  requestAnimationFrame(() => taskLink(task)?.focus())
}

/** As `keep`; but what somebody types in stays, and the focus stays with what has the same name. */
function part(name, depends, make) {
  const busy = isBusy(name)
  const shows = JSON.stringify([current.id, writes, getLanguage(), depends])
  return kept.keep(name, busy ? 'busy' : shows, (before) => {
    if (busy) return before
    const focused = before?.contains(document.activeElement) ? document.activeElement : null
    const element = make(before)
    element.dataset.part = name
    if (focused) refocus = () => focusAgain(element, focused.name)
    return element
  })
}

const focusedField = () => document.activeElement.closest('#panel *')
const isUnsaved = (field) => Boolean(field) && (/^(date|time)/.test(field.type) || ('saved' in field && field.value !== field.saved))
const isBusy = (name) => focusedField()?.closest('[data-part]')?.dataset.part === name && isUnsaved(focusedField())

function focusAgain(element, name) {
  const next = (name && element.querySelector(`[name="${CSS.escape(name)}"]`)) || element.querySelector('summary, input:not([type=checkbox]), button, select')
  next?.focus({ preventScroll: true })
}

function parts(task) {
  const details = state.details.get(String(task.id))
  const pending = pendingOf(task.id)
  const conflict = pending.find((entry) => entry.state === 'conflict')
  const sending = (op) => pending.filter((entry) => entry.op === op).length
  const people = membersOf(task.project_id)
  return [
    part('head', [projectById(task.project_id), taskById(task.parent_id)?.title], () => head(task)),
    conflict && part('conflict', [conflict.id, conflict.etag], () => showConflict(conflict)),
    part('title', [task.title, task.status], () => h('div.panel-title', tick(task), text('title', 1, 500))),
    part('notes', task.description, () => text('description', 2, 65_536)),
    facts(task, people),
    part('subtasks', childrenOf(task.id), () => subtasks(task, writes)),
    part('attachments', [details?.attachments, sending('attach')], () => attachments(task, details, writes)),
    part('comments', [details?.comments, sending('comment'), people], () => comments(task, details, writes)),
    details && part('history', [details.past, people], (before) => history(details, before?.open)),
  ]
}

function head(task) {
  const parent = taskById(task.parent_id)
  const above = parent ? h('a', { href: href({ task: parent.id }) }, icon('back', 'small'), parent.title) : projectName(projectById(task.project_id))
  return h('div.panel-head', h('span', above),
    writes && iconButton('trash', t('delete'), () => remove(current)), iconButton('close', t('close'), closePanel))
}

/** Text is saved when one leaves it, on what one saw when one began to write. */
function text(field, rows, maxlength) {
  const value = current[field]
  const label = fieldName(field)
  const className = field === 'title' ? 'title' : 'notes'
  if (!writes) return h('p.read', { class: `read ${className}` }, value)
  const oninput = () => bases.has(field) || bases.set(field, current)
  const onchange = ({ target }) => {
    if (!isUnsaved(target)) return // Enter saved it already
    const seen = bases.get(field) ?? current
    const typed = target.value.trim().normalize()
    bases.delete(field)
    if (!typed && field === 'title') target.value = seen.title
    else if (typed !== seen[field]) change(seen, { [field]: typed })
    target.saved = target.value
  }
  const onkeydown = (event) => {
    if (event.key !== 'Enter' || event.isComposing || (field !== 'title' && !event.ctrlKey && !event.metaKey)) return
    event.preventDefault()
    onchange(event)
  }
  const attributes = { class: className, name: field, rows, maxlength, value, 'aria-label': label, placeholder: label }
  const element = h('textarea', { ...attributes, oninput, onchange, onkeydown })
  element.saved = element.value
  return growing(element)
}

// == Fields: they read as text; the control shows itself on hover and focus

function facts(task, members) {
  const list = kept.keep('facts', '', () => h('dl.facts'))
  const fact = (name, depends, make) =>
    part(name, depends, (before) => h('div.fact', h('dt', t(name)), h('dd', make(before))))
  const choice = (name, field, options, toValue = (value) => value) =>
    writes ? select(t(name), options, task[field] ?? '', (value) => save({ [field]: toValue(value) }), { name }) : readField(field, task[field])
  const priorities = PRIORITIES.map((key) => [key, readField('priority', key)])
  const projects = activeProjects().filter(({ id }) => mayWrite(id)).map((one) => [one.id, projectName(one)])
  const repeats = writes || task.repeat
  const reminds = task.reminders.length > 0 || (writes && dueDay(task))

  arrange(list, [
    fact('status', task.status, () => writes
      ? select(t('status'), STATUSES.map((key) => [key, t(key)]), task.status, (status) => setStatus(current, status), { name: 'status' })
      : t(task.status)),
    fact('due', [task.due_on, task.due_at, today(), isLate(task)], (before) => due(task, before?.querySelector('details')?.open)),
    repeats && fact('repeat', [task.repeat, dueDay(task)], () => repeat(task)),
    reminds && fact('reminders', [task.reminders, task.due_on], () => reminders(task)),
    fact('priority', task.priority, () => choice('priority', 'priority', priorities)),
    fact('assignee', [task.assignee_id, members, personName(task.assignee_id)], () => choice('assignee', 'assignee_id', assignees(task, members), (id) => Number(id) || null)),
    fact('labels', [task.labels, state.labels], () => labels(task)),
    fact('project', [task.project_id, projects], () => choice('project', 'project_id', projects, Number)),
  ].filter(Boolean))
  return list
}

function assignees({ assignee_id: id }, members) {
  const ids = new Set(members.map(({ user_id }) => user_id))
  if (ids.size === 0) ids.add(state.me.id)
  if (id) ids.add(id)
  return [['', t('nobody')], ...[...ids].map((one) => [one, isMe(one) ? `${personName(one)} (${t('you')})` : personName(one)])]
}

// The date reads as "Fri 4 Dec, 09:00"; the inputs appear when it is opened.
function due(task, open) {
  const day = dueDay(task) ?? ''
  const time = task.due_at ? timeOf(new Date(task.due_at)) : ''
  const name = readField('due', task)
  if (!writes) return name
  const set = (newDay, newTime) => save(dueFields(newDay, newTime))
  const shortcut = (value, label) => h('button', {
    type: 'button', class: value === day ? 'chip' : 'chip plain', 'aria-pressed': String(value === day),
    onclick: ({ target }) => {
      target.closest('details').open = false
      set(value, time)
    },
  }, label)
  const exact = (label, type, value, run, disabled) =>
    h('label', label, h('input', { type, name: type, value, disabled, onchange: ({ target }) => run(target.value) }))
  const nextWeek = addDays(today(), 7)
  return h('details.due', { open },
    h('summary', { class: isLate(task) ? 'late' : null, 'aria-label': `${t('due')}: ${name}` }, name),
    h('div.due-quick', shortcut(today(), t('today')), shortcut(addDays(today(), 1), t('tomorrow')), shortcut(nextWeek, dayName(nextWeek)), shortcut('', t('none'))),
    h('div.due-exact',
      exact(t('dueDay'), 'date', day, (value) => set(value, timeOfCurrent())),
      exact(t('dueAt'), 'time', time, (value) => set(dueDay(current), value), !day)))
}

const timeOfCurrent = () => (current.due_at ? timeOf(new Date(current.due_at)) : '')

function repeat(task) {
  if (!writes) return readField('repeat', task.repeat)
  const { rule = '', from = 'due' } = task.repeat ?? {}
  const own = rule && !REPEATS[rule] ? [[rule, readField('repeat', task.repeat)]] : []
  const options = [['', t('never')], ...Object.entries(REPEATS).map(([key, name]) => [key, t(name)]), ...own, ['other', t('otherRule')]]
  const set = (value, how = from) => {
    const first = value && how === 'due' && !dueDay(current) ? dueFields(today()) : {}
    save({ repeat: repeatOf(value, how), ...first })
  }
  const written = ({ target }) => set(target.value.trim().toUpperCase().replace(/^RRULE:/, ''))
  const input = h('input.grow', { name: 'rule', hidden: true, placeholder: 'FREQ=MONTHLY;BYDAY=-1FR', 'aria-label': t('otherRule'), maxlength: 500, onchange: written })
  const choose = (value) => (value === 'other' ? reveal(input) : set(value))
  return [
    select(t('repeat'), options, rule, choose, { name: 'repeat' }), input,
    task.repeat && select(t('repeatFrom'), [['due', t('fromDue')], ['done', t('fromDone')]], from, (value) => set(rule, value), { name: 'from' }),
  ]
}

function reveal(input) {
  input.hidden = false
  input.focus()
}

function reminders(task) {
  const all = task.reminders
  if (!writes) return readField('reminders', all)
  const without = (reminder) => all.filter((other) => other !== reminder)
  const onchange = ({ target }) => target.value && save({ reminders: [...all, new Date(target.value).toISOString()] })
  const input = h('input', { type: 'datetime-local', name: 'moment', hidden: true, 'aria-label': t('remindMoment'), onchange })
  const choose = (value) => (value === 'moment' ? reveal(input) : save({ reminders: [...without(value), value] }))
  const options = [['', t('add')], ...Object.entries(REMINDERS).map(([key, name]) => [key, t(name)]), ['moment', t('remindMoment')]]
  return [
    all.map((reminder) => removableChip(reminderName(reminder), () => save({ reminders: without(reminder) }))),
    all.length < 5 && select(t('addReminder'), options, '', choose, { class: 'adds', name: 'reminder' }), input,
  ]
}

function labels(task) {
  if (!writes) return task.labels.map((label) => h('span.chip.plain', `#${label}`))
  const without = (label) => task.labels.filter((other) => other.toLowerCase() !== label.toLowerCase())
  const onchange = ({ target }) => {
    const label = target.value.trim().replace(/^#/, '')
    target.value = target.saved = ''
    if (label) save({ labels: [...without(label), label].sort() })
  }
  const input = h('input.grow', { name: 'label', onchange, list: 'known', maxlength: 50, 'aria-label': t('addLabel'), placeholder: t('add'), autocomplete: 'off' })
  input.saved = ''
  return [
    task.labels.map((label) => removableChip(`#${label}`, () => save({ labels: without(label) }))),
    task.labels.length < 20 && input,
    h('datalist', { id: 'known' }, state.labels.map(({ name }) => h('option', { value: name }))),
  ]
}

$('panel').addEventListener('focusout', () => setTimeout(renderPanel))
