// The quick add field and the chips that show how it was understood.

import { addAndSay, due, repeatOf } from './actions.js'
import { dayName, today } from './dates.js'
import { $, h, icon, priorityMark, unseen } from './elements.js'
import { firstDay, readTask } from './quick-add.js'
import { ruleName } from './repeat.js'
import { activeProjects, inbox, mayWrite, membersOf, projectById, projectName, route, state } from './store.js'
import { readView } from './views.js'
import { t } from './words.js'

const keptAsText = new Set()

// For each kind: its icon and how its value reads.
const KINDS = {
  day: ['upcoming', dayName],
  time: ['overdue', (time) => time],
  label: ['label', (label) => label],
  project: ['project', projectName],
  assignee: ['mine', ({ user_id, name }) => (user_id === state.me.id ? state.me.name : name)],
  repeat: ['repeat', ruleName],
  priority: [null, t],
}

/** Where a task goes that names no project: the project one looks at, else the inbox. */
function projectHere() {
  const { kind, value } = readView(route().view)
  return kind === 'project' && mayWrite(value) ? projectById(value) : inbox()
}

/** Who can have a task of this project; "me" and "ich" are always ourselves. */
const assignable = ({ id }) => [...membersOf(id), ...[state.me.name, 'me', 'ich'].map((name) => ({ user_id: state.me.id, name }))]

function understand() {
  const read = (people) => readTask($('new').value, { today: today(), projects, people }, keptAsText)
  const projects = activeProjects().filter(({ id }) => mayWrite(id))
  return read(assignable(valuesOf(read([])).project ?? projectHere()))
}

const valuesOf = ({ tokens }) => Object.fromEntries(tokens.map(({ kind, value }) => [kind, value]))

export function renderQuickAdd() {
  const onkeydown = ({ key, target }) => {
    if (key !== 'Escape') return
    target.blur()
    $('app').classList.remove('adding')
  }
  const input = h('input', {
    type: 'text', id: 'new', maxlength: 500, oninput: renderChips, onkeydown, enterkeyhint: 'done', autocomplete: 'off',
    'aria-label': t('addTask'), 'aria-describedby': 'understood', 'aria-keyshortcuts': 'n', placeholder: `${t('addTask')}: ${t('addHint')}`,
  })
  const submit = h('button.button.main-action.square', { 'aria-label': t('add'), title: t('add') }, icon('enter'))
  $('quick').onsubmit = save
  $('quick').replaceChildren(
    h('div.quick-line', icon('plus'), input, h('kbd.keys-hint', 'n'), submit), h('div.understood', { id: 'understood' }))
}

/** Whether something can be added where we are: readers of a project add nothing to it. */
export function takesTasks() {
  const { kind, value } = readView(route().view)
  return kind !== 'done' && (kind !== 'project' || mayWrite(value))
}

export function showQuickAdd() {
  $('quick').hidden = Boolean(state.query) || !takesTasks()
}

function renderChips() {
  const { title, tokens } = understand()
  $('understood').replaceChildren(...(tokens.length ? [h('span', title), ...tokens.map(chip)] : []))
}

function chip({ kind, value, word }) {
  const [sign, show] = KINDS[kind]
  const label = t('asText', { word })
  const onclick = () => {
    keptAsText.add(word.toLowerCase())
    renderChips()
    $('new').focus()
  }
  return h('button.chip', { type: 'button', title: label, onclick },
    sign ? icon(sign, 'small') : priorityMark(value), show(value), icon('close', 'close'), unseen(label))
}

// The words of the text come first; what they leave open comes from the list one is looking at.
function save(event) {
  event.preventDefault()
  const understood = understand()
  const { title, tokens } = understood
  if (!title) return
  const { kind, value } = readView(route().view)
  const { priority, assignee, project, repeat, time, day: named } = valuesOf(understood)
  const labels = tokens.filter((token) => token.kind === 'label').map((token) => token.value)
  if (kind === 'label') labels.push(value)
  const implied = repeat ? firstDay(repeat, today()) : (time || kind === 'today') && today()
  const day = named ?? implied
  const assignee_id = assignee?.user_id ?? (kind === 'mine' && state.me.id)

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
