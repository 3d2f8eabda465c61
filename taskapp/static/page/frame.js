// Around the list: sidebar, head with search, bottom bar, the notice of what waits, the toast.

import { showAccount } from './account.js'
import { longDay, today } from './dates.js'
import { showKeys } from './dialogs.js'
import { $, arrange, avatar, button, h, icon, iconButton, unseen } from './elements.js'
import { countOf, openView, tasksOf, view } from './lists.js'
import { drop, flush, retry, saveAsNew } from './outbox.js'
import { takesTasks } from './quick.js'
import { signOut } from './session.js'
import { showInvitations, showNewProject, showProject } from './share.js'
import { changed, events, go, href, isOpen, membersOf, projectById, route, sharedProjects, state } from './store.js'
import { showUsers } from './users.js'
import { nameOf, readView } from './views.js'
import { getLanguage, number, t } from './words.js'

const PLACES = ['today', 'upcoming', 'overdue', 'mine', 'all', 'inbox', 'done']
const MOST_LABELS = 12

// == Sidebar

let sideShows = null

export function renderSide() {
  const { view: name, mode } = route()
  const members = [...state.members.values()].map(({ length }) => length)
  const shows = [name, mode, state.query, state.projects, state.labels, [...state.counts], state.invitations, state.me, getLanguage(), members]
  if (JSON.stringify(shows) === sideShows) return
  sideShows = JSON.stringify(shows)
  const focused = document.activeElement.closest('#side a')?.getAttribute('href')
  $('side').setAttribute('aria-label', t('lists'))
  $('side').replaceChildren(...sidebar())
  if (focused) $('side').querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus()
}

function sidebar() {
  const archived = state.projects.filter(({ archived_at }) => archived_at)
  const project = ({ id, name }) => entry(`project:${id}`, membersOf(id).length > 1 ? 'people' : 'project', name)
  const label = ({ name }) => entry(`label:${encodeURIComponent(name)}`, 'label', name)
  const inArchive = archived.some(({ id }) => route().view === `project:${id}`)
  return [
    h('p.wordmark', 'taskapp'),
    h('ul', PLACES.map((name) => entry(name, name, t(name)))),
    state.invitations.length > 0 && button(t('invitations', { n: state.invitations.length }), showInvitations, 'button invited'),
    h('h2', t('projects'), iconButton('plus', t('newProject'), showNewProject, 'side-add')),
    h('ul', sharedProjects().map(project)),
    archived.length > 0 && h('details.archived', { open: inArchive }, h('summary', t('archived')), h('ul', archived.map(project))),
    state.labels.length > 0 && h('h2', t('labels')),
    h('ul', state.labels.slice(0, MOST_LABELS).map(label)),
    accountMenu(),
  ].filter(Boolean)
}

function entry(name, sign, text) {
  const here = route().view === name && !state.query
  const count = state.counts.get(name)
  const address = href({ view: name, task: null, mode: name.startsWith('project:') ? route().mode : 'list' })
  return h('li', h('a', { href: address, 'aria-current': here ? 'page' : null }, icon(sign), h('span.name', text),
    count > 0 && h('span.count', { class: name === 'overdue' ? 'count late' : 'count' }, number(count), unseen(` ${t('isOpen')}`))))
}

function accountMenu() {
  const { name, role } = state.me
  const item = (text, run) => button(text, () => {
    $('account').open = false
    run()
  }, '')
  return h('details.account', { id: 'account', open: $('account')?.open },
    h('summary', avatar(name, true), h('span.name', name)),
    h('div.inside', item(t('accountTitle'), showAccount), role === 'admin' && item(t('users'), showUsers), item(t('keys'), showKeys),
      h('a', { href: 'docs' }, 'API'), item(t('signOut'), signOut)))
}

// == Head

export function renderHead() {
  const { view: name, mode } = route()
  const title = state.query ? `“${state.query}”` : nameOf(name)
  const { kind, value } = readView(name)
  document.title = `${title} – taskapp`
  if (!$('search')) $('head').replaceChildren(h('div'), h('div.head-actions', searchBox()))

  // The search field stays as it is while somebody types in it.
  const [text, actions] = $('head').children
  text.replaceChildren(h('h1', title), h('p', subtitle(name)))
  const link = (to, sign) => h('a', { href: href({ mode: to }), 'aria-label': t(to), title: t(to), 'aria-current': mode === to ? 'true' : null }, icon(sign))
  const modes = h('span.switch', { role: 'group', 'aria-label': `${t('list')} / ${t('board')}`, hidden: name === 'done' || Boolean(state.query) },
    link('list', 'all'), link('board', 'board'))
  const shares = kind === 'project' && !state.query && projectById(value)
  const share = shares ? [iconButton('people', t('share'), () => showProject(value))] : []
  arrange(actions, [actions.firstChild, modes, ...share])
}

