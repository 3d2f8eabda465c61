// Small plots, in the margin where there is one. Each says in words what it shows.

import { dayName } from './dates.js'
import { $, h, svg } from './elements.js'
import { isMe, personName, route, state } from './store.js'
import { getLanguage, number, t } from './words.js'

const HEIGHT = 56
const MOST_PEOPLE = 6
let shows = null

export function renderFigures() {
  const { view, mode } = route()
  const { stats } = state
  const wanted = /^(today|all|done|project:.*)$/.test(view) && mode === 'list' && !state.query
  $('figures').hidden = !wanted || !stats
  const now = JSON.stringify([stats, getLanguage(), state.members.size])
  if (!stats || now === shows) return
  shows = now
  $('figures').setAttribute('aria-label', t('numbers'))
  $('figures').replaceChildren(...plots(stats))
}

function plots({ status, done_per_day, open_by_age: ages, assignee: people }) {
  const open = status.todo + status.in_progress > 0
  const age = ({ under_days: days, count }) => [t(days ? `age${days}` : 'ageOlder'), count]
  return [
    perDay(done_per_day),
    ...(open && ages ? [bars('byAge', ages.map(age))] : []),
    ...(open && people.length > 1 ? [bars('byPerson', byPerson(people))] : []),
  ]
}

/** Ourselves first, nobody last, and of many those who have most. */
function byPerson(counts) {
  const order = ({ user_id: id, count }) => (isMe(id) ? -Infinity : id == null ? Infinity : -count)
  const sorted = [...counts].sort((a, b) => order(a) - order(b)).slice(0, MOST_PEOPLE)
  return sorted.map(({ user_id: id, count }) => [personName(id), count])
}

function perDay(days) {
  const counts = days.map(({ count }) => count)
  const max = Math.max(1, ...counts)
  const n = counts.reduce((a, b) => a + b, 0)
  const bar = ({ date, count }, index) => {
    const height = count ? (count / max) * (HEIGHT - 2) + 1 : 2
    const look = count ? (index === days.length - 1 ? 'now' : '') : 'zero'
    return svg('rect', { x: index * 8, y: HEIGHT + 1 - height, width: 5, height, rx: 1, class: look }, svg('title', {}, `${dayName(date)}: ${number(count)}`))
  }
  const label = n ? t('most', { n, date: dayName(days[counts.indexOf(max)].date), max }) : t('nothingDone')
  return h('figure',
    h('figcaption', t('perDay'), h('small', t('perDayText', { n }))),
    svg('svg', { viewBox: `0 0 ${days.length * 8 - 3} ${HEIGHT + 1}`, role: 'img', 'aria-label': `${t('perDay')}: ${label}` }, ...days.map(bar)),
    h('div.axis', { 'aria-hidden': 'true' }, h('span', t('daysAgo')), h('span', t('today'))))
}

function bars(name, rows) {
  const max = Math.max(1, ...rows.map(([, count]) => count))
  const bar = (count) => svg('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { width: Math.max(1, (count / max) * 100), height: 8, class: count ? '' : 'zero' }))
  const line = ([label, count]) => h('div', h('dt', label), h('dd', bar(count), h('span', number(count))))
  return h('figure', h('figcaption', t(name)), h('dl.amounts', rows.map(line)))
}
