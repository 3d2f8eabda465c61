// What some browsers, or pages that did not come over TLS, do not have.

/** Runs one at a time among all windows; without TLS there are no locks, and the API's own guards suffice. */
export const locked = (name, run) => (navigator.locks ? navigator.locks.request(`taskapp.${name}`, run) : run())

/** crypto.randomUUID exists over TLS only. */
export const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

const memory = new Map()

/** What this device remembers; a browser that forbids it forgets at the end of the visit. */
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
    localStorage.setItem(`taskapp.${name}`, JSON.stringify(value))
  } catch {
    // It stays in memory.
  }
}

/** A textarea that grows with its text, where CSS alone can't. */
export function growing(textarea) {
  const fit = () => {
    textarea.style.height = 'auto'
    textarea.style.height = `${textarea.scrollHeight + 2}px`
  }
  if (!CSS.supports('field-sizing', 'content')) {
    textarea.addEventListener('input', fit)
    requestAnimationFrame(fit)
  }
  return textarea
}