function subtitle(name) {
  const lists = view.lists.filter((list) => list.name !== 'cancelled' && (list.name !== 'done' || name === 'done'))
  const n = lists.reduce((sum, list) => sum + countOf(list, tasksOf(list).filter((task) => list.name !== 'open' || isOpen(task))), 0)
  const loading = n === 0 && view.lists.some((list) => list.loading)
  if (state.query) return loading ? t('searching') : t('found', { n })
  if (name === 'done') return t('closed', { n })
  const amount = n ? t('open', { n }) : t('nothingOpen')
  if (name === 'today') return n ? `${longDay(today())}, ${amount}` : longDay(today())
  return loading ? '\u00a0' : amount
}

let typing = null

function search(text) {
  state.query = text.trim().slice(0, 200)
  clearTimeout(typing)
  typing = setTimeout(openView, state.query ? 150 : 0)
  changed()
}

function searchBox() {
  const onkeydown = (event) => {
    if (event.key === 'Escape') endSearch()
    else if (event.key === 'ArrowDown' || event.key === 'Enter') document.querySelector('.task-title')?.focus()
    else return
    event.preventDefault()
    if (event.key === 'Escape') event.target.blur()
  }
  return h('label.searchbox', icon('search'), h('input', {
    type: 'search', id: 'search', oninput: ({ target }) => search(target.value), onkeydown, maxlength: 200, autocomplete: 'off',
    'aria-label': t('search'), placeholder: t('search'), 'aria-keyshortcuts': '/',
  }))
}

export function endSearch() {
  if ($('search')) $('search').value = ''
  $('app').classList.remove('searching')
  if (state.query) search('')
}

export function openSearch() {
  $('app').classList.remove('show-lists')
  $('app').classList.add('searching')
  $('search').focus()
  renderBar()
}

export function openQuickAdd() {
  endSearch()
  if (!takesTasks()) go({ view: 'inbox', mode: 'list', task: null })
  $('quick').hidden = false
  $('app').classList.remove('show-lists')
  $('app').classList.add('adding')
  $('new').focus() // at once: what is typed next belongs into it
  $('new').scrollIntoView({ block: 'center' })
}

// == Bottom bar, on a phone

export function renderBar() {
  const app = $('app').classList
  const [searching, lists] = [app.contains('searching'), app.contains('show-lists')]
  const link = (name) => h('a', {
    href: href({ view: name, mode: 'list', task: null }), onclick: () => app.remove('show-lists'),
    'aria-current': route().view === name && !lists ? 'page' : null,
  }, icon(name), t(name))
  const toggle = (sign, text, pressed, onclick) => h('button', { type: 'button', 'aria-pressed': String(pressed), onclick }, icon(sign), text)
  const toggleLists = () => {
    app.toggle('show-lists')
    renderBar()
  }
  $('bar').setAttribute('aria-label', t('more'))
  $('bar').replaceChildren(link('today'), link('upcoming'), iconButton('plus', t('addTask'), openQuickAdd, 'plus'),
    toggle('search', t('search'), searching, searching ? endSearch : openSearch), toggle('more', t('lists'), lists, toggleLists))
}

// == What waits, and what could not be saved

let noticeShows = null

export function renderNotice() {
  const refused = state.pending.filter((entry) => entry.state === 'refused')
  const n = state.pending.length - refused.length
  const shows = JSON.stringify([state.online, n, refused, getLanguage()])
  if (shows === noticeShows) return
  noticeShows = shows
  const tryNow = () => {
    flush()
    openView()
  }
  const offline = h('div.notice', { role: 'status' }, icon('waiting'),
    h('p', h('strong', t('offline')), ' ', n ? t('offlineWaits', { n }) : t('offlineIdle')), button(t('tryNow'), tryNow))
  $('notice').replaceChildren(...(state.online ? [] : [offline]), ...refused.map(refusal))
}

function refusal(entry) {
  const { op, gone, detail, file, fields, seen } = entry
  const title = file?.name ?? fields?.body ?? fields?.title ?? seen.title
  return h('div.notice', { role: 'alert' }, icon('overdue'),
    h('p', h('strong', t('notSaved', { title })), ' ', detail),
    gone && op !== 'restore' ? button(t('saveAsNew'), () => saveAsNew(entry)) : button(t('again'), () => retry(entry)),
    button(t('discard'), () => drop(entry), 'button quiet'))
}

// == Toast

let timer

/** The one live region: what was done, what others did, and how to take it back. */
export function toast(text, undo) {
  const hide = () => $('toast').replaceChildren()
  const stay = () => clearTimeout(timer)
  const run = () => {
    hide()
    undo()
  }
  stay()
  timer = setTimeout(hide, undo ? 8000 : 4000)
  $('toast').replaceChildren(h('div', { onpointerenter: stay, onfocusin: stay }, h('p', text), undo && button(undo.label ?? t('undo'), run, '')))
}

events.addEventListener('left', () => $('toast').replaceChildren())
