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
  const wanted = view === 'today' || view === 'all' || view === 'done' || view.startsWith('project:')
  const { stats } = state
  $('figures').hidden = !wanted || mode === 'board' || Boolean(state.query) || !stats
  if (!stats) return
  const now = JSON.stringify([stats, getLanguage(), state.members.size])
  if (now === shows) return
  shows = now
  $('figures').setAttribute('aria-label', t('numbers'))
  $('figures').replaceChildren(...plots(stats))
}

function plots(stats) {
  const open = stats.status.todo + stats.status.in_progress
  if (open === 0) return [perDay(stats.done_per_day)]
  const ages = stats.open_by_age ? [bars('byAge', stats.open_by_age.map(age))] : []
  const people = stats.assignee.length > 1 ? [bars('byPerson', byPerson(stats.assignee))] : []
  return [perDay(stats.done_per_day), ...ages, ...people]
}

const age = ({ under_days: days, count }) => [t(days ? `age${days}` : 'ageOlder'), count]

/** Ourselves first, nobody last, and of many those who have most. */
function byPerson(counts) {
  const order = ({ user_id: id, count }) => (isMe(id) ? -Infinity : id == null ? Infinity : -count)
  return [...counts]
    .sort((a, b) => order(a) - order(b))
    .slice(0, MOST_PEOPLE)
    .map(({ user_id: id, count }) => [personName(id), count])
}

function perDay(days) {
  const counts = days.map(({ count }) => count)
  const max = Math.max(1, ...counts)
  const sum = counts.reduce((a, b) => a + b, 0)
  const bar = ({ date, count }, index) => {
    const height = count ? (count / max) * (HEIGHT - 2) + 1 : 2
    const last = index === days.length - 1
    const attributes = { x: index * 8, y: HEIGHT + 1 - height, width: 5, height, rx: 1, class: last && count ? 'now' : count ? '' : 'zero' }
    return svg('rect', attributes, svg('title', {}, `${dayName(date)}: ${number(count)}`))
  }
  const most = days.find(({ count }) => count === max)
  const label = sum ? t('most', { n: sum, date: dayName(most.date), max }) : t('nothingDone')
  return h('figure', {},
    h('figcaption', {}, t('perDay'), h('small', {}, t('perDayText', { n: sum }))),
    svg('svg', { viewBox: `0 0 ${days.length * 8 - 3} ${HEIGHT + 1}`, role: 'img', 'aria-label': `${t('perDay')}: ${label}` }, ...days.map(bar)),
    h('div', { class: 'axis', 'aria-hidden': 'true' }, h('span', {}, t('daysAgo')), h('span', {}, t('today'))))
}

function bars(name, rows) {
  const max = Math.max(1, ...rows.map(([, count]) => count))
  const bar = (count) => {
    const attributes = { width: Math.max(1, (count / max) * 100), height: 8, class: count ? '' : 'zero' }
    return svg('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('rect', attributes))
  }
  return h('figure', {},
    h('figcaption', {}, t(name)),
    h('dl', { class: 'amounts' }, rows.map(([label, count]) =>
      h('div', {}, h('dt', {}, label), h('dd', {}, bar(count), h('span', {}, number(count)))))))
}
