// Three versions of a task: as it was seen, as it is, and as we want it. What is told apart is an aspect: a field,
// but that due has two.

const DUE = ['due_on', 'due_at']
const FIELDS = ['title', 'description', 'status', 'priority', 'repeat', 'reminders', 'assignee_id', 'parent_id', 'labels', 'project_id']
const ASPECTS = ['due', ...FIELDS]

export const fieldsOf = (aspect) => (aspect === 'due' ? DUE : [aspect])

/** As text, so that two values are equal when the service would say they are. */
function canonical(field, value) {
  if (value == null || value === '') return ''
  if (field === 'due_at') return String(Date.parse(value))
  if (field === 'labels') return JSON.stringify(value.map((label) => label.toLowerCase()).sort())
  return field === 'repeat' ? `${value.rule} ${value.from}` : JSON.stringify(value)
}

const read = (task, aspect) => fieldsOf(aspect).map((field) => canonical(field, task[field])).join(' ')
const changed = (aspect, a, b) => read(a, aspect) !== read(b, aspect)
const touched = (fields) => ASPECTS.filter((aspect) => fieldsOf(aspect).some((field) => field in fields))

export const differs = (a, b) => ASPECTS.some((aspect) => changed(aspect, a, b))

/** Of what we changed: `ours` is not as we want it yet, `both` they changed as well. */
export function unsettled({ fields, seen }, theirs) {
  const ours = touched(fields).filter((aspect) => changed(aspect, { ...seen, ...fields }, theirs))
  return { ours, both: ours.filter((aspect) => changed(aspect, seen, theirs)) }
}

export const onlyTheirs = ({ fields, seen }, theirs) =>
  ASPECTS.filter((aspect) => !touched(fields).includes(aspect) && changed(aspect, seen, theirs))
