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

const { keep, forget } = keeper()
const TICK_DRAWN = 240

export const taskLinks = () => [...document.querySelectorAll('.task-title')]
export const taskLink = (id) => document.querySelector(`.task[data-id="${id}"] .task-title`)

export function renderList() {
  const focused = document.activeElement.closest('.task')
  const place = focused ? taskLinks().indexOf(focused.querySelector('.task-title')) : -1
  const board = view.lists.length > 1
  $('app').classList.toggle('on-board', board)
  $('list').setAttribute('aria-busy', String(view.lists.some(({ loading }) => loading)))
  forget()
  arrange($('list'), board ? [columns()] : content(view.lists[0]))

  // Whoever worked in the list stays there: on the same task or, if it went, on the one in its place.
  if (place < 0 || document.activeElement !== document.body) return
  const link = taskLink(focused.dataset.id) ?? taskLinks()[place] ?? taskLinks().at(-1)
  link?.focus({ preventScroll: true })
}

function content(list) {
  const tasks = tasksOf(list)
  if (tasks.length) return view.problem?.error.status ? [...groups(list, tasks), loadError(view.problem)] : groups(list, tasks)
  if (view.problem) return [loadError(view.problem)]
  if (list.loading) return view.ghosts ? [ghosts()] : []
  return [emptyList()]
}

// == Groups

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
  const shown = tasks.slice(0, list.shown)
  const byName = [...Map.groupBy(shown, (task) => groupName(task, list))]
  const counts = route().view !== 'upcoming' && list.name !== 'done'
  const complete = shown.length === tasks.length && !list.cursor
  const sections = byName.map(([name, members], index) => group(name, members, counts && (complete || index < byName.length - 1)))
  return complete ? sections : [...sections, more(list)]
}

function group(name, tasks, counted) {
  const id = `group-${name}`
  const section = keep(id, '', () => h('section.group', { 'aria-labelledby': id }, h('h2', { id }), h('ul')))
  section.classList.toggle('late', name === t('overdue'))
  const [heading, items] = section.children
  heading.replaceChildren(name, ...(counted ? [' ', h('small', number(tasks.length))] : []))
  arrange(items, tasks.map(row))
  return section
}

// The next page comes when the end of the list comes into view; the button is for keyboards.
function more(list) {
  return keep(`more-${list.name}`, `${list.shown} ${list.cursor} ${list.loading}`, (before) => {
    before?.observer.disconnect()
    const next = button(t('showMore'), () => showMore(list), 'button quiet more')
    next.observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting) && !list.loading && !view.problem) showMore(list)
    }, { rootMargin: '1500px' })
    next.observer.observe(next)
    return next
  })
}

// == Rows

/** Keeps the element of a task as long as nothing that it shows has changed. */
function keepTask(kind, task, make) {
  const { view: name, mode, task: open } = route()
  const id = String(task.id)
  const person = task.assignee_id && personName(task.assignee_id)
  const context = [
    name, mode, id === open, state.query, today(), isLate(task), getLanguage(), projectById(task.project_id), person,
    mark(task), taskById(task.parent_id)?.title, state.leaving.has(id), state.fresh.has(id),
  ]
  return keep(`${kind}-${id}`, JSON.stringify([task, context]), make)
}

const row = (task) => keepTask('row', task, () =>
  h('li', { class: classes(task), 'data-id': task.id }, tick(task), title(task), meta(task), side(task, dueText(task))))

function classes(task) {
  const id = String(task.id)
  const is = { 'is-done': !isOpen(task), leaving: state.leaving.has(id), new: state.fresh.has(id), opened: route().task === id }
  return ['task', ...Object.keys(is).filter((name) => is[name])].join(' ')
}

export function tick(task) {
  const onchange = ({ target }) => {
    target.closest('.task')?.classList.toggle('is-done', target.checked)
    setTimeout(() => setStatus(task, target.checked ? 'done' : 'todo'), TICK_DRAWN)
  }
  const attributes = { checked: task.status === 'done', disabled: !mayWrite(task.project_id), 'aria-label': t('complete', task) }
  return h('input', { type: 'checkbox', class: `tick ${task.status}`, onchange, ...attributes })
}

const title = (task) =>
  h('a.task-title', { href: href({ task: task.id }), 'aria-current': route().task === String(task.id) ? 'true' : null },
    h('span', highlighted(task.title)))

// Marks the words that were searched for.
function highlighted(text) {
  const simple = plain(text)
  const words = simple.length === text.length ? queryWords() : []
  const found = words.map((word) => [simple.indexOf(word), word.length]).filter(([start]) => start >= 0).sort(([a], [b]) => a - b)
  const parts = []
  let end = 0
  for (const [start, length] of found) {
    if (start < end) continue
    parts.push(text.slice(end, start), h('mark', text.slice(start, start + length)))
    end = start + length
  }
  return [...parts, text.slice(end)]
}

