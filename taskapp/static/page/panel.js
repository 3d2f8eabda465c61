// One task: its fields, and below them what belongs to it. A part is made once more only when what it shows has
// changed, and never while somebody types in it.

import { change, due as dueFields, remove, repeatOf, setStatus } from './actions.js'
import { grows } from './browser.js'
import { showConflict } from './conflict.js'
import { addDays, dayName, timeOf, today } from './dates.js'
import { attachments, comments, history, loadDetails, subtasks } from './details.js'
import { $, arrange, h, icon, iconButton, keeper, removableChip, select } from './elements.js'
import { taskLink, tick } from './list.js'
import { REPEATS } from './repeat.js'
import {
  activeProjects, dueDay, go, href, isLate, isMe, knowsDays, mayWrite, membersOf, pendingOf, personName, PRIORITIES,
  projectById, projectName, route, state, STATUSES, taskById,
} from './store.js'
import { readField, reminderName, REMINDERS } from './values.js'
import { getLanguage, t } from './words.js'

const { keep, clear } = keeper()
const bases = new Map() // field that is being typed in → the task as it was when that began
let current = null

export function renderPanel() {
  const panel = $('panel')
  const task = taskById(route().task)
  const opening = task && String(current?.id) !== String(task.id)
  $('app').classList.toggle('with-panel', Boolean(task))
  panel.hidden = !task
  if (!task) return closeWith(panel)
  if (opening) open(task)

  current = task
  panel.setAttribute('aria-label', task.title)
  arrange(panel, parts(task).filter(Boolean))
  if (!opening) return
  panel.scrollTop = 0
  if (matchMedia('(max-width: 719px)').matches) panel.focus() // it covers the list
}

function closeWith(panel) {
  current = null
  clear()
  panel.replaceChildren()
}

function open(task) {
  const renamed = current && state.renamed.get(String(current.id)) === task.id
  if (!renamed) {
    clear()
    bases.clear()
  }
  loadDetails(task)
}

export function closePanel() {
  const { task } = route()
  go({ task: null })
  requestAnimationFrame(() => taskLink(task)?.focus())
}

function parts(task) {
  const writes = mayWrite(task.project_id)
  const conflict = pendingOf(task.id).find((entry) => entry.state === 'conflict')
  const common = [task.id, writes, getLanguage()]
  const people = membersOf(task.project_id)
  const part = (key, depends, make) => keepPart(key, JSON.stringify([common, depends]), make)
  const details = state.details.get(String(task.id)) ?? null
  return [
    part('head', [projectName(projectById(task.project_id)), taskById(task.parent_id)?.title], () => head(task, writes)),
    conflict && part('conflict', [conflict.id, conflict.etag], () => showConflict(conflict)),
    part('title', [task.title, task.status], () => h('div', { class: 'panel-title' }, tick(task), text('title', 'title', 1, 500, writes))),
    part('notes', task.description, () => text('description', 'notes', 2, 65536, writes)),
    facts(task, part, people),
    part('subtasks', [...state.tasks.values()].filter(({ parent_id }) => parent_id === task.id), () => subtasks(task, writes)),
    part('attachments', [details?.attachments, pendingOf(task.id).filter(({ op }) => op === 'attach').length], () => attachments(task, details, writes)),
    part('comments', [details?.comments, pendingOf(task.id).filter(({ op }) => op === 'comment').length, people], () => comments(task, details, writes)),
    details?.events && part('history', [details.events, people], (before) => history(task, details, before?.open)),
  ]
}

/** As `keep`; but what somebody types in stays, and the focus stays with what has the same name. */
function keepPart(key, shows, make) {
  return keep(key, isBusy(key) ? 'busy' : shows, (before) => {
    if (isBusy(key)) return before
    const focused = before?.contains(document.activeElement) ? document.activeElement : null
    const element = make(before)
    element.dataset.part = key
    if (focused) requestAnimationFrame(() => focusAgain(element, focused))
    return element
  })
}

function isBusy(key) {
  const field = document.activeElement
  if (field.closest?.('[data-part]')?.dataset.part !== key) return false
  if (field.matches('input[type=date], input[type=time]')) return true
  return field.matches('textarea, input') && 'saved' in field && field.value !== field.saved
}

function focusAgain(element, { name }) {
  const same = name && element.querySelector(`[name="${name}"]`)
  const next = same || (element.matches('button, textarea, [tabindex]') ? element : element.querySelector('input:not([type=checkbox]), summary, button, select'))
  next?.focus({ preventScroll: true })
}

