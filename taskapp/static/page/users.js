// For admins: everybody's accounts.

import { api, get } from './api.js'
import { avatar, button, field, h, select } from './elements.js'
import { form, reason, showDialog, submit, twice } from './dialogs.js'
import { isMe } from './store.js'
import { t } from './words.js'

const SHOWN = 50

export async function showUsers() {
  const list = h('ul', { class: 'members' })
  const wrong = h('p', { class: 'wrong', role: 'alert' })
  let q = ''
  let number = 0
  const load = async () => {
    const mine = ++number
    const { items } = await get('users', { q, limit: SHOWN })
    if (mine === number) list.replaceChildren(...items.map((user) => row(user, run)))
  }
  const run = async (work) => {
    wrong.textContent = ''
    try {
      await work()
      await load()
    } catch (error) {
      wrong.textContent = reason(error)
    }
  }
  const oninput = ({ target }) => {
    q = target.value.trim()
    run(() => null)
  }

  showDialog(t('users'),
    field(t('searchUsers'), { type: 'search', oninput, maxlength: 200, autocomplete: 'off' }),
    list, wrong, newUser(load))
  await run(() => null)
}

function row(user, run) {
  const path = `users/${user.id}`
  const patch = (body) => run(() => api('PATCH', path, { body }))
  const roles = [['user', t('roleUser')], ['admin', t('roleAdmin')]]
  return h('li', { class: user.is_active ? 'member wide' : 'member wide is-off' }, avatar(user.name, isMe(user.id)),
    h('div', {}, user.name, h('small', {}, user.is_active ? user.email : `${user.email}, ${t('disabled')}`)),
    select(`${t('role')}: ${user.name}`, roles, user.role, (role) => patch({ role })),
    !isMe(user.id) && button(t(user.is_active ? 'disable' : 'enable'), () => patch({ is_active: !user.is_active }), 'button quiet'),
    !isMe(user.id) && !user.is_active && twice(t('deleteUser'), t('reallyDelete'), () => run(() => api('DELETE', path))))
}

function newUser(load) {
  const create = async (body, element) => {
    await api('POST', 'users', { body })
    element.reset()
    await load()
  }
  return h('details', { class: 'part' }, h('summary', {}, t('newUser')),
    form({ class: 'stack' }, create,
      field(t('name'), { name: 'name', required: true, maxlength: 200, autocomplete: 'off' }),
      field(t('email'), { name: 'email', type: 'email', required: true, autocomplete: 'off' }),
      field(t('password'), { name: 'password', type: 'password', required: true, autocomplete: 'new-password' }, h('small', {}, t('passwordText'))),
      h('div', { class: 'row-end' }, submit(t('create')))))
}