/** Whether something of this task is not with the service yet. */
function mark(task) {
  const states = pendingOf(task.id).map((entry) => entry.state)
  return ['conflict', 'refused'].find((one) => states.includes(one)) ?? (states.length && !state.online ? 'waiting' : null)
}

function meta(task, ...first) {
  const project = projectById(task.project_id)
  const parent = taskById(task.parent_id)
  const elsewhere = !route().view.startsWith('project:') && project?.kind !== 'inbox'
  const parts = [
    ...first,
    mark(task) && h('span.waits', icon('waiting'), t(`${mark(task)}Mark`)),
    elsewhere && h('span', projectName(project)),
    parent && h('span', icon('subtasks'), parent.title),
    ...task.labels.map((label) => h('span', `#${label}`)),
    task.repeat && h('span', icon('repeat'), ruleName(task.repeat.rule)),
    task.reminders.length > 0 && h('span', icon('bell'), unseen(t('reminders'))),
  ].filter(Boolean)
  return parts.length > 0 && h('div.task-meta', parts)
}

const side = ({ priority, assignee_id: who }, due) => h('div.task-side',
  priority !== 'none' && priorityMark(priority), who && !isMe(who) && avatar(personName(who)), due)

// Without the day where the group's name already says it.
function dueText(task) {
  const day = dueDay(task)
  if (!day) return null
  const { view: name, mode } = route()
  const grouped = mode === 'list' && !state.query && isOpen(task) && !isLate(task)
  const said = grouped && (day === today() || (name === 'upcoming' && daysBetween(today(), day) <= 7))
  const text = [!said && dayName(day), task.due_at && clock(new Date(task.due_at))].filter(Boolean).join(', ')
  return text && h('time', { datetime: task.due_at ?? day, class: isLate(task) ? 'late' : null }, text)
}

// == Board

function columns() {
  const element = keep('columns', '', () => h('div.columns'))
  arrange(element, view.lists.map(column))
  return element
}

function column(list) {
  const { name, shown, cursor } = list
  const element = keep(`column-${name}`, '', () => newColumn(name))
  const tasks = tasksOf(list)
  const [heading, items] = element.children
  heading.replaceChildren(t(name), ' ', h('small', number(countOf(list, tasks))))
  const end = tasks.length > shown || cursor ? [keep(`end-${name}`, '', () => h('li'))] : []
  for (const item of end) arrange(item, [more(list)])
  arrange(items, [...tasks.slice(0, shown).map(card), ...end])
  return element
}

function newColumn(status) {
  const id = `column-${status}`
  const element = h('section.column', {
    'aria-labelledby': id,
    ondragover: (event) => {
      event.preventDefault()
      element.classList.add('target')
    },
    ondragleave: ({ relatedTarget }) => element.contains(relatedTarget) || element.classList.remove('target'),
    ondrop: (event) => {
      event.preventDefault()
      element.classList.remove('target')
      move(taskById(event.dataTransfer.getData('text/plain')), status)
    },
  }, h('h2', { id }), h('ul'))
  return element
}

const card = (task) => keepTask('card', task, () => {
  const draggable = mayWrite(task.project_id)
  const link = title(task)
  link.draggable = false
  if (draggable) link.setAttribute('aria-description', t('drag'))
  const ondragstart = ({ dataTransfer, currentTarget }) => {
    dataTransfer.setData('text/plain', task.id)
    currentTarget.classList.add('dragged')
  }
  const ondragend = ({ currentTarget }) => currentTarget.classList.remove('dragged')
  return h('li', { class: classes(task), 'data-id': task.id, draggable, ondragstart, ondragend }, link, meta(task, dueText(task)), side(task))
})

export function move(task, status) {
  if (!task || !mayWrite(task.project_id)) return
  setStatus(task, status)
  setTimeout(() => taskLink(task.id)?.focus(), 30)
}

// == Nothing to show

function emptyList() {
  if (state.query) return h('div.empty', h('strong', t('emptySearch', { q: state.query })), h('p', t('emptySearchText')))
  const name = { today: 'emptyToday', done: 'emptyDone', overdue: 'emptyOverdue' }[route().view] ?? 'emptyList'
  return h('div.empty', icon('fern'), h('strong', t(name)), h('p', t(`${name}Text`)))
}

const ghosts = () => h('div', unseen(t('loading')), Array.from({ length: 7 }, () => h('div.ghost')))

const loadError = ({ error: { status, requestId }, seconds: n }) => h('div.empty', { role: 'alert' },
  h('strong', t('errorTitle')), h('p', t(status ? 'errorText' : 'errorOffline', { status, n })),
  button(t('again'), openView), requestId && h('code', t('request', { id: requestId })))
