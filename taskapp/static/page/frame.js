// Around the list: sidebar, head with search, bottom bar, the notice of what waits, the toast.

import { showAccount } from './account.js'
import { longDay, today } from './dates.js'
import { showKeys } from './dialogs.js'
import { $, avatar, button, h, icon, iconButton, unseen } from './elements.js'
import { countOf, openView, tasksOf, view } from './lists.js'
import { drop, flush, retry, saveAsNew } from './outbox.js'
import { showInvitations, showNewProject, showProject } from './share.js'
import { signOut } from './session.js'
import {
  activeProjects, changed, events, go, href, isOpen, membersOf, projectById, route, state,
} from './store.js'
import { showUsers } from './users.js'
import { nameOf, readView } from './views.js'
import { getLanguage, number, t } from './words.js'

const MOST_LABELS = 12

// Sidebar --------------------------------------------------------------------------------------------------------

let sideShows = null

export function renderSide() {
  const { view: name, mode } = route()
  const shows = JSON.stringify([
    name, mode, state.query, state.projects, state.labels, [...state.counts], state.invitations, state.me, getLanguage(),
    [...state.members].map(([id, members]) => [id, members.length]),
  ])
  if (shows === sideShows) return
  sideShows = shows
  const focused = document.activeElement.closest('#side a')?.getAttribute('href')
  fillSide()
  if (focused) $('side').querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus()
}

function fillSide() {
  const account = accountMenu($('account')?.open)
  const shared = activeProjects().filter(({ kind }) => kind !== 'inbox')
  const archived = state.projects.filter((project) => project.archived_at)

  $('side').setAttribute('aria-label', t('lists'))
  $('side').replaceChildren(...[
    h('p', { class: 'wordmark' }, 'taskapp'),
    h('ul', {}, [
      entry('today', 'today', t('today')),
      entry('upcoming', 'upcoming', t('upcoming')),
      entry('overdue', 'overdue', t('overdue'), 'late'),
      entry('mine', 'mine', t('mine')),
      entry('all', 'all', t('all')),
      entry('inbox', 'inbox', t('inbox')),
      entry('done', 'done', t('doneView')),
    ]),
    state.invitations.length ? invitations() : '',
    h('h2', {}, t('projects'), iconButton('plus', t('newProject'), showNewProject, 'side-add')),
    h('ul', {}, shared.map(({ id, name }) => entry(`project:${id}`, membersOf(id).length > 1 ? 'people' : 'project', name))),
    archived.length ? archive(archived) : '',
    state.labels.length ? h('h2', {}, t('labels')) : '',
    h('ul', {}, state.labels.slice(0, MOST_LABELS).map(({ name }) => entry(`label:${encodeURIComponent(name)}`, 'label', name))),
    account,
  ].filter(Boolean))
}

function entry(name, sign, text, className = '') {
  const here = route().view === name && !state.query
  const count = state.counts.get(name) ?? 0
  const address = href({ view: name, task: null, mode: name.startsWith('project:') ? route().mode : 'list' })
  return h('li', {}, h('a', { href: address, 'aria-current': here ? 'page' : null }, icon(sign), h('span', { class: 'name' }, text),
    count > 0 && h('span', { class: `count ${className}` }, number(count), unseen(` ${t('isOpen')}`))))
}

const invitations = () =>
  button(t('invitations', { n: state.invitations.length }), showInvitations, 'button invited')

function archive(projects) {
  const open = projects.some(({ id }) => route().view === `project:${id}`)
  return h('details', { class: 'archived', open }, h('summary', {}, t('archived')),
    h('ul', {}, projects.map(({ id, name }) => entry(`project:${id}`, 'project', name))))
}

function accountMenu(open = false) {
  const { name, role } = state.me
  const close = (run) => () => {
    $('account').removeAttribute('open')
    run()
  }
  return h('details', { class: 'account', id: 'account', open },
    h('summary', {}, avatar(name, true), h('span', { class: 'name' }, name)),
    h('div', { class: 'inside' },
      button(t('accountTitle'), close(showAccount), ''),
      role === 'admin' && button(t('users'), close(showUsers), ''),
      button(t('keys'), close(showKeys), ''),
      h('a', { href: new URL('../../docs', import.meta.url) }, t('apiDocs')),
      button(t('signOut'), close(signOut), '')))
}

// Head -----------------------------------------------------------------------------------------------------------

export function renderHead() {
  const { view: name } = route()
  const title = state.query ? `“${state.query}”` : nameOf(name)
  document.title = `${title} – taskapp`
  const { kind, value } = readView(name)
  const project = kind === 'project' && !state.query && projectById(value)

  const text = h('div', {}, h('h1', {}, title), h('p', {}, subtitle(name)))
  const share = h('span', { class: 'share' }, project && iconButton('people', t('share'), () => showProject(project)))
  if ($('search')) {
    // The search field stays as it is while somebody types in it.
    $('head').firstChild.replaceWith(text)
    $('head').querySelector('.switch').replaceWith(modeSwitch())
    $('head').querySelector('.share').replaceWith(share)
  } else {
    $('head').replaceChildren(text, h('div', { class: 'head-actions' }, searchBox(), modeSwitch(), share))
  }
}

