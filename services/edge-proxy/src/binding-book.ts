/** What the registrar remembers: who is bound, here over which flow, or at another edge. No timers, nothing told. */
import type { BoundContact } from './domain/registrar.ts'
import type { Wire } from './edge.ts'

export interface BindingBook {
  /** Bound anywhere. */
  of(user: string): readonly BoundContact[]
  /** Bound over a flow of this edge. */
  here(user: string): readonly BoundContact[]
  users(): readonly string[]
  find(bindingId: string): { readonly user: string; readonly binding: BoundContact } | undefined
  /** These are the user's bindings now. */
  set(user: string, bindings: readonly BoundContact[]): void
  /** The flow of a binding of this edge. */
  wire(bindingId: string): Wire | undefined
  /** Over this flow of this edge from now on. */
  bind(user: string, binding: BoundContact, wire: Wire): void
  /** Over no flow of this edge any more. */
  release(binding: BoundContact): void
  /** Bindings on a flow of this edge, with their users. */
  on(flow: string): ReadonlyMap<string, string>
  /** The user whose devices have this GRUU session. */
  ofSession(session: string): string | undefined
  /** Bindings over flows of this edge. */
  count(): number
}

const NONE: ReadonlyMap<string, string> = new Map()

export function createBindingBook(): BindingBook {
  const users = new Map<string, readonly BoundContact[]>()
  const userOf = new Map<string, string>()
  const wires = new Map<string, Wire>()
  const flows = new Map<string, Map<string, string>>()
  const sessions = new Map<string, string>()

  const of = (user: string) => users.get(user) ?? []

  const leave = (flow: string, bindingId: string) => {
    const on = flows.get(flow)
    on?.delete(bindingId)
    if (on?.size === 0) flows.delete(flow)
  }

  return {
    of,
    here: (user) => of(user).filter((b) => wires.has(b.bindingId)),
    users: () => [...users.keys()],
    find(bindingId) {
      const user = userOf.get(bindingId)
      const binding = user === undefined ? undefined : of(user).find((b) => b.bindingId === bindingId)
      return user === undefined || binding === undefined ? undefined : { user, binding }
    },
    set(user, bindings) {
      for (const b of of(user)) {
        userOf.delete(b.bindingId)
        // RFC 5627 5.3: temporary GRUUs end with the last contact of their instance
        if (b.session !== undefined) sessions.delete(b.session)
      }
      if (bindings.length === 0) users.delete(user)
      else users.set(user, bindings)
      for (const b of bindings) {
        userOf.set(b.bindingId, user)
        if (b.session !== undefined) sessions.set(b.session, user)
      }
    },
    wire: (bindingId) => wires.get(bindingId),
    bind(user, { bindingId, flow }, wire) {
      wires.set(bindingId, wire)
      const on = flows.get(flow)
      if (on) on.set(bindingId, user)
      else flows.set(flow, new Map([[bindingId, user]]))
    },
    release({ bindingId, flow }) {
      wires.delete(bindingId)
      leave(flow, bindingId)
    },
    on: (flow) => flows.get(flow) ?? NONE,
    ofSession: (session) => sessions.get(session),
    count: () => wires.size,
  }
}
