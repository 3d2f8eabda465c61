// Requests to the API, and the session that signs them. Nothing here knows a task.

import { locked, recall, remember } from './browser.js'

export const ROOT = new URL('../../../api/v1/', import.meta.url) // of static/<version>/page/
const TIMEOUT = 30_000
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504])
const AWAY = new Set([502, 503, 504])
const SIGNED_OUT = new Set(['unauthorized', 'invalid-token', 'token-expired', 'token-revoked', 'token-reused'])

// 'reached' and 'unreachable' after a request, 'ended' when the session is over.
export const connection = new EventTarget()
const tell = (name) => connection.dispatchEvent(new Event(name))

/** The service refused; the message is its own sentence (RFC 9457). */
export class Problem extends Error {
  constructor(status, body, headers) {
    super(body.errors?.map(({ detail }) => detail).join(' ') || body.detail || `HTTP ${status}`)
    const { code, ticket, request_id: requestId = headers.get('X-Request-ID') } = body
    const mayPass = PASSING.has(status) || code === 'request-in-progress'
    Object.assign(this, { status, code, ticket, requestId, mayPass, retryAfter: Number(headers.get('Retry-After')) })
  }
}

/** No answer came: whether the request arrived is not known. */
export class Unreachable extends Error {
  mayPass = true
}

// == The session: a pair of tokens, shared by all windows of this browser

export const session = () => recall('session')
export const forgetSession = () => remember('session', null)
export const beginSession = ({ access_token, refresh_token, expires_in }) =>
  remember('session', { access_token, refresh_token, ends: Date.now() + expires_in * 1000 })

const renewed = ({ refresh_token }) =>
  locked('session', async () => {
    const current = session()
    if (!current) throw ended()
    if (current.refresh_token !== refresh_token) return current // another window was faster
    try {
      beginSession((await send('POST', 'auth/refresh', { body: { refresh_token } })).data)
      return session()
    } catch (error) {
      throw error.mayPass ? error : ended(error)
    }
  })

function ended(error = new Problem(401, { code: 'unauthorized' }, new Headers())) {
  forgetSession()
  tell('ended')
  return error
}

// == Requests

/**
 * @param {{query?: object, body?: any, form?: FormData, headers?: object, as?: 'json' | 'blob'}} options
 * @returns {Promise<{status: number, data: any, headers: Headers}>}
 * @throws {Problem | Unreachable}
 */
export async function api(method, path, options = {}) {
  let signed = session()
  if (signed?.ends < Date.now() + 15_000) signed = await renewed(signed)
  try {
    return await send(method, path, options, signed)
  } catch (error) {
    if (!SIGNED_OUT.has(error.code)) throw error
    if (!signed) throw ended(error)
    return send(method, path, options, await renewed(signed))
  }
}

/** One request as it stands; without a session for whoever is not signed in. */
export async function send(method, path, { query = {}, body, form, headers, as = 'json' } = {}, signed = null) {
  const address = new URL(path, ROOT)
  for (const [name, value] of Object.entries(query)) if (value != null && value !== '') address.searchParams.set(name, value)
  const all = new Headers({ Accept: as === 'json' ? 'application/json' : '*/*', ...headers })
  if (signed) all.set('Authorization', `Bearer ${signed.access_token}`)
  if (body) all.set('Content-Type', 'application/json')
  const signal = AbortSignal.timeout(form || as === 'blob' ? TIMEOUT * 10 : TIMEOUT)

  let response, data
  try {
    response = await fetch(address, { method, headers: all, body: form ?? (body && JSON.stringify(body)), signal })
    data = await read(response, as)
  } catch {
    tell('unreachable')
    throw new Unreachable()
  }
  const { status } = response
  if (!AWAY.has(status)) tell('reached')
  if (response.ok || status === 304) return { status, data, headers: response.headers }
  throw new Problem(status, data ?? {}, response.headers)
}

async function read(response, as) {
  if (response.ok && as === 'blob') return response.blob()
  const text = await response.text()
  return text && /json/.test(response.headers.get('Content-Type')) ? JSON.parse(text) : null
}

export const get = async (path, query) => (await api('GET', path, { query })).data

/** The items of a list, up to a bound that a person can look through. */
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
