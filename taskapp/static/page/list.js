// The list in groups, the board by status, and what stands there when there is nothing to show.

import { setStatus } from './actions.js'
import { clock, dayName, daysBetween, today, toDay } from './dates.js'
import { $, arrange, avatar, button, h, icon, keeper, priorityMark, unseen } from './elements.js'
import { countOf, openView, showMore, tasksOf, view } from './lists.js'
import { ruleName } from './repeat.js'
import {
  dueDay, href, isLate, isMe, isOpen, mayWrite, pendingOf, personName, projectById, projectName, route, state, taskById,
} from './store.js'
import { plain, queryWords } from './views.js'
import { getLanguage, number, t } from './words.js'

export const taskLinks = () => [...document.querySelectorAll('.task-title')]
export const taskLink = (id) => document.querySelector(`.task[data-id="${id}"] .task-title`)

export function renderList() {
  const board = route().mode === 'board' && !state.query && route().view !== 'done'
  const focused = document.activeElement.closest('.task')
  const place = taskLinks().indexOf(focused?.querySelector('.task-title'))

  $('app').classList.toggle('on-board', board)
  $('list').setAttribute('aria-busy', String(view.lists.some((list) => list.loading)))
  arrange($('list'), content(board))

  // Whoever worked in the list stays there: on the same task or, if it went, on the one in its place.
  if (place < 0 || document.activeElement !== document.body) return
  const link = taskLink(focused.dataset.id) ?? taskLinks()[place] ?? taskLinks().at(-1)
  link?.focus({ preventScroll: true })
}

function content(board) {
  if (board) return [columns()]
  const [list] = view.lists
  const tasks = tasksOf(list)
  if (tasks.length) return groups(list, tasks)
  if (view.problem) return [loadError()]
  if (list.loading) return view.ghosts ? [loading()] : []
  return [emptyList()]
}

// Parts that stay the same element ---------------------------------------------------------------------------------

const rows = keeper()
const keep = rows.keep

// Groups ---------------------------------------------------------------------------------------------------------

// Overdue, today, next 7 days, later, no date; what is upcoming comes day by day, what is done by its last change.
function groupName(task, { name }) {
  if (name === 'found') return t(task.status)
  if (name === 'done') return dayName(toDay(new Date(task.completed_at ?? task.updated_at)))
  const day = dueDay(task)
  if (!day) return t('none')
  if (isLate(task) || day < today()) return t('overdue')
  if (day === today()) return t('today')
  if (daysBetween(today(), day) > 7) return t('later')
  return route().view === 'upcoming' ? dayName(day) : t('week')
}

function groups(list, tasks) {
  rows.forget()
  const shown = tasks.slice(0, list.shown)
  const byName = Map.groupBy(shown, (task) => groupName(task, list))
  const counted = route().view !== 'upcoming' && list.name !== 'done'
  const complete = shown.length === tasks.length && !list.cursor
  const names = [...byName.keys()]
  const sections = names.map((name, index) => {
    const whole = complete || index < names.length - 1
    return group(name, byName.get(name), counted && whole)
  })
  return complete ? sections : [...sections, more(list)]
}

function group(name, tasks, counted) {
  const id = `group-${name}`
  const section = keep(id, name, () => h('section', { 'aria-labelledby': id }, h('h2', { id }), h('ul')))
  section.className = name === t('overdue') ? 'group late' : 'group'
  const [heading, items] = section.children
  heading.replaceChildren(name, counted ? ' ' : '', counted ? h('small', {}, number(tasks.length)) : '')
  arrange(items, tasks.map((task) => row(task)))
  return section
}

// The next page comes when the end of the list comes into view; the button is for keyboards.
function more(list) {
  return keep(`more-${list.name}`, `${list.shown} ${list.cursor} ${list.loading}`, (before) => {
    before?.observer?.disconnect()
    const next = button(t('showMore'), () => showMore(list), 'button quiet more')
    next.observer = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting || list.loading || view.problem) return
      next.observer.disconnect()
      showMore(list)
    }, { rootMargin: '600px' })
    next.observer.observe(next)
    return next
  })
}