function subtitle(name) {
  const lists = view.lists.filter((list) => list.name !== 'cancelled' && (list.name !== 'done' || name === 'done'))
  const count = lists.reduce((sum, list) => sum + countOf(list, tasksOf(list).filter((task) => list.name !== 'open' || isOpen(task))), 0)
  const loading = view.lists.some((list) => list.loading)
  if (state.query) return loading ? t('searching') : t('found', { n: count })
  if (name === 'done') return t('closed', { n: count })
  const amount = count ? t('open', { n: count }) : t('nothingOpen')
  if (name !== 'today') return loading && !count ? '\u00a0' : amount
  return count ? `${longDay(today())}, ${amount}` : longDay(today())
}

function modeSwitch() {
  const { mode, view: name } = route()
  const hidden = name === 'done' || Boolean(state.query)
  const link = (to, sign) => h('a', {
    href: href({ mode: to }), 'aria-label': t(to), title: t(to), 'aria-current': mode === to ? 'true' : null,
  }, icon(sign))
  return h('span', { class: 'switch', role: 'group', 'aria-label': `${t('list')} / ${t('board')}`, hidden },
    link('list', 'all'), link('board', 'board'))
}

let typing = null

function search(text) {
  state.query = text.trim().slice(0, 200)
  clearTimeout(typing)
  typing = setTimeout(openView, state.query ? 150 : 0)
  changed()
}

function searchBox() {
  const oninput = (event) => search(event.target.value)
  const onkeydown = (event) => {
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault()
      document.querySelector('.task-title')?.focus()
    }
    if (event.key === 'Escape') {
      event.target.blur()
      endSearch()
    }
  }
  return h('label', { class: 'searchbox' }, icon('search'), h('input', {
    type: 'search', id: 'search', value: state.query, oninput, onkeydown, maxlength: 200, autocomplete: 'off',
    'aria-label': t('search'), placeholder: t('search'), 'aria-keyshortcuts': '/',
  }))
}

export function endSearch() {
  const before = state.query
  if ($('search')) $('search').value = ''
  $('app').classList.remove('searching')
  if (before) search('')
}

export function openSearch() {
  $('app').classList.remove('show-lists')
  $('app').classList.add('searching')
  $('search').focus()
  renderBar()
}

export function openQuickAdd() {
  if ($('quick').hidden) go({ view: 'inbox', mode: 'list', task: null })
  endSearch()
  $('app').classList.remove('show-lists')
  $('app').classList.add('adding')
  requestAnimationFrame(() => {
    $('new').focus()
    $('new').scrollIntoView({ block: 'center' })
  })
}

// Bottom bar, on a phone -------------------------------------------------------------------------------------------

export function renderBar() {
  const app = $('app').classList
  const listsOpen = app.contains('show-lists')
  const toggleLists = () => {
    app.toggle('show-lists')
    renderBar()
  }
  const link = (name) => h('a', {
    href: href({ view: name, mode: 'list', task: null }),
    'aria-current': route().view === name && !listsOpen ? 'page' : null,
    onclick: () => app.remove('show-lists'),
  }, icon(name), t(name))
  const toggle = (sign, text, pressed, onclick) =>
    h('button', { type: 'button', 'aria-pressed': String(pressed), onclick }, icon(sign), text)
  const searching = app.contains('searching')

  $('bar').setAttribute('aria-label', t('more'))
  $('bar').replaceChildren(
    link('today'),
    link('upcoming'),
    iconButton('plus', t('addTask'), openQuickAdd, 'plus'),
    toggle('search', t('search'), searching, searching ? endSearch : openSearch),
    toggle('more', t('lists'), listsOpen, toggleLists),
  )
}

// What waits, and what could not be saved ---------------------------------------------------------------------------

export function renderNotice() {
  const refused = state.pending.filter((entry) => entry.state === 'refused')
  const waiting = state.pending.length - refused.length
  const text = waiting ? t('offlineWaits', { n: waiting }) : t('offlineIdle')
  const offline = h('div', { class: 'notice', role: 'status' }, icon('waiting'),
    h('p', {}, h('strong', {}, t('offline')), ' ', text), button(t('tryNow'), tryNow))
  $('notice').replaceChildren(...(state.online ? [] : [offline]), ...refused.map(refusal))
}

function tryNow() {
  flush()
  openView()
}

function refusal(entry) {
  const what = { ...entry.seen, ...entry.fields }
  const text = entry.file?.name ?? entry.fields?.body ?? what.title
  const lost = entry.gone && (entry.op === 'update' || entry.op === 'restore')
  return h('div', { class: 'notice', role: 'alert' }, icon('overdue'),
    h('p', {}, h('strong', {}, t('notSaved', { title: text })), ' ', entry.detail),
    lost ? button(t('saveAsNew'), () => saveAsNew(entry)) : button(t('again'), () => retry(entry)),
    button(t('discard'), () => drop(entry), 'button quiet'))
}

// Toast ----------------------------------------------------------------------------------------------------------

let timer

/** The one live region: what was done, what others did, and how to take it back. */
export function toast(text, undo) {
  const hide = () => $('toast').replaceChildren()
  const run = () => {
    hide()
    undo()
  }
  clearTimeout(timer)
  timer = setTimeout(hide, undo ? 8000 : 4000)
  const stay = () => clearTimeout(timer)
  $('toast').replaceChildren(
    h('div', { onpointerenter: stay, onfocusin: stay }, h('p', {}, text), undo && button(undo.label ?? t('undo'), run, '')))
}

events.addEventListener('sign-out', () => $('toast').replaceChildren())
