// One's own account: name, language and zone, password, second factor, sessions, tokens and calendar feeds.

import { api, get, getAll } from './api.js'
import { ago, dayName, toDay, zone } from './dates.js'
import { button, field, h, iconButton, select } from './elements.js'
import { form, reason, showDialog, submit, twice } from './dialogs.js'
import { leaveForGood } from './session.js'
import { changed, knowsDays, say, state } from './store.js'
import { getLanguage, languages, setLanguage, t } from './words.js'

const DAYS = [30, 90, 365]

export function showAccount() {
  showDialog(t('accountTitle'),
    profile(),
    section('password', password),
    section('secondFactor', secondFactor),
    section('sessions', sessions),
    section('tokens', tokens),
    section('feeds', feeds),
    section('deleteAccount', deletion))
}

/** A part that is made, and asked for, when it is opened. */
function section(name, make) {
  const inside = h('div', { class: 'section' })
  const fill = async () => {
    try {
      inside.replaceChildren(...[await make(fill)].flat().filter(Boolean))
    } catch (error) {
      inside.replaceChildren(h('p', { class: 'hint' }, error.status === 404 ? t('notHere') : reason(error)))
    }
  }
  const ontoggle = ({ target }) => target.open && fill()
  return h('details', { class: 'part', name: 'account', ontoggle }, h('summary', {}, t(name)), inside)
}

async function saveMe(fields) {
  try {
    state.me = (await api('PATCH', 'users/me', { body: fields })).data
    changed()
  } catch (error) {
    say(reason(error))
  }
}

function profile() {
  const changeLanguage = (code) => {
    setLanguage(code)
    changed()
    showAccount()
  }
  const zones = [...new Set(['UTC', zone, state.me.timezone, ...Intl.supportedValuesOf('timeZone')])]
  return h('div', { class: 'stack' },
    field(t('name'), { value: state.me.name, maxlength: 200, autocomplete: 'name', onchange: ({ target }) => target.value.trim() && saveMe({ name: target.value.trim() }) }),
    h('p', { class: 'hint' }, state.me.email),
    h('label', { class: 'labelled' }, t('language'), select(t('language'), Object.entries(languages), getLanguage(), changeLanguage, { class: 'field' })),
    knowsDays() && h('label', { class: 'labelled' }, t('zone'),
      select(t('zone'), zones.map((name) => [name, name.replaceAll('_', ' ')]), state.me.timezone, (timezone) => saveMe({ timezone }), { class: 'field' }),
      h('small', {}, t('zoneText'))),
    'notifications' in state.me && notifications())
}

function notifications() {
  const chosen = state.me.notifications ?? {}
  const set = (fields) => saveMe({ notifications: { ...chosen, ...fields } })
  const check = (name) => h('label', { class: 'check' },
    h('input', { type: 'checkbox', checked: Boolean(chosen[name]), onchange: ({ target }) => set({ [name]: target.checked }) }), t(`${name}Mail`))
  return h('fieldset', { class: 'stack' }, h('legend', {}, t('mail')), check('reminder'), check('assigned'))
}

// Password and second factor ------------------------------------------------------------------------------------------

const currentPassword = () =>
  field(t('currentPassword'), { name: 'current_password', type: 'password', required: true, autocomplete: 'current-password' })

function password() {
  const change = async (body, element) => {
    await api('POST', 'auth/password', { body })
    element.reset()
    say(t('saidPassword'))
  }
  return form({ class: 'stack' }, change,
    h('input', { class: 'unseen', autocomplete: 'username', value: state.me.email, tabindex: -1, 'aria-hidden': 'true', readonly: true }),
    currentPassword(),
    field(t('newPassword'), { name: 'new_password', type: 'password', required: true, autocomplete: 'new-password' }, h('small', {}, t('passwordText'))),
    h('div', { class: 'row-end' }, submit(t('changePassword'))))
}

async function secondFactor(again) {
  const { enabled } = await get('auth/totp')
  return enabled ? factorOff(again) : factorOn(again)
}

const code = () => field(t('code'), { name: 'code', class: 'field code', required: true, autocomplete: 'one-time-code', inputmode: 'numeric', maxlength: 20 })

function factorOn(again) {
  const begin = async (body, element) => {
    const { data } = await api('POST', 'auth/totp', { body })
    element.replaceWith(confirmation(data, again))
  }
  return [h('p', { class: 'hint' }, t('factorText')),
    form({ class: 'stack' }, begin, currentPassword(), h('div', { class: 'row-end' }, submit(t('setUp'))))]
}

function confirmation({ secret, otpauth_uri: uri, uri: other }, again) {
  const confirm = async (body, element) => {
    const { data } = await api('POST', 'auth/totp/confirm', { body })
    element.replaceWith(h('p', { class: 'hint' }, t('recoveryText')),
      h('ul', { class: 'codes' }, (data?.recovery_codes ?? []).map((one) => h('li', {}, h('code', {}, one)))), button(t('written'), again))
  }
  return form({ class: 'stack' }, confirm, h('p', { class: 'hint' }, t('secretText')),
    h('p', {}, h('a', { href: uri ?? other }, h('code', { class: 'secret' }, secret))), code(), h('div', { class: 'row-end' }, submit(t('confirm'))))
}

