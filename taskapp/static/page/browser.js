// What some browsers, or pages that did not come over TLS, do not have.

/** Runs one at a time among all windows; without TLS there are no locks, and the API's own guards suffice. */
export const locked = (name, run) => (navigator.locks ? navigator.locks.request(name, run) : run())

/** A random key; crypto.randomUUID exists over TLS only. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('taskapp') : null

/** Tells the other windows of this browser. */
export const tellWindows = (message) => channel?.postMessage(message)
export const onWindowMessage = (run) => channel?.addEventListener('message', ({ data }) => run(data))

/** What this device remembers; a browser that forbids it forgets at the end of the visit. */
const memory = new Map()

export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`taskapp.${name}`))
  } catch {
    return memory.get(name) ?? null
  }
}

export function remember(name, value) {
  memory.set(name, value)
  try {
    if (value == null) localStorage.removeItem(`taskapp.${name}`)
    else localStorage.setItem(`taskapp.${name}`, JSON.stringify(value))
  } catch {
    // It stays in memory.
  }
}

/** Textareas that grow with their text, where the browser's CSS can't. */
export function grows(textarea) {
  if (CSS.supports('field-sizing', 'content')) return textarea
  const fit = () => {
    textarea.style.height = 'auto'
    textarea.style.height = `${textarea.scrollHeight + 2}px`
  }
  textarea.addEventListener('input', fit)
  requestAnimationFrame(fit)
  return textarea
}
