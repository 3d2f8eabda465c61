// The door: password or provider, then the second factor; a new account; a forgotten password.

import { ROOT, send } from './api.js'
import { $, button, field, h } from './elements.js'
import { form, submit } from './dialogs.js'
import { comeIn } from './session.js'
import { say, state } from './store.js'
import { t } from './words.js'

let providers = null

/** How one can come in here; a service that can't say has passwords. */
export async function askProviders() {
  try {
    providers ??= (await send('GET', 'auth/providers')).data
  } catch (error) {
    if (error.status !== 404) return { password: true }
    providers = { password: true }
  }
  return providers
}

export async function openDoor() {
  if ($('door').hidden === false && $('door').firstElementChild) return
  await askProviders()
  showPassword()
}

export function closeDoor() {
  $('door').hidden = true
  $('door').replaceChildren()
}

function show(text, ...children) {
  $('door').hidden = false
  $('door').replaceChildren(
    h('h1', { class: 'wordmark' }, 'taskapp'),
    h('p', {}, t(text)),
    ...children.flat().filter(Boolean),
  )
  if (matchMedia('(hover: hover)').matches) $('door').querySelector('input:not([value])')?.focus()
}

const email = () => field(t('email'), { type: 'email', name: 'email', required: true, maxlength: 254, autocomplete: 'username', ...(state.me && { value: state.me.email }) })

// Password -------------------------------------------------------------------------------------------------------

export function showPassword() {
  const signIn = async (body) => {
    try {
      await comeIn((await send('POST', 'auth/login', { body })).data)
    } catch (error) {
      if (error.code === 'wrong-credentials') throw Object.assign(error, { message: t('wrong') })
      if (error.code !== 'second-factor-required') throw error
      showCode(error.ticket)
    }
  }
  const { password = true, oidc } = providers ?? {}
  show(state.me ? 'sessionOver' : 'signInText',
    password && form({}, signIn, email(),
      field(t('password'), { type: 'password', name: 'password', required: true, autocomplete: 'current-password' }),
      submit(t('signIn')),
      h('div', { class: 'links' }, button(t('newAccount'), showRegister, ''), button(t('forgot'), showForgot, ''))),
    password && oidc && h('p', { class: 'or' }, t('or')),
    oidc && h('a', { class: 'button', href: providerAddress(oidc) }, t('continueWith', { name: oidc.name })))
}

function providerAddress({ url = 'auth/oidc/login' }) {
  const address = new URL(url, ROOT)
  address.searchParams.set('next', location.pathname)
  return address
}

/** Back from the provider with #code=…, which works once. */
export async function comeBackFromProvider() {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1]
  if (!code) return false
  history.replaceState(null, '', location.pathname)
  await comeIn((await send('POST', 'auth/oidc/token', { body: { code: decodeURIComponent(code) } })).data)
  return true
}

// Second factor --------------------------------------------------------------------------------------------------

function showCode(ticket, recovery = false) {
  const enter = async ({ code }) => {
    await comeIn((await send('POST', 'auth/login/totp', { body: { ticket, code: code.replace(/\s/g, '') } })).data)
  }
  const digits = { inputmode: 'numeric', maxlength: 6, pattern: '[0-9]{6}', class: 'field code' }
  show(recovery ? 'recoveryCodeText' : 'codeText',
    form({}, enter,
      field(t(recovery ? 'recoveryCode' : 'code'), { name: 'code', autocomplete: 'one-time-code', required: true, ...(recovery ? { maxlength: 40 } : digits) }),
      submit(t('signIn')),
      h('div', { class: 'links' }, button(t('back'), showPassword, ''),
        button(t(recovery ? 'useApp' : 'recovery'), () => showCode(ticket, !recovery), ''))))
}

// A new account, a forgotten password -------------------------------------------------------------------------------

function showRegister() {
  const create = async (body) => {
    await send('POST', 'auth/register', { body })
    const { email, password } = body
    await comeIn((await send('POST', 'auth/login', { body: { email, password } })).data)
  }
  show('registerText',
    form({}, create,
      field(t('yourName'), { name: 'name', required: true, maxlength: 200, autocomplete: 'name' }),
      email(),
      field(t('password'), { type: 'password', name: 'password', required: true, autocomplete: 'new-password' }, h('small', {}, t('passwordText'))),
      submit(t('createAccount')),
      h('div', { class: 'links' }, button(t('back'), showPassword, ''))))
}

function showForgot() {
  const ask = async (body) => {
    try {
      await send('POST', 'auth/password/forgot', { body })
    } catch (error) {
      throw error.status === 404 ? Object.assign(error, { message: t('noMail') }) : error
    }
    showPassword()
    say(t('saidMailed'))
  }
  show('forgotText', form({}, ask, email(), submit(t('sendLink')), h('div', { class: 'links' }, button(t('back'), showPassword, ''))))
}

/** The address of a mail: #/reset/<token>. */
export function showReset(token) {
  const reset = async (body) => {
    await send('POST', 'auth/password/reset', { body: { token, ...body } })
    history.replaceState(null, '', location.pathname)
    showPassword()
    say(t('saidPassword'))
  }
  show('resetText', form({}, reset,
    field(t('newPassword'), { type: 'password', name: 'password', required: true, autocomplete: 'new-password' }, h('small', {}, t('passwordText'))),
    submit(t('changePassword'))))
}

