// Making elements. Text always goes in as text: nothing here takes HTML.

import { PRIORITIES } from './store.js'
import { t } from './words.js'

const PROPERTIES = new Set(['value', 'checked', 'selected', 'disabled', 'draggable'])

export const $ = (id) => document.getElementById(id)

/** h('a.link', { href, onclick }, 'text', [more, nodes]); null and false leave a child or an attribute out. */
export function h(selector, ...rest) {
  const [tag, ...classes] = selector.split('.')
  const element = document.createElement(tag)
  if (classes.length) element.className = classes.join(' ')
  const attributes = rest[0]?.constructor === Object ? rest.shift() : {}
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (PROPERTIES.has(name)) element[name] = value
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...rest.flat(Infinity).filter((child) => child != null && child !== false))
  return element
}

export function svg(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Makes `nodes` the children of `parent`; those that stay are not touched, so focus and motion go on. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes)
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove()
  let place = parent.firstChild
  for (const node of nodes) {
    if (node === place) place = place.nextSibling
    else parent.insertBefore(node, place)
  }
}

/** Keeps elements by key, as long as what they show is the same; `make` gets the one that was there before. */
export function keeper(most = 6000) {
  const kept = new Map()
  return {
    clear: () => kept.clear(),
    keep(key, shows, make) {
      const before = kept.get(key)
      if (before?.shows === shows) return before.element
      const element = make(before?.element)
      kept.set(key, { shows, element })
      return element
    },
    forget() {
      if (kept.size > most) for (const [key, { element }] of kept) if (!element.isConnected) kept.delete(key)
    },
  }
}

export const icon = (name, className = '') =>
  svg('svg', { class: `icon ${className}`, viewBox: '0 0 20 20', 'aria-hidden': 'true' }, svg('use', { href: `#i-${name}` }))

export const unseen = (text) => h('span.unseen', text)

export const button = (text, onclick, className = 'button') => h('button', { type: 'button', class: className, onclick }, text)

export const iconButton = (name, label, onclick, className = 'button quiet square') =>
  h('button', { type: 'button', class: className, 'aria-label': label, title: label, onclick }, icon(name))

/** @param {[string, string][]} options pairs of value and text */
export const select = (label, options, value, onchange, attributes) =>
  h('select', { 'aria-label': label, onchange: ({ target }) => onchange(target.value), ...attributes },
    options.map(([key, text]) => h('option', { value: key, selected: String(key) === String(value) }, text)))

export const field = (label, attributes, ...below) =>
  h('label.labelled', label, h('input', { class: 'field', autocomplete: 'off', ...attributes }), below)

export function removableChip(text, onclick) {
  const label = t('remove', { what: text })
  return h('button.chip.plain', { type: 'button', title: label, onclick }, text, icon('close', 'close'), unseen(label))
}

export const avatar = (name, isMe) =>
  h(isMe ? 'span.person.me' : 'span.person', { title: name, role: 'img', 'aria-label': name }, [...name][0].toUpperCase())

export function priorityMark(priority) {
  const level = PRIORITIES.indexOf(priority)
  const label = `${t('priority')}: ${t(priority)}`
  const bar = (index) => svg('rect', { x: index * 5, y: 8 - index * 4, width: 3.5, height: 6 + index * 4, rx: 1, class: level > index ? 'on' : '' })
  return svg('svg', { class: `bars ${priority}`, viewBox: '0 0 14 14', role: 'img', 'aria-label': label },
    svg('title', {}, label), ...[0, 1, 2].map(bar))
}
