// For admins: everybody's accounts.

import { api, get } from './api.js'
import { form, reason, showDialog, submitRow, twice } from './dialogs.js'
import { avatar, button, field, h, select } from './elements.js'
import { isMe } from './store.js'
import { t } from './words.js'

const SHOWN = 50

export function showUsers() {
  const list = h('ul.members')
  const wrong = h('p.wrong', { role: 'alert' })
  let q = ''
  const load = async () => list.replaceChildren(...(await get('users', { q, limit: SHOWN })).items.map(row))
  const run = async (...request) => {
    wrong.textContent = await api(...request).then(() => '', reason)
    await load()
  }

  const row = (user) => {
    const { id, name, email, role, is_active: active } = user
    const patch = (body) => run('PATCH', `users/${id}`, { body })
    const roles = [['user', t('roleUser')], ['admin', t('roleAdmin')]]
    return h('li.member.wide', { class: active ? null : 'member wide is-off' }, avatar(name, isMe(id)),
      h('div', name, h('small', active ? email : `${email}, ${t('disabled')}`)),
      select(`${t('role')}: ${name}`, roles, role, (next) => patch({ role: next })),
      !isMe(id) && button(t(active ? 'disable' : 'enable'), () => patch({ is_active: !active }), 'button quiet'),
      !isMe(id) && !active && twice(t('deleteUser'), t('reallyDelete'), () => run('DELETE', `users/${id}`)))
  }
  const create = async (body, element) => {
    await api('POST', 'users', { body })
    element.reset()
    await load()
  }
  const oninput = ({ target }) => {
    q = target.value.trim()
    load()
  }

  showDialog(t('users'),
    field(t('searchUsers'), { type: 'search', oninput, maxlength: 200 }), list, wrong,
    h('details.part', h('summary', t('newUser')),
      form('stack', create,
        field(t('name'), { name: 'name', required: true, maxlength: 200 }),
        field(t('email'), { name: 'email', type: 'email', required: true }),
        field(t('password'), { name: 'password', type: 'password', required: true, autocomplete: 'new-password' }, h('small', t('passwordText'))),
        submitRow(t('create')))))
  load()
}
