// What all dialogs are, and the one that explains the keyboard.

import { remember } from './browser.js'
import { $, button, h, iconButton } from './elements.js'
import { state } from './store.js'
import { t } from './words.js'

const KEYS = [
  ['n', 'kNew'], ['/', 'search'], ['j k', 'kMove'], ['Enter', 'kOpen'], ['e', 'kEdit'], ['x', 'kDone'], ['u', 'undo'],
  ['b', 'kBoard'], ['g t u a i', 'kGo'], ['Shift ← →', 'kCard'], ['Esc', 'close'], ['?', 'kHelp'],
]

/** Shows a dialog, or shows the open one with other content. */
export function showDialog(title, ...children) {
  const dialog = $('dialog')
  dialog.setAttribute('aria-label', title)
  dialog.replaceChildren(
    h('header', h('h2', { tabindex: -1 }, title), iconButton('close', t('close'), closeDialog)), ...children.flat().filter(Boolean))
  if (!dialog.open) dialog.showModal()
  dialog.querySelector('[autofocus], h2').focus({ preventScroll: true })
}

export const closeDialog = () => $('dialog').close()

/** A form that says below itself what was wrong; `run` gets the values and may throw a Problem. */
export function form(className, run, ...children) {
  const wrong = h('p.wrong', { role: 'alert' })
  const onsubmit = async (event) => {
    event.preventDefault()
    const { target: element, submitter } = event
    const values = Object.fromEntries(new FormData(element, submitter))
    wrong.textContent = ''
    if (submitter) submitter.disabled = true
    try {
      await run(values, element)
    } catch (error) {
      wrong.textContent = reason(error)
    }
    if (submitter) submitter.disabled = false
  }
  return h('form', { class: className, onsubmit }, children, wrong)
}

export const reason = (error) => (error.status ? error.message : t('offlineNow'))
export const submit = (text) => h('button.button.main-action', text)
export const submitRow = (text) => h('div.row-end', submit(text))

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
  const onchange = ({ target }) => {
    state.singleKeys = target.checked
    remember('keys', target.checked)
  }
  showDialog(t('keys'),
    h('dl.keys', KEYS.map(([keys, name]) => [h('dt', keys.split(' ').map((key) => h('kbd', key))), h('dd', t(name))])),
    h('label.keys-off', h('input', { type: 'checkbox', checked: state.singleKeys, onchange }), h('span', t('keysOn'), h('small', t('keysText')))))
}
