// The door: password or provider, then the second factor; a new account; a forgotten password.

import { ROOT, send } from './api.js'
import { form, submit } from './dialogs.js'
import { $, button, field, h } from './elements.js'
import { comeIn } from './session.js'
import { say, state } from './store.js'
import { t } from './words.js'

let providers = null
const post = (path, body) => send('POST', `auth/${path}`, { body })

/** How one can come in here; a service that can't say has passwords. */
export async function askProviders() {
  try {
    providers ??= (await send('GET', 'auth/providers')).data
  } catch (error) {
    if (error.status) providers = { password: true }
  }
  return providers ?? {}
}

export async function openDoor() {
  if (!$('door').hidden && $('door').firstElementChild) return
  await askProviders()
  showPassword()
}

export function closeDoor() {
  $('door').hidden = true
  $('door').replaceChildren()
}

function show(text, ...children) {
  $('door').hidden = false
  $('door').replaceChildren(h('h1.wordmark', 'taskapp'), h('p', t(text)), ...children.filter(Boolean))
  if (matchMedia('(hover: hover)').matches) $('door').querySelector('input:not([value])')?.focus()
}

const email = () => field(t('email'), { type: 'email', name: 'email', required: true, autocomplete: 'username', value: state.me?.email })
const password = (label, name = 'new-password') =>
  field(t(label), { type: 'password', name: 'password', required: true, autocomplete: name }, name === 'new-password' && h('small', t('passwordText')))
const links = (...buttons) => h('div.links', buttons.map(([label, run]) => button(t(label), run, '')))
const back = ['back', () => showPassword()]

/** What the service says in one way for everybody, we say in our words. */
const inWords = (error, status, key) => (error.status === status ? Object.assign(error, { message: t(key) }) : error)

function showPassword() {
  const signIn = async (body) => {
    try {
      await comeIn((await post('login', body)).data)
    } catch (error) {
      if (error.code !== 'second-factor-required') throw inWords(error, 401, 'wrong')
      showCode(error.ticket)
    }
  }
  const { password: hasPassword = true, oidc } = providers ?? {}
  show(state.me ? 'sessionOver' : 'signInText',
    hasPassword && form('', signIn, email(), password('password', 'current-password'), submit(t('signIn')),
      links(['newAccount', showRegister], ['forgot', showForgot])),
    hasPassword && oidc && h('p.or', t('or')),
    oidc && h('a.button', { href: providerAddress(oidc) }, t('continueWith', { name: oidc.name })))
}

function providerAddress({ start = 'auth/oidc/login' }) {
  const address = new URL(start, ROOT)
  address.searchParams.set('next', location.pathname)
  return address
}

/** Back from the provider with #code=…, which works once. */
export async function comeBackFromProvider() {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1]
  if (!code) return false
  history.replaceState(null, '', location.pathname)
  await comeIn((await post('oidc/token', { code: decodeURIComponent(code) })).data)
  return true
}

function showCode(ticket, recovery = false) {
  const enter = async ({ code }) => comeIn((await post('login/totp', { ticket, code: code.replace(/\s/g, '') })).data)
  const digits = { inputmode: 'numeric', maxlength: 6, pattern: '[0-9]{6}', class: 'field code' }
  show(recovery ? 'recoveryCodeText' : 'codeText',
    form('', enter,
      field(t(recovery ? 'recoveryCode' : 'code'), { name: 'code', autocomplete: 'one-time-code', required: true, ...(!recovery && digits) }),
      submit(t('signIn')), links(back, [recovery ? 'useApp' : 'recovery', () => showCode(ticket, !recovery)])))
}

function showRegister() {
  const create = async ({ name, email, password }) => {
    await post('register', { name, email, password })
    await comeIn((await post('login', { email, password })).data)
  }
  const name = field(t('yourName'), { name: 'name', required: true, maxlength: 200, autocomplete: 'name' })
  show('registerText', form('', create, name, email(), password('password'), submit(t('createAccount')), links(back)))
}

function showForgot() {
  const ask = async (body) => {
    await post('password/forgot', body).catch((error) => Promise.reject(inWords(error, 404, 'noMail')))
    showPassword()
    say(t('saidMailed'))
  }
  show('forgotText', form('', ask, email(), submit(t('sendLink')), links(back)))
}

/** The addresses in mails: #/verify/<token>, #/reset/<token>. */
export function showVerify(token) {
  const verify = async () => {
    await post('email/verify', { token })
    history.replaceState(null, '', location.pathname)
    show('saidProved', links(['back', () => location.reload()]))
  }
  show('proveText', form('', verify, submit(t('prove'))))
}

export function showReset(token) {
  const reset = async (body) => {
    await post('password/reset', { token, ...body })
    history.replaceState(null, '', location.pathname)
    showPassword()
    say(t('saidPassword'))
  }
  show('resetText', form('', reset, password('newPassword'), submit(t('changePassword'))))
}