// Rows -----------------------------------------------------------------------------------------------------------

/** What a row depends on besides the task itself. */
function context(task) {
  const { view: name, mode, task: open } = route()
  const project = projectById(task.project_id)
  return [
    name, mode, String(task.id) === open, state.query, today(), isLate(task), getLanguage(), project?.name, project?.role,
    project?.archived_at, task.assignee_id && personName(task.assignee_id), mark(task), taskById(task.parent_id)?.title,
    state.leaving.has(String(task.id)), state.fresh.has(String(task.id)),
  ]
}

function row(task) {
  return keep(`row-${task.id}`, JSON.stringify([task, context(task)]), () =>
    h('li', { class: classes(task), 'data-id': task.id }, tick(task), title(task), meta(task), side(task, dueText(task))))
}

function classes(task) {
  const key = String(task.id)
  const names = ['task']
  if (task.status === 'done' || task.status === 'cancelled') names.push('is-done')
  if (state.leaving.has(key)) names.push('leaving')
  if (state.fresh.has(key)) names.push('new')
  if (route().task === key) names.push('opened')
  return names.join(' ')
}

export function tick(task) {
  const onchange = ({ target }) => {
    target.closest('.task')?.classList.toggle('is-done', target.checked)
    setTimeout(() => setStatus(task, target.checked ? 'done' : 'todo'), 240) // the mark is drawn first
  }
  return h('input', {
    type: 'checkbox', class: `tick ${task.status}`, checked: task.status === 'done', onchange,
    disabled: !mayWrite(task.project_id), 'aria-label': t('complete', task),
  })
}

function title(task) {
  const here = route().task === String(task.id) ? 'true' : null
  return h('a', { class: 'task-title', href: href({ task: task.id }), 'aria-current': here },
    h('span', {}, highlighted(task.title)))
}

