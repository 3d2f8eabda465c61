// The start of the page, and the keyboard.

import { loadTask, undoLast } from './actions.js'
import { connection, session } from './api.js'
import { today } from './dates.js'
import { showKeys } from './dialogs.js'
import { askProviders, closeDoor, comeBackFromProvider, openDoor, showReset, showVerify } from './door.js'
import { $ } from './elements.js'
import { renderFigures } from './figures.js'
import { endSearch, openQuickAdd, openSearch, renderBar, renderHead, renderNotice, renderSide, toast } from './frame.js'
import { move, renderList, taskLinks } from './list.js'
import { loadNumbers, openView, view } from './lists.js'
import { closePanel, renderPanel } from './panel.js'
import { renderQuickAdd, showQuickAdd } from './quick.js'
import { enterAgain } from './session.js'
import { changed, events, go, mayWrite, route, state, STATUSES, taskById } from './store.js'
import { askNow } from './sync.js'
import { getLanguage, startLanguage, t } from './words.js'

function render() {
  $('app').hidden = !state.me || view.lists.length === 0
  if ($('app').hidden) return
  if ($('quick').lang !== getLanguage()) {
    $('quick').lang = getLanguage()
    $('skip').textContent = t('skip')
    $('head').replaceChildren()
    renderQuickAdd()
  }
  for (const part of [renderSide, showQuickAdd, renderHead, renderNotice, renderList, renderFigures, renderBar, renderPanel]) part()
}

// == Keyboard

const PLACES = { t: 'today', u: 'upcoming', a: 'all', i: 'inbox' } // after g
const focusedTask = () => taskById(document.activeElement.closest('.task')?.dataset.id ?? route().task)

function step(by) {
  const links = taskLinks()
  const index = links.indexOf(document.activeElement)
  links[index < 0 ? 0 : Math.max(0, Math.min(index + by, links.length - 1))]?.focus()
}

function stepColumn(by) {
  const columns = [...document.querySelectorAll('.column')]
  const here = columns.indexOf(document.activeElement.closest('.column'))
  const ahead = by > 0 ? columns.slice(here + 1) : columns.slice(0, here).reverse()
  ahead.map((column) => column.querySelector('.task-title')).find(Boolean)?.focus()
}

function moveCard(by) {
  const task = focusedTask()
  const status = STATUSES[STATUSES.indexOf(task.status) + by]
  if (status) move(task, status)
}

function complete() {
  const task = focusedTask()
  if (!task || !mayWrite(task.project_id)) return
  const box = document.querySelector(`.task[data-id="${task.id}"] .tick`)
  if (box) box.click()
  else move(task, task.status === 'done' ? 'todo' : 'done')
}

function edit() {
  const task = focusedTask()
  if (!task) return
  go({ task: task.id })
  renderPanel() // at once: what is typed next belongs into it
  $('panel').querySelector('.title')?.focus()
}

function escape() {
  const app = $('app').classList
  if (app.contains('show-lists')) {
    app.remove('show-lists')
    renderBar()
  } else if (route().task) closePanel()
  else endSearch()
}

let afterG = false
const SINGLE_KEYS = {
  n: openQuickAdd, '/': openSearch, '?': showKeys, u: undoLast, x: complete, e: edit,
  j: () => step(1),
  k: () => step(-1),
  b: () => go({ mode: route().mode === 'board' ? 'list' : 'board' }),
  g: () => (afterG = true),
}
const ALWAYS = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Escape: escape }
const ON_CARD = {
  ArrowRight: ({ shiftKey }) => (shiftKey ? moveCard(1) : stepColumn(1)),
  ArrowLeft: ({ shiftKey }) => (shiftKey ? moveCard(-1) : stepColumn(-1)),
}

function actionFor({ key }) {
  if (afterG && PLACES[key]) return () => go({ view: PLACES[key], mode: 'list', task: null })
  if (document.activeElement.closest('.column') && ON_CARD[key]) return ON_CARD[key]
  return ALWAYS[key] ?? (state.singleKeys ? SINGLE_KEYS[key] : undefined)
}

document.addEventListener('keydown', (event) => {
  const elsewhere = $('app').hidden || !$('door').hidden || $('dialog').open
  if (elsewhere || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
  if (event.target.closest('input:not([type=checkbox]), textarea, select')) {
    if (event.key === 'Escape' && event.target.closest('#panel')) closePanel()
    return
  }
  const run = actionFor(event)
  afterG = false
  if (!run) return
  event.preventDefault()
  run(event)
})

// == Where we are

let shown = null

function followAddress() {
  const [, verifies, token] = /^#\/(?:(verify)|reset)\/(.+)/.exec(location.hash) ?? []
  if (token) return (verifies ? showVerify : showReset)(decodeURIComponent(token))
  if (!state.me) return
  const { view: name, mode, task } = route()
  if (shown !== `${name}/${mode}`) {
    const sameView = shown?.startsWith(`${name}/`)
    shown = `${name}/${mode}`
    $('app').classList.remove('show-lists', 'searching')
    if (!$('quick').contains(document.activeElement)) $('app').classList.remove('adding')
    state.query = ''
    if ($('search')) $('search').value = ''
    openView()
    if (!sameView) loadNumbers().catch(() => null)
    scrollTo(0, 0)
  }
  if (task) loadTask(task)
  changed()
}

// A new day: "today" is another one.
let day = today()
setInterval(() => {
  if (today() === day || !state.me) return
  day = today()
  openView()
}, 30_000)

// == Start

function reopenDoor() {
  closeDoor()
  openDoor()
}

const setOnline = (online) => () => {
  if (state.online === online) return
  state.online = online
  changed()
}

events.addEventListener('changed', render)
events.addEventListener('said', ({ detail }) => toast(detail.text, detail.undo))
events.addEventListener('entered', () => {
  closeDoor()
  followAddress()
})
events.addEventListener('left', () => {
  shown = null
  reopenDoor()
})
connection.addEventListener('ended', reopenDoor)
connection.addEventListener('reached', setOnline(true))
connection.addEventListener('unreachable', setOnline(false))
addEventListener('online', askNow)
addEventListener('offline', setOnline(false))
addEventListener('hashchange', followAddress)
$('skip').addEventListener('click', (event) => {
  event.preventDefault()
  $('list').focus()
})

/** With a session of this browser, or where a proxy says who we are. */
const mayEnter = async () => session() || (await askProviders()).proxy

async function start() {
  try {
    const inside = (await comeBackFromProvider()) || ((await mayEnter()) && (await enterAgain()))
    if (!inside) await openDoor()
    followAddress()
  } catch (error) {
    if (error.mayPass) return waitForService(error)
    await openDoor()
    toast(error.message)
  }
}

/** Not even who we are could be asked: once more, in a while. */
function waitForService(error) {
  $('door').hidden = false
  $('door').textContent = t(error.status ? 'serviceBusy' : 'serviceGone')
  setTimeout(start, error.retryAfter * 1000 || 5000)
}

startLanguage()
start()
