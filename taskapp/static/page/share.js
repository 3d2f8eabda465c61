// Projects and their people: a new one, its name, members and roles, archiving, invitations.

import { api, getAll } from './api.js'
import { avatar, button, field, h, icon, iconButton, select } from './elements.js'
import { closeDialog, form, reason, showDialog, submit, twice } from './dialogs.js'
import { loadMembers, loadProjects } from './session.js'
import { changed, go, isMe, membersOf, projectById, say, state } from './store.js'
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
    form({ class: 'stack' }, create,
      field(t('name'), { name: 'name', required: true, maxlength: 200, autocomplete: 'off', autofocus: true }),
      h('div', { class: 'row-end' }, submit(t('create')))))
}

/** Everything about a project; `wrong` is what the last press could not do. */
export async function showProject({ id }, wrong = null) {
  const project = projectById(id)
  if (!project) return closeDialog()
  if (project.kind === 'inbox') return
  const owner = project.role === 'owner'
  const pending = owner ? await invitationsOf(id) : []
  const members = membersOf(id)
  const again = (problem = null) => showProject({ id }, problem)
  const run = async (work) => {
    try {
      await work()
      await Promise.all([loadMembers(id), loadProjects()])
      again()
    } catch (error) {
      again(reason(error))
    }
  }

  showDialog(owner ? t('shareTitle', project) : project.name,
    owner && rename(project, run),
    h('ul', { class: 'members' },
      members.map((one) => member(project, one, owner, run)),
      pending.map((one) => guest(project, one, run))),
    wrong && h('p', { class: 'wrong', role: 'alert' }, wrong),
    owner && invite(project, again),
    h('dl', { class: 'roles' }, ROLES.map((role) => [h('dt', {}, t(role)), h('dd', {}, t(`${role}Text`))])),
    owner && archive(project, run),
    owner && remove(project))
}

async function invitationsOf(id) {
  return getAll(`projects/${id}/invitations`).catch(() => [])
}

function rename(project, run) {
  const onchange = ({ target }) => {
    const name = target.value.trim()
    if (name && name !== project.name) run(() => api('PATCH', `projects/${project.id}`, { body: { name } }))
  }
  return field(t('name'), { name: 'name', value: project.name, maxlength: 200, onchange, autocomplete: 'off' })
}

function member(project, { user_id, name, email, role }, owner, run) {
  const path = `projects/${project.id}/members/${user_id}`
  const setRole = (next) => run(() => api('PATCH', path, { body: { role: next } }))
  const leave = async () => {
    await run(() => api('DELETE', path))
    if (isMe(user_id)) go({ view: 'today', task: null })
  }
  const label = isMe(user_id) ? t('leave') : t('remove', { what: name })
  return h('li', { class: 'member' }, avatar(name, isMe(user_id)),
    h('div', {}, isMe(user_id) ? `${name} (${t('you')})` : name, h('small', {}, email)),
    owner ? select(`${t('role')}: ${name}`, ROLES.map((one) => [one, t(one)]), role, setRole) : h('span', {}, t(role)),
    (owner || isMe(user_id)) && iconButton('close', label, leave))
}

function guest(project, { id, email, role }, run) {
  const withdraw = () => run(() => api('DELETE', `projects/${project.id}/invitations/${id}`))
  return h('li', { class: 'member' }, icon('mine'),
    h('div', {}, email, h('small', {}, t('invited'))), h('span', {}, t(role)),
    iconButton('close', t('remove', { what: email }), withdraw))
}

function invite(project, again) {
  const add = async (values, element) => {
    const { data, status } = await api('POST', `projects/${project.id}/members`, { body: values })
    element.reset()
    await loadMembers(project.id)
    changed()
    await again()
    if (status === 202) say(t('saidInvited', data))
  }
  return form({ class: 'inviter' }, add,
    field(t('email'), { type: 'email', name: 'email', required: true, placeholder: 'name@example.org', autocomplete: 'off' }),
    h('label', { class: 'labelled' }, t('role'), h('select', { name: 'role', class: 'field' },
      ['editor', 'viewer', 'owner'].map((role) => h('option', { value: role }, t(role))))),
    submit(t('invite')))
}

function archive(project, run) {
  const archived = Boolean(project.archived_at)
  const archived_at = archived ? null : new Date().toISOString()
  const toggle = () => run(() => api('PATCH', `projects/${project.id}`, { body: { archived_at } }))
  return h('div', { class: 'archive' }, h('p', {}, t(archived ? 'unarchiveText' : 'archiveText')),
    button(t(archived ? 'unarchive' : 'archive'), toggle))
}

function remove(project) {
  const run = async () => {
    try {
      await api('DELETE', `projects/${project.id}`)
      closeDialog()
      go({ view: 'today', mode: 'list', task: null })
      await loadProjects()
    } catch (error) {
      showProject(project, reason(error))
    }
  }
  return h('div', { class: 'archive' }, h('p', {}, t('deleteProjectText')), twice(t('deleteProject'), t('reallyDelete'), run))
}

/** Invitations to us. */
export function showInvitations() {
  const answer = (one, how) => async () => {
    await api('POST', `invitations/${one.id}/${how}`).catch((error) => say(reason(error)))
    await loadProjects()
    if (state.invitations.length) showInvitations()
    else closeDialog()
  }
  showDialog(t('invitations', { n: state.invitations.length }),
    h('ul', { class: 'members' }, state.invitations.map((one) => h('li', { class: 'member' }, icon('people'),
      h('div', {}, one.project_name, h('small', {}, `${t('role')}: ${t(one.role)}`)),
      button(t('accept'), answer(one, 'accept')),
      button(t('decline'), answer(one, 'decline'), 'button quiet')))))
}