// Marks the words that were searched for.
function highlighted(text) {
  const simple = plain(text)
  if (simple.length !== text.length) return [text]
  const found = queryWords()
    .map((word) => ({ start: simple.indexOf(word), length: word.length }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.start - b.start)
  const parts = []
  let end = 0
  for (const { start, length } of found) {
    if (start < end) continue
    parts.push(text.slice(end, start), h('mark', {}, text.slice(start, start + length)))
    end = start + length
  }
  return [...parts, text.slice(end)]
}

/** Whether something of this task is not with the service yet. */
function mark(task) {
  const states = pendingOf(task.id).map((entry) => entry.state)
  if (states.includes('conflict')) return 'conflict'
  if (states.includes('refused')) return 'refused'
  return states.length && !state.online ? 'waiting' : null
}

function meta(task, ...first) {
  const waits = mark(task)
  const project = projectById(task.project_id)
  const parent = taskById(task.parent_id)
  const parts = [
    ...first,
    waits && h('span', { class: 'waits' }, icon('waiting'), t(`${waits}Mark`)),
    !route().view.startsWith('project:') && project?.kind !== 'inbox' && h('span', {}, projectName(project)),
    parent && h('span', {}, icon('subtasks'), parent.title),
    task.labels.map((label) => h('span', {}, `#${label}`)),
    task.repeat && h('span', {}, icon('repeat'), ruleName(task.repeat.rule)),
    task.reminders?.length > 0 && h('span', {}, icon('bell'), unseen(t('reminders'))),
  ].flat().filter(Boolean)
  return parts.length > 0 && h('div', { class: 'task-meta' }, parts)
}

function side(task, due) {
  return h('div', { class: 'task-side' },
    task.priority !== 'none' && priorityMark(task.priority),
    task.assignee_id && !isMe(task.assignee_id) && avatar(personName(task.assignee_id)),
    due)
}

// Without the day where the group's name already says it.
function dueText(task) {
  const day = dueDay(task)
  if (!day) return null
  const { view: name, mode } = route()
  const inGroupName = mode === 'list' && !state.query && isOpen(task) && !isLate(task) &&
    (day === today() || (name === 'upcoming' && daysBetween(today(), day) <= 7))
  const time = task.due_at ? clock(new Date(task.due_at)) : ''
  const text = [inGroupName ? '' : dayName(day), time].filter(Boolean).join(', ')
  return text && h('time', { datetime: task.due_at ?? day, class: isLate(task) ? 'late' : null }, text)
}

// Board ----------------------------------------------------------------------------------------------------------

function columns() {
  const element = keep('columns', '', () => h('div', { class: 'columns' }))
  arrange(element, view.lists.map(column))
  return element
}

function column(list) {
  const status = list.name
  const id = `column-${status}`
  const element = keep(id, status, () => newColumn(id, status))
  const tasks = tasksOf(list)
  const [heading, items] = element.children
  heading.replaceChildren(t(status), ' ', h('small', {}, number(countOf(list, tasks))))
  const complete = tasks.length <= list.shown && !list.cursor
  arrange(items, [...tasks.slice(0, list.shown).map(card), ...(complete ? [] : [keep(`end-${status}`, '', () => h('li', { class: 'end' }))])])
  if (!complete) arrange(items.lastChild, [more(list)])
  return element
}

function newColumn(id, status) {
  const element = h('section', { class: 'column', 'aria-labelledby': id }, h('h2', { id }), h('ul'))
  element.addEventListener('dragover', (event) => {
    event.preventDefault()
    element.classList.add('target')
  })
  element.addEventListener('dragleave', (event) => {
    if (!element.contains(event.relatedTarget)) element.classList.remove('target')
  })
  element.addEventListener('drop', (event) => {
    event.preventDefault()
    element.classList.remove('target')
    move(taskById(event.dataTransfer.getData('text/plain')), status)
  })
  return element
}

function card(task) {
  return keep(`card-${task.id}`, JSON.stringify([task, context(task)]), () => {
    const link = title(task)
    link.draggable = false
    const draggable = mayWrite(task.project_id)
    if (draggable) link.setAttribute('aria-description', t('drag'))
    const element = h('li', { class: classes(task), 'data-id': task.id, draggable }, link, meta(task, dueText(task)), side(task))
    element.addEventListener('dragstart', (event) => {
      event.dataTransfer.setData('text/plain', task.id)
      element.classList.add('dragged')
    })
    element.addEventListener('dragend', () => element.classList.remove('dragged'))
    return element
  })
}

export function move(task, status) {
  if (!task || task.status === status || !mayWrite(task.project_id)) return
  setStatus(task, status)
  state.fresh.add(String(task.id))
  setTimeout(() => taskLink(task.id)?.focus(), 30)
}

// Nothing to show --------------------------------------------------------------------------------------------------

function emptyList() {
  if (state.query) {
    return h('div', { class: 'empty' },
      h('strong', {}, t('emptySearch', { q: state.query })), h('p', {}, t('emptySearchText')))
  }
  const name = { today: 'emptyToday', done: 'emptyDone', overdue: 'emptyOverdue' }[route().view] ?? 'emptyList'
  return h('div', { class: 'empty' }, icon('fern'), h('strong', {}, t(name)), h('p', {}, t(`${name}Text`)))
}

const loading = () => h('div', {}, unseen(t('loading')), Array.from({ length: 7 }, () => h('div', { class: 'ghost' })))

function loadError() {
  const { error, seconds } = view.problem
  const why = error.status ? t('errorText', { status: error.status, n: seconds }) : t('errorOffline', { n: seconds })
  return h('div', { class: 'empty', role: 'alert' },
    h('strong', {}, t('errorTitle')), h('p', {}, why),
    button(t('again'), openView), error.requestId && h('code', {}, t('request', { id: error.requestId })))
}

