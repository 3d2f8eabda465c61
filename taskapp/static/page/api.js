// Requests to the API, and the session that signs them. Nothing here knows a task.

import { locked, recall, remember } from './browser.js'

export const ROOT = new URL('../../api/v1/', import.meta.url)
const TIMEOUT = 30_000
const TRY_AGAIN = new Set([408, 425, 429, 500, 502, 503, 504])
const BUSY = new Set([502, 503, 504])
const NOT_SIGNED_IN = new Set(['unauthorized', 'invalid-token', 'token-expired', 'token-revoked', 'token-reused'])

// 'reached' and 'unreachable' after a request, 'ended' when the session is over.
export const connection = new EventTarget()
const tell = (name) => connection.dispatchEvent(new Event(name))

/** The service refused; `message` is its own sentence (RFC 9457). */
export class Problem extends Error {
  constructor(status, body, headers) {
    const reasons = (body.errors ?? []).map((error) => error.detail)
    super(reasons.length ? reasons.join(' ') : (body.detail ?? body.title ?? `HTTP ${status}`))
    this.status = status
    this.code = body.code
    this.errors = body.errors ?? []
    this.ticket = body.ticket
    this.requestId = body.request_id ?? headers.get('X-Request-ID')
    this.retryAfter = Number(headers.get('Retry-After')) || null
    this.mayPass = TRY_AGAIN.has(status) || body.code === 'request-in-progress'
  }

  /** Whether the service spoke of this field of the body. */
  about(field) {
    return this.errors.some(({ pointer }) => pointer === `/${field}`)
  }
}

/** No answer came: whether the request arrived is not known. */
export class Unreachable extends Error {
  mayPass = true
}

// The session: a pair of tokens, shared by all windows of this browser. -------------------------------------------

const readSession = () => recall('session')
export const hasSession = () => readSession() !== null

export function beginSession({ access_token, refresh_token, expires_in }) {
  const ends = Date.now() + expires_in * 1000
  remember('session', { access_token, refresh_token, ends })
}

export function forgetSession() {
  remember('session', null)
}

async function renewed(old) {
  return locked('taskapp.session', async () => {
    const current = readSession()
    if (!current) throw ended()
    if (current.refresh_token !== old.refresh_token) return current // another window was faster
    try {
      const { data } = await send('POST', 'auth/refresh', { body: { refresh_token: old.refresh_token } })
      beginSession(data)
      return readSession()
    } catch (error) {
      throw error.mayPass ? error : ended(error)
    }
  })
}

function ended(error) {
  forgetSession()
  tell('ended')
  return error ?? new Problem(401, { code: 'unauthorized' }, new Headers())
}

// Requests -----------------------------------------------------------------------------------------------------------

/**
 * @param {{query?: object, body?: any, form?: FormData, headers?: object, as?: 'json' | 'blob'}} options
 * @returns {Promise<{status: number, data: any, headers: Headers}>}
 * @throws {Problem | Unreachable}
 */
export async function api(method, path, options = {}) {
  let session = readSession()
  if (session && session.ends - Date.now() < 15_000) session = await renewed(session)
  try {
    return await send(method, path, options, session)
  } catch (error) {
    if (!NOT_SIGNED_IN.has(error.code)) throw error
    if (!session) throw ended(error)
    return send(method, path, options, await renewed(session))
  }
}

/** One request as it stands; without a session for whoever is not signed in. */
export async function send(method, path, { query = {}, body, form, headers = {}, as = 'json' } = {}, session = null) {
  const address = new URL(path, ROOT)
  for (const [name, value] of Object.entries(query)) {
    if (value != null && value !== '') address.searchParams.set(name, value)
  }
  const all = new Headers({ Accept: as === 'blob' ? '*/*' : 'application/json', ...headers })
  if (session) all.set('Authorization', `Bearer ${session.access_token}`)
  if (body !== undefined) all.set('Content-Type', 'application/json')
  const content = form ?? (body === undefined ? undefined : JSON.stringify(body))
  const signal = AbortSignal.timeout(form || as === 'blob' ? TIMEOUT * 10 : TIMEOUT)

  let response, data
  try {
    response = await fetch(address, { method, headers: all, body: content, signal })
    data = await read(response, as)
  } catch {
    tell('unreachable')
    throw new Unreachable()
  }
  if (!BUSY.has(response.status)) tell('reached')
  if (response.ok || response.status === 304) return { status: response.status, data, headers: response.headers }
  throw new Problem(response.status, data ?? {}, response.headers)
}

async function read(response, as) {
  if (response.ok && as === 'blob') return response.blob()
  const text = await response.text()
  if (!/json/.test(response.headers.get('Content-Type') ?? '')) return null
  return text ? JSON.parse(text) : null
}

export const get = async (path, query) => (await api('GET', path, { query })).data

/** All items of a list, up to a bound that a person can look through. */
export async function getAll(path, query = {}, most = 1000) {
  const items = []
  let cursor = null
  do {
    const page = await get(path, { limit: 200, ...query, cursor })
    items.push(...page.items)
    cursor = page.next_cursor
  } while (cursor && items.length < most)
  return items
}