function head(task, writes) {
  const parent = taskById(task.parent_id)
  const above = parent ? h('a', { href: href({ task: parent.id }) }, icon('back', 'small'), parent.title) : projectName(projectById(task.project_id))
  return h('div', { class: 'panel-head' }, h('span', {}, above),
    writes && iconButton('trash', t('delete'), () => remove(taskById(task.id) ?? task)),
    iconButton('close', t('close'), closePanel))
}

// Fields: they read as text; the control shows itself on hover and focus. -----------------------------------------

const save = (fields) => change(current, fields)

/** Text is saved when one leaves it, on what one saw when one began to write. */
function text(field, name, rows, maxlength, writes) {
  const value = current[field]
  if (!writes) return h('p', { class: `${name} read` }, value)
  const oninput = () => {
    if (!bases.has(field)) bases.set(field, current)
  }
  const onchange = ({ target }) => {
    const typed = target.value.trim().normalize()
    const seen = bases.get(field) ?? current
    bases.delete(field)
    if (!typed && field === 'title') target.value = seen.title
    target.saved = target.value
    if ((typed || field !== 'title') && typed !== seen[field]) change(seen, { [field]: typed })
  }
  const onkeydown = (event) => {
    const done = event.key === 'Enter' && !event.isComposing && (field === 'title' || event.ctrlKey || event.metaKey)
    if (!done) return
    event.preventDefault()
    onchange(event)
  }
  const element = h('textarea', { class: name, name: field, rows, maxlength, value, oninput, onchange, onkeydown, 'aria-label': t(name), placeholder: t(name) })
  element.saved = element.value
  return grows(element)
}

function facts(task, part, members) {
  const list = keep('facts', '', () => h('dl', { class: 'facts' }))
  const writes = mayWrite(task.project_id)
  const fact = (name, depends, make) => part(name, depends, () => h('div', { class: 'fact' }, h('dt', {}, t(name)), h('dd', {}, make())))
  const chosen = (name, options, value, onchange) => (writes ? select(t(name), options, value, onchange, { name }) : readField(name, task[name]))
  const days = knowsDays()

  arrange(list, [
    fact('status', task.status, () => chosen('status', STATUSES.map((key) => [key, t(key)]), task.status, (status) => setStatus(current, status))),
    part('due', [task.due_on, task.due_at, today(), isLate(task)], (before) => h('div', { class: 'fact' }, h('dt', {}, t('due')), h('dd', {}, due(task, writes, before)))),
    days && fact('repeat', [task.repeat, dueDay(task)], () => repeat(task, writes)),
    days && (dueDay(task) || task.reminders?.length > 0) && fact('reminders', [task.reminders, task.due_on], () => reminders(task, writes)),
    fact('priority', task.priority, () => chosen('priority', PRIORITIES.map((key) => [key, t(key === 'none' ? 'prioritynone' : key)]), task.priority, (priority) => save({ priority }))),
    fact('assignee', [task.assignee_id, members, personName(task.assignee_id)], () => assignee(task, writes, members)),
    fact('labels', [task.labels, state.labels], () => labels(task, writes)),
    fact('project', [task.project_id, activeProjects().map(({ id, name }) => [id, name])], () => project(task, writes)),
  ].filter(Boolean))
  return list
}

function assignee(task, writes, members) {
  if (!writes) return personName(task.assignee_id)
  const known = members.length ? members : [{ user_id: state.me.id, name: state.me.name }]
  const others = task.assignee_id && !known.some(({ user_id }) => user_id === task.assignee_id)
  const options = [
    ['', t('nobody')],
    ...known.map(({ user_id, name }) => [user_id, isMe(user_id) ? `${name} (${t('you')})` : name]),
    ...(others ? [[task.assignee_id, personName(task.assignee_id)]] : []),
  ]
  return select(t('assignee'), options, task.assignee_id ?? '', (id) => save({ assignee_id: Number(id) || null }), { name: 'assignee' })
}

function project(task, writes) {
  const here = projectById(task.project_id)
  if (!writes) return projectName(here)
  const targets = activeProjects().filter(({ id }) => mayWrite(id))
  return select(t('project'), targets.map((one) => [one.id, projectName(one)]), task.project_id, (id) => save({ project_id: Number(id) }), { name: 'project' })
}

