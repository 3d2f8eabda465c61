// Days are "2026-12-04", moments are ISO strings; what is shown is in the reader's zone.

import { getLanguage, locale, t } from './words.js'

const DAY = 86_400_000
const two = (value) => String(value).padStart(2, '0')

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

export const toDay = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
export const fromDay = (day) => new Date(`${day}T00:00:00`)
export const today = () => toDay(new Date())
export const moment = (day, time) => new Date(`${day}T${time}:00`).toISOString()
export const timeOf = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`

export function addDays(day, count) {
  const date = fromDay(day)
  date.setDate(date.getDate() + count)
  return toDay(date)
}

export const daysBetween = (from, to) => Math.round((fromDay(to) - fromDay(from)) / DAY)

const formats = new Map()

function format(date, options) {
  const key = locale() + JSON.stringify(options)
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), options))
  return formats.get(key).format(date)
}

const part = (date, options) => format(date, options).replace('.', '')
const ordinal = (date) => `${date.getDate()}${getLanguage() === 'de' ? '.' : ''}`

/** Today, Tomorrow, Fri 4 Dec; with the year beyond half a year. */
export function dayName(day) {
  const distance = daysBetween(today(), day)
  if (distance === 0) return t('today')
  if (distance === 1) return t('tomorrow')
  if (distance === -1) return t('yesterday')
  const date = fromDay(day)
  const text = `${part(date, { weekday: 'short' })} ${ordinal(date)} ${part(date, { month: 'short' })}`
  return Math.abs(distance) > 180 ? `${text} ${date.getFullYear()}` : text
}

export function longDay(day) {
  const date = fromDay(day)
  const comma = getLanguage() === 'de' ? ',' : ''
  return `${part(date, { weekday: 'long' })}${comma} ${ordinal(date)} ${part(date, { month: 'long' })}`
}

export const weekdayName = (index) => format(new Date(2026, 1, 1 + index), { weekday: 'long' }) // the 1st was a Sunday
export const clock = (date) => format(date, { hour: '2-digit', minute: '2-digit' })
export const momentName = (iso) => `${dayName(toDay(new Date(iso)))}, ${clock(new Date(iso))}`

export function ago(iso) {
  const minutes = Math.round((Date.now() - new Date(iso)) / 60_000)
  if (minutes < 1) return t('now')
  if (minutes < 60) return new Intl.RelativeTimeFormat(locale()).format(-minutes, 'minute')
  return momentName(iso)
}
