// One's own account: name, language and zone, password, second factor, sessions, tokens and calendar feeds.

import { api, get, getAll } from './api.js'
import { ago, dayName, toDay, zone } from './dates.js'
import { form, reason, showDialog, submitRow, twice } from './dialogs.js'
import { button, field, h, iconButton, select } from './elements.js'
import { leaveForGood } from './session.js'
import { changed, say, state } from './store.js'
import { getLanguage, languages, setLanguage, t } from './words.js'

const SECTIONS = { password, secondFactor, sessions, tokens: keys(false), feeds: keys(true), deleteAccount: deletion }

export function showAccount() {
  const changeLanguage = (code) => {
    setLanguage(code)
    changed()
    showAccount()
  }
  const zones = [...new Set(['UTC', zone, state.me.timezone, ...Intl.supportedValuesOf('timeZone')])]
  showDialog(t('accountTitle'),
    h('div.stack',
      field(t('name'), { value: state.me.name, maxlength: 200, autocomplete: 'name', onchange: ({ target }) => saveMe({ name: target.value }) }),
      h('p.hint', state.me.email, ' ', state.me.email_verified === false && button(t('prove'), proveAddress, 'link')),
      h('label.labelled', t('language'), select(t('language'), Object.entries(languages), getLanguage(), changeLanguage, { class: 'field' })),
      h('label.labelled', t('zone'),
        select(t('zone'), zones.map((name) => [name, name]), state.me.timezone, (timezone) => saveMe({ timezone }), { class: 'field' }),
        h('small', t('zoneText'))),
      state.me.notifications && notifications(state.me.notifications)),
    Object.entries(SECTIONS).map(([name, make]) => section(name, make)))
}

async function saveMe(body) {
  try {
    state.me = (await api('PATCH', 'users/me', { body })).data
    changed()
  } catch (error) {
    say(reason(error))
  }
}

function proveAddress() {
  const refuse = (error) => say(error.status === 404 ? t('noMail') : reason(error))
  api('POST', 'auth/email/verify/send').then(() => say(t('saidProof')), refuse)
}

function notifications(chosen) {
  const choice = (name, attributes, read) => h('label.check', t(`${name}Mail`),
    h('input', { ...attributes, onchange: ({ target }) => saveMe({ notifications: { [name]: read(target) } }) }))
  const check = (name) => choice(name, { type: 'checkbox', checked: chosen[name] }, ({ checked }) => checked)
  return [check('reminder'), check('assigned'), choice('digest_at', { type: 'time', value: chosen.digest_at }, ({ value }) => value || null)]
}

/** A part that is made, and asked for, when it is opened. */
function section(name, make) {
  const inside = h('div.section')
  const fill = async () => {
    try {
      inside.replaceChildren(...(await make(fill)).flat().filter(Boolean))
    } catch (error) {
      inside.replaceChildren(h('p.hint', error.status === 404 ? t('notHere') : reason(error)))
    }
  }
  return h('details.part', { name: 'account', ontoggle: ({ target }) => target.open && fill() }, h('summary', t(name)), inside)
}

// Left empty by who has none, because a provider made the account.
const currentPassword = () =>
  field(t('currentPassword'), { name: 'current_password', type: 'password', autocomplete: 'current-password' })
const proof = ({ current_password, action, ...body }) => (current_password ? { current_password, ...body } : body)

async function password() {
  const change = async (body, element) => {
    await api('POST', 'auth/password', { body: proof(body) })
    element.reset()
    say(t('saidPassword'))
  }
  return [form('stack', change, currentPassword(),
    field(t('newPassword'), { name: 'new_password', type: 'password', required: true, autocomplete: 'new-password' }, h('small', t('passwordText'))),
    submitRow(t('changePassword')))]
}

async function deletion() {
  const remove = async (body) => {
    await api('DELETE', 'users/me', { body: proof(body) })
    leaveForGood()
  }
  return [h('p.hint', t('deleteAccountText')),
    form('stack', remove, currentPassword(), h('div.row-end', h('button.button.danger', t('deleteAccount'))))]
}

// == Second factor

