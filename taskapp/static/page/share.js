// Projects and their people: a new one, its name, members and roles, archiving, invitations.

import { api, getAll } from './api.js'
import { closeDialog, form, reason, showDialog, submit, submitRow, twice } from './dialogs.js'
import { avatar, button, field, h, icon, iconButton, select } from './elements.js'
import { loadMembers, loadProjects } from './lists.js'
import { go, isMe, membersOf, projectById, say, state } from './store.js'
import { t } from './words.js'

const ROLES = ['owner', 'editor', 'viewer']

export function showNewProject() {
  const create = async ({ name }) => {
    const { data } = await api('POST', 'projects', { body: { name } })
    await loadProjects()
    closeDialog()
    go({ view: `project:${data.id}`, mode: 'list', task: null })
  }
  showDialog(t('newProject'),
    form('stack', create, field(t('name'), { name: 'name', required: true, maxlength: 200, autofocus: true }), submitRow(t('create'))))
}

/** Everything about a project; `wrong` is what the last press could not do. */
export async function showProject(id, wrong = '') {
  const project = projectById(id)
  if (!project) return closeDialog()
  const path = `projects/${id}`
  const owner = project.role === 'owner'
  const guests = owner && state.me.email_verified != null ? await getAll(`${path}/invitations`).catch(() => []) : []
  const run = async (method, where, body) => {
    const refused = await api(method, where, { body }).then(() => '', reason)
    await Promise.all([loadMembers(id).catch(() => null), loadProjects()])
    showProject(id, refused)
  }

  const member = ({ user_id, name, email, role }) => {
    const where = `${path}/members/${user_id}`
    const label = isMe(user_id) ? t('leave') : t('remove', { what: name })
    return h('li.member', avatar(name, isMe(user_id)),
      h('div', isMe(user_id) ? `${name} (${t('you')})` : name, h('small', email)),
      owner ? select(`${t('role')}: ${name}`, ROLES.map((one) => [one, t(one)]), role, (next) => run('PATCH', where, { role: next })) : h('span', t(role)),
      (owner || isMe(user_id)) && iconButton('close', label, () => run('DELETE', where)))
  }
  const guest = ({ id: invitation, email, role }) => h('li.member', icon('mine'),
    h('div', email, h('small', t('invited'))), h('span', t(role)),
    iconButton('close', t('remove', { what: email }), () => run('DELETE', `${path}/invitations/${invitation}`)))
  const rename = ({ target }) => target.value.trim() && run('PATCH', path, { name: target.value.trim() })
  const archived_at = project.archived_at ? null : new Date().toISOString()

  showDialog(owner ? t('shareTitle', project) : project.name,
    owner && field(t('name'), { value: project.name, maxlength: 200, onchange: rename }),
    h('ul.members', membersOf(id).map(member), guests.map(guest)),
    h('p.wrong', { role: 'alert' }, wrong),
    owner && invite(id, path),
    h('dl.roles', ROLES.map((role) => [h('dt', t(role)), h('dd', t(`${role}Text`))])),
    owner && [
      h('div.archive', h('p', t(archived_at ? 'archiveText' : 'unarchiveText')),
        button(t(archived_at ? 'archive' : 'unarchive'), () => run('PATCH', path, { archived_at }))),
      h('div.archive', h('p', t('deleteProjectText')), twice(t('deleteProject'), t('reallyDelete'), () => run('DELETE', path))),
    ])
}

function invite(id, path) {
  const add = async (body) => {
    const { status } = await api('POST', `${path}/members`, { body })
    await loadMembers(id)
    await showProject(id)
    if (status === 202) say(t('saidInvited', body))
  }
  return form('inviter', add,
    field(t('email'), { type: 'email', name: 'email', required: true, placeholder: 'name@example.org' }),
    h('label.labelled', t('role'), h('select.field', { name: 'role' }, ['editor', 'viewer', 'owner'].map((role) => h('option', { value: role }, t(role))))),
    submit(t('invite')))
}

/** Invitations to us. */
export function showInvitations() {
  const answer = (id, how) => async () => {
    await api('POST', `invitations/${id}/${how}`).catch((error) => say(reason(error)))
    await loadProjects()
    if (state.invitations.length) showInvitations()
    else closeDialog()
  }
  showDialog(t('invitations', { n: state.invitations.length }),
    h('ul.members', state.invitations.map(({ id, project_name, role }) => h('li.member.wide', icon('people'),
      h('div', project_name, h('small', `${t('role')}: ${t(role)}`)),
      button(t('accept'), answer(id, 'accept')), button(t('decline'), answer(id, 'decline'), 'button quiet')))))
}
