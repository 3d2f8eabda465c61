// The quick add field and the chips that show how it was understood.

import { addAndSay, due, repeatOf } from './actions.js'
import { dayName, today } from './dates.js'
import { $, h, icon, priorityMark, unseen } from './elements.js'
import { firstDay, readTask } from './quick-add.js'
import { ruleName } from './repeat.js'
import {
  activeProjects, inbox, knowsDays, mayWrite, membersOf, people, projectById, projectName, route, state,
} from './store.js'
import { readView } from './views.js'
import { t } from './words.js'

const keptAsText = new Set()

// For each kind: its icon and how its value reads.
const KINDS = {
  day: ['upcoming', dayName],
  time: ['overdue', (time) => time],
  label: ['label', (label) => label],
  project: ['project', projectName],
  assignee: ['mine', (person) => person.shown ?? person.name],
  repeat: ['repeat', ruleName],
  priority: [null, t],
}

/** Where a task goes that names no project: the project one looks at, else the inbox. */
function projectHere() {
  const { kind, value } = readView(route().view)
  return kind === 'project' && mayWrite(value) ? projectById(value) : inbox()
}

function understand() {
  const text = $('new').value
  const context = { today: today(), projects: activeProjects().filter(({ id }) => mayWrite(id)), people: [], repeats: knowsDays() }
  const { project } = valuesOf(readTask(text, context, keptAsText).tokens)
  context.people = assignable(project ?? projectHere())
  return readTask(text, context, keptAsText)
}

/** Who can have a task of this project; "me" and "ich" are always ourselves. */
function assignable(project) {
  const [me] = people()
  const members = project.kind === 'inbox' ? [me] : membersOf(project.id)
  return [...members, { ...me, name: 'me', shown: me.name }, { ...me, name: 'ich', shown: me.name }]
}

const valuesOf = (tokens) => Object.fromEntries(tokens.map(({ kind, value }) => [kind, value]))

export function renderQuickAdd() {
  const leave = (event) => {
    if (event.key !== 'Escape') return
    event.target.blur()
    $('app').classList.remove('adding')
  }
  const input = h('input', {
    type: 'text', id: 'new', maxlength: 500, oninput: renderChips, onkeydown: leave, enterkeyhint: 'done',
    'aria-label': t('addTask'), 'aria-describedby': 'understood', 'aria-keyshortcuts': 'n',
    placeholder: `${t('addTask')}: ${t('addHint')}`,
  })
  const submit = h('button', { class: 'button main-action square', 'aria-label': t('add'), title: t('add') }, icon('enter'))
  $('quick').onsubmit = save
  $('quick').replaceChildren(
    h('div', { class: 'quick-line' }, icon('plus'), input, h('kbd', { class: 'keys-hint' }, 'n'), submit),
    h('div', { class: 'understood', id: 'understood' }),
  )
}

/** Readers of a project add nothing to it. */
export function showQuickAdd() {
  const { kind, value } = readView(route().view)
  const reads = kind === 'project' && !mayWrite(value)
  $('quick').hidden = reads || kind === 'done' || Boolean(state.query)
}

function renderChips() {
  const { title, tokens } = understand()
  $('understood').replaceChildren(...(tokens.length ? [h('span', {}, title), ...tokens.map(chip)] : []))
}

function chip({ kind, value, word }) {
  const [sign, show] = KINDS[kind]
  const label = t('asText', { word })
  const onclick = () => {
    keptAsText.add(word.toLowerCase())
    renderChips()
    $('new').focus()
  }
  return h('button', { type: 'button', class: 'chip', title: label, onclick },
    sign ? icon(sign, 'small') : priorityMark(value), show(value), icon('close', 'close'), unseen(label))
}

// The words of the text come first; what they leave open comes from the list one is looking at.
function save(event) {
  event.preventDefault()
  const { title, tokens } = understand()
  if (!title) return
  const { priority, assignee, project, repeat, time, ...values } = valuesOf(tokens)
  const { kind, value } = readView(route().view)
  const labels = tokens.filter((token) => token.kind === 'label').map((token) => token.value)
  if (kind === 'label') labels.push(value)
  const me = kind === 'mine' ? state.me.id : null
  const day = values.day ?? (repeat ? firstDay(repeat, today()) : time || kind === 'today' ? today() : null)
  const assignee_id = assignee?.user_id ?? me

  $('new').value = ''
  keptAsText.clear()
  renderChips()
  addAndSay({
    title,
    project_id: (project ?? projectHere()).id,
    ...(labels.length && { labels }),
    ...(priority && { priority }),
    ...(assignee_id && { assignee_id }),
    ...(day && due(day, time)),
    ...(repeat && { repeat: repeatOf(repeat) }),
  })
}
