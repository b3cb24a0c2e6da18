/** Which contacts of a user are rung, in which order (RFC 3261 16.6, RFC 5626 7). */
import { type BoundContact, inOrder } from './registrar.ts'

/** A device that is rung, and its other flows for when the first one fails. */
export interface Target {
  readonly binding: BoundContact
  /** Newest first; none for a contact that is no flow of an instance. */
  readonly others: readonly BoundContact[]
}

/**
 * RFC 5626 7: never more than one contact with the same instance at a time; `alive` ones come first. A device that was
 * started anew without reg-id has a contact of its own each time: these ring together, as RFC 3261 has it.
 */
export function targets(bindings: readonly BoundContact[], alive: (b: BoundContact) => boolean): readonly Target[] {
  const flows = new Map<string, BoundContact[]>()
  const found: Target[] = []
  for (const binding of inOrder(bindings).toSorted((a, b) => Number(alive(b)) - Number(alive(a)))) {
    if (binding.instance === undefined || binding.regId === undefined) {
      found.push({ binding, others: [] })
      continue
    }
    const known = flows.get(binding.instance)
    if (known) {
      known.push(binding)
      continue
    }
    const others: BoundContact[] = []
    flows.set(binding.instance, others)
    found.push({ binding, others })
  }
  return found
}

/** RFC 3261 16.6: those of equal q ring together, the next lower ones when they have failed. */
export function byPreference<T extends { readonly q: number }>(found: readonly T[]): readonly (readonly T[])[] {
  const levels = [...new Set(found.map((t) => t.q))].sort((a, b) => b - a)
  return levels.map((q) => found.filter((t) => t.q === q))
}
