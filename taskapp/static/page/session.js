// From the door to the lists and back: what is loaded when somebody comes in, and what is left behind at the end.

import { api, beginSession, forgetSession, get, getAll, hasSession } from './api.js'
import { remember } from './browser.js'
import { closeDialog, showDialog } from './dialogs.js'
import { zone } from './dates.js'
import { button, h } from './elements.js'
import { loadNumbers, recount } from './lists.js'
import { drop, startOutbox } from './outbox.js'
import { activeProjects, changed, events, forgetAll, state } from './store.js'
import { startSync, stopSync } from './sync.js'
import { t } from './words.js'

const MOST_PROJECTS_ASKED = 30

/** Comes in with what this browser kept; answers whether that was enough. */
export async function enterAgain() {
  try {
    await loadMe()
    await enter()
    return true
  } catch (error) {
    if (error.status === 401) return false
    throw error
  }
}

async function loadMe() {
  state.me = (await api('GET', 'users/me')).data
}

/** After a sign-in: the same person finds what was typed, another one a clean page. */
export async function comeIn(pair) {
  beginSession(pair)
  const before = state.me?.id
  await loadMe()
  if (before && before !== state.me.id) return location.reload()
  await setZoneOnce()
  await enter()
}

/** A new account has no zone of its own: it takes the browser's. */
async function setZoneOnce() {
  const { timezone, created_at } = state.me
  const isNew = Date.now() - new Date(created_at) < 60_000
  if (timezone === 'UTC' && isNew && zone !== 'UTC') {
    state.me = (await api('PATCH', 'users/me', { body: { timezone: zone } })).data
  }
}

async function enter() {
  remember('user', state.me.id)
  await loadProjects()
  events.dispatchEvent(new Event('entered'))
  startOutbox()
  loadRest().catch(() => null)
  startSync(loadProjects)
}

/** What is not needed to show the list. */
async function loadRest() {
  await loadNumbers()
  await loadLabels()
  await recount()
  const shared = activeProjects().filter(({ kind }) => kind !== 'inbox')
  for (const { id } of shared.slice(0, MOST_PROJECTS_ASKED)) await loadMembers(id)
}

export async function loadProjects() {
  state.projects = (await getAll('projects')).sort((a, b) => a.name.localeCompare(b.name))
  state.invitations = await loadInvitations()
  changed()
}

/** A service without invitations says nothing of whether an address is proved. */
const loadInvitations = async () => ('email_verified' in state.me ? (await get('invitations')).items : [])

export async function loadMembers(id) {
  state.members.set(Number(id), await getAll(`projects/${id}/members`))
  changed()
}

async function loadLabels() {
  state.labels = (await getAll('labels')).sort((a, b) => b.count - a.count)
  changed()
}

events.addEventListener('labels', () => loadLabels().catch(() => null))

// Out ------------------------------------------------------------------------------------------------------------

export function signOut() {
  if (state.pending.length === 0) return leave()
  showDialog(t('signOut'),
    h('p', {}, t('signOutWaits', { n: state.pending.length })),
    h('div', { class: 'row-end' },
      button(t('stay'), closeDialog, 'button main-action'),
      button(t('discardAndLeave'), discardAndLeave, 'button danger')))
}

async function discardAndLeave() {
  for (const entry of [...state.pending]) await drop(entry)
  await leave()
}

async function leave() {
  if (hasSession()) await api('POST', 'auth/logout').catch(() => null)
  leaveForGood()
}

export function leaveForGood() {
  stopSync()
  closeDialog()
  forgetSession()
  remember(`changes.${state.me.id}`, null)
  remember('user', null)
  forgetAll()
  Object.assign(state, { me: null, projects: [], labels: [], stats: null, query: '', pending: [] })
  events.dispatchEvent(new Event('sign-out'))
  history.replaceState(null, '', location.pathname)
  changed()
}

