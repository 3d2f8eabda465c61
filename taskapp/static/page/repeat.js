// Repeat rules (RFC 5545) in words. What has no words here is shown as it is.

import { weekdayName } from './dates.js'
import { t } from './words.js'

const WORKDAYS = 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'

export const REPEATS = {
  'FREQ=DAILY': 'daily',
  [WORKDAYS]: 'workdays',
  'FREQ=WEEKLY': 'weekly',
  'FREQ=WEEKLY;INTERVAL=2': 'fortnightly',
  'FREQ=MONTHLY': 'monthly',
  'FREQ=YEARLY': 'yearly',
}

const UNITS = { DAILY: 'everyDays', WEEKLY: 'everyWeeks', MONTHLY: 'everyMonths', YEARLY: 'everyYears' }
export const DAY_CODES = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']

export function ruleName(rule) {
  if (REPEATS[rule]) return t(REPEATS[rule])
  const every = /^FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY);INTERVAL=(\d+)$/.exec(rule)
  if (every) return t(UNITS[every[1]], { n: Number(every[2]) })
  const weekday = /^FREQ=WEEKLY;BYDAY=(SU|MO|TU|WE|TH|FR|SA)$/.exec(rule)
  if (weekday) return t('everyWeekday', { day: weekdayName(DAY_CODES.indexOf(weekday[1])) })
  return rule
}
