// What all dialogs are, and the one that explains the keyboard.

import { remember } from './browser.js'
import { $, button, h, iconButton } from './elements.js'
import { state } from './store.js'
import { t } from './words.js'

const KEYS = [
  ['n', 'kNew'], ['/', 'kSearch'], ['j k', 'kMove'], ['Enter', 'kOpen'], ['e', 'kEdit'], ['x', 'kDone'], ['u', 'kUndo'],
  ['b', 'kBoard'], ['g t u a i', 'kGo'], ['Shift ← →', 'kCard'], ['Esc', 'kClose'], ['?', 'kHelp'],
]

/** Shows a dialog, or shows the open one with other content. */
export function showDialog(title, ...children) {
  const dialog = $('dialog')
  dialog.setAttribute('aria-label', title)
  dialog.replaceChildren(
    h('header', {}, h('h2', { tabindex: -1, autofocus: true }, title), iconButton('close', t('close'), closeDialog)),
    ...children.flat().filter(Boolean),
  )
  if (!dialog.open) dialog.showModal()
  dialog.querySelector('[autofocus]').focus({ preventScroll: true })
}

export const closeDialog = () => $('dialog').close()

/** A form that says below itself what was wrong; `run` gets the values and may throw a Problem. */
export function form(attributes, run, ...children) {
  const wrong = h('p', { class: 'wrong', role: 'alert' })
  const onsubmit = async (event) => {
    event.preventDefault()
    const element = event.target
    const submit = element.querySelector('button:not([type=button])')
    wrong.textContent = ''
    submit.disabled = true
    try {
      await run(Object.fromEntries(new FormData(element)), element)
    } catch (error) {
      wrong.textContent = reason(error)
    } finally {
      submit.disabled = false
    }
  }
  return h('form', { ...attributes, onsubmit }, children, wrong)
}

export const reason = (error) => (error.status ? error.message : t('offlineNow'))

export const submit = (text) => h('button', { class: 'button main-action' }, text)

/** What cannot be taken back wants a second press. */
export function twice(text, confirm, run) {
  const element = button(text, () => {
    if (element.textContent === confirm) return run()
    element.textContent = confirm
    setTimeout(() => (element.textContent = text), 5000)
  }, 'button danger')
  return element
}

export function showKeys() {
  const caps = (keys) => keys.split(' ').map((key) => h('kbd', {}, key))
  const onchange = ({ target }) => {
    state.singleKeys = target.checked
    remember('keys', target.checked)
  }
  showDialog(t('keys'),
    h('dl', { class: 'keys' }, KEYS.map(([keys, name]) => [h('dt', {}, caps(keys)), h('dd', {}, t(name))])),
    h('label', { class: 'keys-off' },
      h('input', { type: 'checkbox', checked: state.singleKeys, onchange }),
      h('span', {}, t('keysOn'), h('small', {}, t('keysText')))))
}
