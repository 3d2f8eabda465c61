// A conflict (412): what only they changed is taken and named; what both changed stands side by side.

import { button, h } from './elements.js'
import { resolve } from './outbox.js'
import { fieldName, readField } from './values.js'
import { t } from './words.js'

export function showConflict(entry) {
  const { who, theirs, seen, fields, both, merged } = entry
  const yours = { ...seen, ...fields }
  const onsubmit = (event) => {
    event.preventDefault()
    resolve(entry, [...new FormData(event.target)].filter(([, side]) => side === 'yours').map(([aspect]) => aspect))
  }
  const choice = (aspect, side, name, task) => h('label.choice',
    h('input', { type: 'radio', name: aspect, value: side, checked: side === 'yours' }), h('small', name),
    h('span', readField(aspect, aspect === 'due' ? task : task[aspect])))
  const pair = (aspect) => h('fieldset', h('legend', fieldName(aspect)),
    choice(aspect, 'theirs', who, theirs), choice(aspect, 'yours', t('yours'), yours))

  return h('form.conflict', { 'aria-labelledby': 'conflict-title', onsubmit },
    h('h2', { id: 'conflict-title' }, t('conflictTitle', { who })), h('p', t('conflictText')), both.map(pair),
    merged.length > 0 && h('p', t('merged', { fields: merged.map(fieldName).join(', ') })),
    h('div.row-end', h('button.button.main-action', t('keep')), button(t('takeTheirs'), () => resolve(entry, []), 'button quiet')))
}