// The date reads as "Fri 4 Dec, 09:00"; the inputs appear when it is opened.
function due(task, writes, before) {
  const day = dueDay(task)
  const time = task.due_at ? timeOf(new Date(task.due_at)) : ''
  const name = readField('due', task)
  if (!writes) return h('span', { class: isLate(task) ? 'late' : null }, name)
  const set = (newDay, newTime) => save(dueFields(newDay || null, newTime))
  const shortcut = (value, label) => {
    const chosen = value === (day ?? '')
    const onclick = (event) => {
      event.target.closest('details').open = false
      set(value, time)
    }
    return h('button', { type: 'button', class: chosen ? 'chip' : 'chip plain', 'aria-pressed': String(chosen), onclick }, label)
  }
  const nextWeek = addDays(today(), 7)
  const open = before?.querySelector('details')?.open
  return h('details', { class: 'due', open },
    h('summary', { class: isLate(task) ? 'late' : null, 'aria-label': `${t('due')}: ${name}` }, name),
    h('div', { class: 'due-quick' },
      shortcut(today(), t('today')), shortcut(addDays(today(), 1), t('tomorrow')),
      shortcut(nextWeek, dayName(nextWeek)), shortcut('', t('none'))),
    h('div', { class: 'due-exact' },
      h('label', {}, t('dueDay'), h('input', { type: 'date', name: 'due-day', value: day ?? '', onchange: ({ target }) => set(target.value, time) })),
      h('label', {}, t('dueAt'), h('input', { type: 'time', name: 'due-time', value: time, disabled: !day, onchange: ({ target }) => set(dueDay(current), target.value) }))))
}

function repeat(task, writes) {
  const { rule = '', from = 'due' } = task.repeat ?? {}
  if (!writes) return readField('repeat', task.repeat)
  const known = Object.entries(REPEATS).map(([key, name]) => [key, t(name)])
  const own = rule && !REPEATS[rule] ? [[rule, readField('repeat', task.repeat)]] : []
  const options = [['', t('never')], ...known, ...own, ['other', t('otherRule')]]
  const set = (value, how = from) => {
    const first = value && how === 'due' && !dueDay(current) ? dueFields(today()) : {}
    save({ repeat: repeatOf(value, how), ...first })
  }
  const field = h('input', {
    name: 'rule', class: 'grow', hidden: true, placeholder: 'FREQ=MONTHLY;BYDAY=-1FR', 'aria-label': t('otherRule'),
    maxlength: 500, onchange: ({ target }) => set(target.value.trim().toUpperCase().replace(/^RRULE:/, '')),
  })
  const choose = (value) => {
    if (value !== 'other') return set(value)
    field.hidden = false
    field.value = rule
    field.focus()
  }
  return [
    select(t('repeat'), options, rule, choose, { name: 'repeat' }),
    field,
    task.repeat && select(t('repeatFrom'), [['due', t('fromDue')], ['done', t('fromDone')]], from, (value) => set(rule, value), { name: 'from' }),
  ]
}

function reminders(task, writes) {
  const all = task.reminders ?? []
  if (!writes) return readField('reminders', all)
  const without = (reminder) => all.filter((other) => other !== reminder)
  const moments = h('input', {
    type: 'datetime-local', name: 'reminder-moment', hidden: true, 'aria-label': t('remindMoment'),
    onchange: ({ target }) => target.value && save({ reminders: [...all, new Date(target.value).toISOString()] }),
  })
  const choose = (value) => {
    if (value !== 'moment') return save({ reminders: [...without(value), value] })
    moments.hidden = false
    moments.focus()
  }
  const options = [['', t('add')], ...Object.entries(REMINDERS).map(([key, name]) => [key, t(name)]), ['moment', t('remindMoment')]]
  return [
    all.map((reminder) => removableChip(reminderName(reminder), () => save({ reminders: without(reminder) }))),
    all.length < 5 && select(t('addReminder'), options, '', choose, { class: 'adds', name: 'reminder' }),
    moments,
  ]
}

function labels(task, writes) {
  if (!writes) return task.labels.map((label) => h('span', { class: 'chip plain' }, `#${label}`))
  const without = (label) => task.labels.filter((other) => other.toLowerCase() !== label.toLowerCase())
  const onchange = ({ target }) => {
    const label = target.value.trim().replace(/^#/, '')
    target.value = target.saved = ''
    if (label) save({ labels: [...without(label), label].sort() })
  }
  const input = h('input', { class: 'grow', name: 'label', onchange, list: 'known-labels', maxlength: 50, 'aria-label': t('addLabel'), placeholder: t('add'), autocomplete: 'off' })
  input.saved = ''
  return [
    task.labels.map((label) => removableChip(`#${label}`, () => save({ labels: without(label) }))),
    task.labels.length < 20 && input,
    h('datalist', { id: 'known-labels' }, state.labels.slice(0, 100).map(({ name }) => h('option', { value: name }))),
  ]
}

$('panel').addEventListener('focusout', () => setTimeout(renderPanel, 0))

