// Quick add: reads "Water the fern tomorrow #home !high" and says which words it took for what.
// English and German words are always understood, whatever the language of the page.

import { addDays, daysBetween, fromDay, toDay } from './dates.js'
import { DAY_CODES } from './repeat.js'

const WEEKDAYS = ['sunday|sonntag|so', 'monday|montag|mon|mo', 'tuesday|dienstag|tue|di', 'wednesday|mittwoch|wed|mi', 'thursday|donnerstag|thu|do', 'friday|freitag|fri|fr', 'saturday|samstag|sa']
const MONTHS = ['jan', 'feb', 'mar|mär', 'apr', 'may|mai', 'jun', 'jul', 'aug', 'sep', 'oct|okt', 'nov', 'dec|dez']
const PRIORITIES = { urgent: 'urgent', high: 'high', medium: 'medium', low: 'low', dringend: 'urgent', hoch: 'high', mittel: 'medium', niedrig: 'low' }
const UNITS = { day: 'DAILY', tag: 'DAILY', week: 'WEEKLY', woche: 'WEEKLY', month: 'MONTHLY', monat: 'MONTHLY', year: 'YEARLY', jahr: 'YEARLY' }
const EVERY = '(?:every|jede[nrs]?|alle)'

const indexOfWord = (lists, word) => lists.findIndex((list) => list.split('|').includes(word.toLowerCase()))
const words = (pattern) => new RegExp(`(?<=^|\\s)(?:${pattern})(?=$|\\s)`, 'giu')

// Two letters alone ("so", "do", "mi") are words of other sentences, so a short weekday needs "on", "next" or "am".
const long = WEEKDAYS.flatMap((list) => list.split('|').filter((name) => name.length > 2)).join('|')
const short = WEEKDAYS.flatMap((list) => list.split('|')).join('|')
const units = Object.keys(UNITS).join('|')

const RULES = [
  ['priority', words(`!(${Object.keys(PRIORITIES).join('|')})`), (match) => PRIORITIES[match[1].toLowerCase()]],
  ['label', words('#([\\p{L}\\p{N}_-]{1,50})'), (match) => match[1]],
  ['project', words('\\+([\\p{L}\\p{N}_-]+)'), (match, { projects }) => startingWith(projects, match[1])],
  ['assignee', words('@([\\p{L}\\p{N}_.-]+)'), (match, { people }) => startingWith(people, match[1])],
  ['repeat', words(`${EVERY} (${units})`), (match) => `FREQ=${UNITS[match[1].toLowerCase()]}`],
  ['repeat', words(`${EVERY} ([2-9]|[1-9]\\d) (${units})(?:s|en|n|e)?`), (match) => `FREQ=${UNITS[match[2].toLowerCase()]};INTERVAL=${match[1]}`],
  ['repeat', words(`${EVERY} (?:workday|weekday|werktag)`), () => 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'],
  ['repeat', words(`${EVERY} (${long})`), (match) => `FREQ=WEEKLY;BYDAY=${DAY_CODES[indexOfWord(WEEKDAYS, match[1])]}`],
  ['time', words('(?:at |um )?([01]?\\d|2[0-3]):([0-5]\\d)(?: ?uhr)?'), (match) => `${match[1].padStart(2, '0')}:${match[2]}`],
  ['time', words('(?:at )?(1[0-2]|[1-9]) ?([ap])m'), (match) => `${String((match[1] % 12) + (/p/i.test(match[2]) ? 12 : 0)).padStart(2, '0')}:00`],
  ['time', words('um (1?\\d|2[0-3]) uhr'), (match) => `${match[1].padStart(2, '0')}:00`],
  ['day', words('\\d{4}-\\d{2}-\\d{2}'), (match) => (isNaN(fromDay(match[0])) ? null : match[0])],
  ['day', words('today|heute'), (match, { today }) => today],
  ['day', words('day after tomorrow|übermorgen'), (match, { today }) => addDays(today, 2)],
  ['day', words('tomorrow|morgen'), (match, { today }) => addDays(today, 1)],
  ['day', words('in (\\d{1,3}) (day|tag|week|woche)(?:s|en|n)?'), (match, { today }) => addDays(today, match[1] * (/^w/i.test(match[2]) ? 7 : 1))],
  ['day', words('next week|nächste woche'), (match, { today }) => nextWeekday(today, 1)],
  ['day', words(`(?:on |next |am )(${short})|(${long})`), (match, { today }) => nextWeekday(today, indexOfWord(WEEKDAYS, match[1] ?? match[2]))],
  ['day', words(`(\\d{1,2})\\.? (${MONTHS.join('|')})[a-zä]*`), (match, { today }) => dayOfMonth(today, Number(match[1]), indexOfWord(MONTHS, match[2]))],
  ['day', words('([1-9]|[12]\\d|3[01])\\.(1[0-2]|0?[1-9])\\.'), (match, { today }) => dayOfMonth(today, Number(match[1]), match[2] - 1)],
]

const startingWith = (items, start) => items.find((item) => item.name.toLowerCase().replaceAll(' ', '-').startsWith(start.toLowerCase()))

function nextWeekday(today, number) {
  const distance = (number - fromDay(today).getDay() + 7) % 7
  return addDays(today, distance || 7)
}

function dayOfMonth(today, day, month) {
  const date = new Date(fromDay(today).getFullYear(), month, day)
  if (toDay(date) < today) date.setFullYear(date.getFullYear() + 1)
  return date.getDate() === day ? toDay(date) : null
}

/** The first day of a repeat rule: its weekday, or today. */
export function firstDay(rule, today) {
  const codes = /BYDAY=([A-Z,]+)/.exec(rule)?.[1].split(',')
  if (!codes) return today
  const days = codes.map((code) => addDays(nextWeekday(addDays(today, -1), DAY_CODES.indexOf(code)), 0))
  return days.sort((a, b) => daysBetween(b, a))[0]
}

/** @returns {{title: string, tokens: {kind: string, value: any, word: string}[]}} */
export function readTask(text, context, keptAsText = new Set()) {
  const tokens = []
  let title = text
  for (const [kind, pattern, read] of RULES) {
    for (const match of title.matchAll(pattern)) {
      const word = match[0]
      const value = keptAsText.has(word.toLowerCase()) ? null : read(match, context)
      const taken = kind !== 'label' && tokens.some((token) => token.kind === kind)
      if (value == null || taken) continue
      tokens.push({ kind, value, word })
      title = title.replace(word, ' ')
    }
  }
  tokens.sort((a, b) => text.indexOf(a.word) - text.indexOf(b.word))
  return { title: title.replace(/\s+/g, ' ').trim(), tokens }
}
