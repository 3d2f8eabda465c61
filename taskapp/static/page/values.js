// How the values of a task read: in its panel, its history and a conflict.

import { dayName, momentName } from './dates.js'
import { ruleName } from './repeat.js'
import { personName, projectById, projectName, taskById } from './store.js'
import { t } from './words.js'

export const REMINDERS = { PT0S: 'remind0', '-PT10M': 'remind10M', '-PT1H': 'remind1H', '-P1D': 'remind1D', '-P7D': 'remind7D' }

const NAMES = { due_on: 'due', due_at: 'due', assignee_id: 'assignee', project_id: 'project', description: 'notes', parent_id: 'parent', external_id: 'externalId' }

export const fieldName = (field) => t(NAMES[field] ?? field)

export function reminderName(reminder) {
  if (REMINDERS[reminder]) return t(REMINDERS[reminder])
  return /^\d{4}-/.test(reminder) ? momentName(reminder) : reminder
}

const READ = {
  status: t,
  priority: (value) => t(value === 'none' ? 'prioritynone' : value),
  due_on: dayName,
  due_at: momentName,
  due: ({ due_on, due_at }) => (due_at ? momentName(due_at) : due_on ? dayName(due_on) : t('none')),
  assignee_id: personName,
  project_id: (id) => projectName(projectById(id)),
  parent_id: (id) => taskById(id)?.title ?? `#${id}`,
  repeat: ({ rule }) => ruleName(rule),
  reminders: (all) => all.map(reminderName).join(', '),
  labels: (all) => all.map((label) => `#${label}`).join(' '),
}

/** @param value the field's value; of `due` the whole task */
export function readField(field, value) {
  if (value == null || value === '' || value.length === 0) return t('empty')
  return READ[field]?.(value) ?? String(value)
}
