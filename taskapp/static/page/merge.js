// Three versions of a task: as it was seen, as it is, and as we want it. What is told apart is an aspect: a field,
// but that due has two.

const DUE = ['due_on', 'due_at']
const PLAIN = ['title', 'description', 'status', 'priority', 'repeat', 'reminders', 'assignee_id', 'parent_id', 'labels', 'project_id']
const ASPECTS = ['due', ...PLAIN]

export const fieldsOfAspect = (aspect) => (aspect === 'due' ? DUE : [aspect])

/** As text, so that two values are equal when the service would say they are. */
function canonical(field, value) {
  if (value == null || value === '') return ''
  if (field === 'due_at') return String(Date.parse(value))
  if (field === 'labels') return JSON.stringify(value.map((label) => label.toLowerCase()).sort())
  if (field === 'repeat') return [value.rule, value.from].join(' ')
  return JSON.stringify(value)
}

const read = (task, aspect) => fieldsOfAspect(aspect).map((field) => canonical(field, task[field])).join(' ')
const same = (aspect, a, b) => read(a, aspect) === read(b, aspect)

const touched = (fields) => ASPECTS.filter((aspect) => fieldsOfAspect(aspect).some((field) => field in fields))

export const differs = (a, b) => ASPECTS.some((aspect) => !same(aspect, a, b))

/** Of what we changed: `ours` is not as we want it yet, `both` they changed as well. */
export function unsettled({ fields, seen }, theirs) {
  const wanted = { ...seen, ...fields }
  const ours = touched(fields).filter((aspect) => !same(aspect, wanted, theirs))
  return { ours, both: ours.filter((aspect) => !same(aspect, seen, theirs)) }
}

/** What only they changed. */
export function mergedAspects({ fields, seen }, theirs) {
  const own = touched(fields)
  return ASPECTS.filter((aspect) => !own.includes(aspect) && !same(aspect, seen, theirs))
}
