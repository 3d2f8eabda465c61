// From the door to the lists and back: what is loaded when somebody comes in, and what is left behind at the end.

import { api, beginSession, forgetSession, get, session } from './api.js'
import { remember } from './browser.js'
import { closeDialog, showDialog } from './dialogs.js'
import { zone } from './dates.js'
import { button, h } from './elements.js'
import { count, loadLabels, loadMembers, loadNumbers, loadProjects } from './lists.js'
import { drop, takeUp } from './outbox.js'
import { changed, forgetAll, sharedProjects, state, tell } from './store.js'
import { askNow } from './sync.js'
import { t } from './words.js'

const MOST_PROJECTS = 30

/** Comes in with what this browser kept; answers whether that was enough. */
export async function enterAgain() {
  try {
    state.me = await get('users/me')
  } catch (error) {
    if (error.status === 401) return false
    throw error
  }
  await enter()
  return true
}

/** After a sign-in: the same person finds what was typed, another one a clean page. */
export async function comeIn(pair) {
  beginSession(pair)
  const before = state.me?.id
  state.me = await get('users/me')
  if (before && before !== state.me.id) return location.reload()
  await setZoneOnce(state.me)
  await enter()
}

/** A new account has no zone of its own: it takes the browser's. */
async function setZoneOnce({ timezone, created_at }) {
  const isNew = Date.now() - new Date(created_at) < 60_000
  if (isNew && timezone === 'UTC' && zone !== 'UTC') {
    state.me = (await api('PATCH', 'users/me', { body: { timezone: zone } })).data
  }
}

async function enter() {
  await loadProjects()
  tell('entered')
  takeUp()
  askNow()
  loadRest().catch(() => null)
}

/** What is not needed to show the list. */
async function loadRest() {
  await loadNumbers()
  await loadLabels()
  await count()
  for (const { id } of sharedProjects().slice(0, MOST_PROJECTS)) await loadMembers(id)
}

// == Out

export function signOut() {
  if (state.pending.length === 0) return leave()
  showDialog(t('signOut'),
    h('p', t('signOutWaits', { n: state.pending.length })),
    h('div.row-end', button(t('stay'), closeDialog, 'button main-action'), button(t('discardAndLeave'), leave, 'button danger')))
}

async function leave() {
  for (const entry of state.pending) await drop(entry)
  if (session()) await api('POST', 'auth/logout').catch(() => null)
  leaveForGood()
}

export function leaveForGood() {
  remember(`changes.${state.me.id}`, null)
  forgetSession()
  closeDialog()
  forgetAll()
  history.replaceState(null, '', location.pathname)
  tell('left')
  changed()
}
