/** A binding as calls see it: with the way to its phone as it is at the moment that it is asked for. */
import type { LiveBinding, Wire } from '../edge.ts'
import { type BoundContact, preference } from './registrar.ts'

/** `others`: further flows of the same device (RFC 5626 7). */
export function liveBinding(
  user: string,
  b: BoundContact,
  others: readonly BoundContact[],
  wireOf: (binding: BoundContact) => Wire | undefined,
): LiveBinding {
  return {
    bindingId: b.bindingId,
    user,
    contact: b.contact,
    path: b.path,
    source: b.source,
    site: b.site,
    expiresAt: b.expiresAt,
    instance: b.instance,
    q: preference(b.contact),
    wire() {
      const wire = wireOf(b)
      return wire?.alive ? wire : undefined
    },
    other() {
      const at = others.findIndex((o) => wireOf(o)?.alive)
      const found = others[at]
      return found && liveBinding(user, found, others.slice(at + 1), wireOf)
    },
  }
}