function factorOff(again) {
  const disable = async (body) => {
    await api('POST', 'auth/totp/disable', { body })
    await again()
  }
  return [h('p', { class: 'hint' }, t('factorIsOn')),
    form({ class: 'stack' }, disable, currentPassword(), code(), h('div', { class: 'row-end' }, submit(t('turnOff'))))]
}

// Sessions ------------------------------------------------------------------------------------------------------------

async function sessions(again) {
  const all = await getAll('auth/sessions')
  const end = (id) => async () => {
    await api('DELETE', `auth/sessions/${id}`).catch((error) => say(reason(error)))
    await again()
  }
  const row = (one) => h('li', { class: 'member plain' },
    h('div', {}, browserName(one.user_agent), h('small', {}, one.current ? t('thisSession') : t('lastUsed', { when: ago(one.last_used_at) }))),
    !one.current && button(t('end'), end(one.id), 'button quiet'))
  const endAll = async () => {
    await api('DELETE', 'auth/sessions').catch((error) => say(reason(error)))
    leaveForGood()
  }
  return [h('ul', { class: 'members' }, all.map(row)),
    h('div', { class: 'row-end' }, twice(t('endAll'), t('reallyEndAll'), endAll))]
}

/** "Firefox, Linux" of a User-Agent; what is not known stays as it is. */
function browserName(agent) {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari|curl|python-requests)/.exec(agent.replace(/Chrome.*(Edg|OPR)/, '$1'))?.[1]
  const system = /(Windows|Android|iPhone|iPad|Mac OS|Linux)/.exec(agent)?.[1]
  const names = { Edg: 'Edge', OPR: 'Opera' }
  return [names[browser] ?? browser, system].filter(Boolean).join(', ') || agent || t('unknownBrowser')
}

// Tokens and feeds ------------------------------------------------------------------------------------------------------

const isFeed = ({ scopes }) => scopes.includes('feed')

async function tokenRows(test, again) {
  const all = (await getAll('auth/tokens')).filter(test)
  const end = (id) => () => api('DELETE', `auth/tokens/${id}`).then(again, (error) => say(reason(error)))
  const row = (one) => h('li', { class: 'member plain' },
    h('div', {}, one.name, h('small', {}, [isFeed(one) ? null : one.scopes.map((scope) => t(`scope_${scope}`)).join(', '), until(one)].filter(Boolean).join(', '))),
    iconButton('close', t('remove', { what: one.name }), end(one.id)))
  return h('ul', { class: 'members' }, all.map(row))
}

const until = ({ expires_at: end }) => (end ? t('until', { date: dayName(toDay(new Date(end))) }) : t('endless'))

async function tokens(again) {
  const scopes = state.me.role === 'admin' ? ['read', 'write', 'admin'] : ['read', 'write']
  const create = async ({ name, scope, days }, element) => {
    const expires_at = days ? new Date(Date.now() + days * 86_400_000).toISOString() : null
    const { data } = await api('POST', 'auth/tokens', { body: { name, scopes: [scope], expires_at } })
    const rows = await tokenRows((one) => !isFeed(one), again)
    element.previousElementSibling.replaceWith(rows)
    element.after(secret(t('tokenText'), data.token))
    element.reset()
  }
  return [
    h('p', { class: 'hint' }, t('tokensText')),
    await tokenRows((one) => !isFeed(one), again),
    form({ class: 'stack' }, create,
      field(t('name'), { name: 'name', required: true, maxlength: 200, autocomplete: 'off', placeholder: t('tokenName') }),
      h('div', { class: 'pair' },
        h('label', { class: 'labelled' }, t('mayDo'), h('select', { class: 'field', name: 'scope' }, scopes.map((scope) => h('option', { value: scope }, t(`scope_${scope}`))))),
        h('label', { class: 'labelled' }, t('ends'), h('select', { class: 'field', name: 'days' },
          DAYS.map((days) => h('option', { value: days }, t('inDays', { n: days }))), h('option', { value: '' }, t('endless'))))),
      h('div', { class: 'row-end' }, submit(t('createToken')))),
  ]
}

/** What is shown this once. */
function secret(text, value) {
  const copy = async () => {
    await navigator.clipboard?.writeText(value)
    say(t('saidCopied'))
  }
  return h('div', { class: 'shown-once', role: 'status' }, h('p', {}, text), h('code', { class: 'secret', tabindex: 0 }, value),
    navigator.clipboard && button(t('copy'), copy))
}

async function feeds(again) {
  const create = async ({ name }, element) => {
    const { data } = await api('POST', 'auth/tokens', { body: { name, scopes: ['feed'], expires_at: null } })
    element.previousElementSibling.replaceWith(await tokenRows(isFeed, again))
    element.after(secret(t('feedText'), data.feed_url))
    element.reset()
  }
  return [
    h('p', { class: 'hint' }, t('feedsText')),
    await tokenRows(isFeed, again),
    form({ class: 'stack' }, create,
      field(t('name'), { name: 'name', required: true, maxlength: 200, autocomplete: 'off', placeholder: t('feedName') }),
      h('div', { class: 'row-end' }, submit(t('createFeed')))),
  ]
}

function deletion() {
  const remove = async (body) => {
    await api('DELETE', 'users/me', { body })
    leaveForGood()
  }
  return [h('p', { class: 'hint' }, t('deleteAccountText')),
    form({ class: 'stack' }, remove, currentPassword(), h('div', { class: 'row-end' }, h('button', { class: 'button danger' }, t('deleteAccount'))))]
}

