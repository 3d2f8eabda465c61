// How the values of a task read: in its panel, its history and a conflict.

import { dayName, momentName } from './dates.js'
import { ruleName } from './repeat.js'
import { personName, projectById, projectName, taskById } from './store.js'
import { t } from './words.js'

export const REMINDERS = { PT0S: 'remind0', '-PT10M': 'remindPT10M', '-PT1H': 'remindPT1H', '-P1D': 'remindP1D', '-P7D': 'remindP7D' }

const NAMES = {
  due_on: 'due', due_at: 'due', assignee_id: 'assignee', project_id: 'project', description: 'notes', parent_id: 'parent',
  external_id: 'externalId',
}

export const fieldName = (field) => t(NAMES[field] ?? field)

export function reminderName(reminder) {
  if (REMINDERS[reminder]) return t(REMINDERS[reminder])
  return /^\d{4}-/.test(reminder) ? momentName(reminder) : reminder
}

const isEmpty = (value) => value == null || value === '' || value.length === 0

const READ = {
  status: t,
  priority: (value) => t(value === 'none' ? 'prioritynone' : value),
  due_on: dayName,
  due_at: momentName,
  assignee_id: personName,
  project_id: (id) => projectName(projectById(id)),
  parent_id: (id) => taskById(id)?.title ?? `#${id}`,
  repeat: ({ rule }) => ruleName(rule),
  reminders: (all) => all.map(reminderName).join(', '),
  labels: (all) => all.map((label) => `#${label}`).join(' '),
}

/** @param value the field's value; of `due` the whole task */
export function readField(field, value) {
  if (field === 'due') return value.due_at ? momentName(value.due_at) : value.due_on ? dayName(value.due_on) : t('none')
  if (isEmpty(value)) return t('empty')
  return READ[field]?.(value) ?? String(value)
}