async function secondFactor(again) {
  const code = () => field(t('code'), { name: 'code', class: 'field code', required: true, inputmode: 'numeric', maxlength: 20 })
  const begin = async (body, element) => {
    const { secret, uri } = (await api('POST', 'auth/totp', { body: proof(body) })).data
    element.replaceWith(form('stack', send('confirm'), h('p.hint', t('secretText')),
      h('a.link', { href: uri }, h('code.secret', secret.match(/.{1,4}/g).join(' '))), code(), submitRow(t('confirm'))))
  }
  const send = (action) => async (body, element) => {
    const { data } = await api('POST', `auth/totp/${action ?? body.action}`, { body: proof(body) })
    if (!data) return again()
    element.replaceWith(h('p.hint', t('recoveryText')), h('ul.codes', data.recovery_codes.map((one) => h('li', h('code', one)))), button(t('written'), again))
  }
  const act = (action, text, className) => h('button', { name: 'action', value: action, class: className }, t(text))
  if (!(await get('auth/totp')).enabled) return [h('p.hint', t('factorText')), form('stack', begin, currentPassword(), submitRow(t('setUp')))]
  return [h('p.hint', t('factorIsOn')), form('stack', send(), currentPassword(), code(),
    h('div.row-end', act('recovery-codes', 'newCodes', 'button'), act('disable', 'turnOff', 'button danger')))]
}

// == Sessions

async function sessions(again) {
  const all = (await getAll('auth/sessions')).sort((a, b) => b.current - a.current || b.last_used_at.localeCompare(a.last_used_at))
  const end = (path) => api('DELETE', path).catch((error) => say(reason(error)))
  const row = ({ id, user_agent, current, last_used_at }) => h('li.member.plain',
    h('div', browserName(user_agent), h('small', current ? t('thisSession') : t('lastUsed', { when: ago(last_used_at) }))),
    !current && button(t('end'), () => end(`auth/sessions/${id}`).then(again), 'button quiet'))
  return [h('ul.members', all.map(row)),
    h('div.row-end', twice(t('endAll'), t('reallyEndAll'), () => end('auth/sessions').then(leaveForGood)))]
}

/** "Firefox, Linux" of a User-Agent; what is not known stays as it is. */
function browserName(agent) {
  const browser = /Edg|OPR|Firefox|Chrome|Safari/.exec(agent.replace(/Chrome.*(Edg|OPR)/, '$1'))
  const system = /Windows|Android|iPhone|iPad|Mac OS|Linux/.exec(agent)
  return browser ? [browser[0].replace('Edg', 'Edge').replace('OPR', 'Opera'), system?.[0]].filter(Boolean).join(', ') : agent
}

// == Tokens for scripts, and addresses for calendars, which are tokens, too

const DAYS = [30, 90, 365]

function keys(isFeed) {
  const words = isFeed ? ['feedsText', 'feedName', 'createFeed', 'feedText'] : ['tokensText', 'tokenName', 'createToken', 'tokenText']
  return async (again) => {
    const [text, name, verb, once] = words.map((word) => t(word))
    const all = (await getAll('auth/tokens')).filter(({ scopes }) => scopes.includes('feed') === isFeed)
    const row = (one) => h('li.member.plain',
      h('div', one.name, h('small', [...one.scopes.map((scope) => t(`scope_${scope}`)), until(one)].join(', '))),
      iconButton('close', t('remove', { what: one.name }), () => api('DELETE', `auth/tokens/${one.id}`).then(again, (error) => say(reason(error)))))
    const create = async ({ name, scope = 'feed', days }, element) => {
      const expires_at = days ? new Date(Date.now() + days * 86_400_000).toISOString() : null
      const { data } = await api('POST', 'auth/tokens', { body: { name, scopes: [scope], expires_at } })
      await again()
      showOnce(data.feed_url ?? data.token, once)
    }
    const choice = (label, name, options) => h('label.labelled', label, h('select.field', { name }, options.map(([value, text]) => h('option', { value }, text))))
    const scopes = ['read', 'write', ...(state.me.role === 'admin' ? ['admin'] : [])]
    return [h('p.hint', text), h('ul.members', all.map(row)),
      form('stack', create,
        field(t('name'), { name: 'name', required: true, maxlength: 200, placeholder: name }),
        !isFeed && h('div.pair',
          choice(t('mayDo'), 'scope', scopes.map((scope) => [scope, t(`scope_${scope}`)])),
          choice(t('ends'), 'days', [...DAYS.map((n) => [n, t('inDays', { n })]), ['', t('endless')]])),
        submitRow(verb))]
  }
}

const until = ({ expires_at: end }) => (end ? t('until', { date: dayName(toDay(new Date(end))) }) : t('endless'))

/** A secret, which is shown this once, below the section that is open. */
function showOnce(value, text) {
  const copy = () => navigator.clipboard.writeText(value).then(() => say(t('saidCopied')))
  document.querySelector('#dialog details[open] .section').append(
    h('div.shown-once', { role: 'status' }, h('p', text), h('code.secret', { tabindex: 0 }, value), navigator.clipboard ? button(t('copy'), copy) : ''))
}
