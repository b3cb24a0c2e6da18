/** Everything that is known of every user, and what each of them is shown as. No clock of its own: time comes in. */
import type { PresenceState } from '@tandem/contracts/presence.ts'
import { aggregateHeld, defaultPrecedence, type Level } from './aggregate.ts'
import { forgettable, type Held, hold, instanceKey, type Publication } from './publication.ts'
import { type Coverage, differs, stateOf } from './show.ts'

export interface Roster {
  /** Takes a publication in; the new state when others can see a difference. Unknown users are not taken. */
  take(publication: Publication, now: number): PresenceState | undefined
  /** What time alone has changed: leases that ran out. */
  sweep(now: number): PresenceState[]
  state(user: string): PresenceState | undefined
  states(): Iterable<PresenceState>
  /** Users that are gone are forgotten, new ones are offline. The states that changed. */
  configure(users: ReadonlyMap<string, Coverage>, now: number): PresenceState[]
  /** Publications held, for the metrics. */
  size(): number
}

interface Entry {
  readonly held: Map<string, Held>
  state: PresenceState
  coverage: Coverage
  /** Nothing changes by itself before, ms. */
  next: number
  /** True until something was said of the user. */
  fresh: boolean
}

/** `firstVersion`: versions go up from here; the wall clock in seconds never goes back over a restart. */
export function createRoster(firstVersion: number, precedence: readonly Level[] = defaultPrecedence): Roster {
  const entries = new Map<string, Entry>()

  function look(user: string, entry: Entry, now: number): PresenceState | undefined {
    const presence = aggregateHeld(entry.held.values(), now, precedence)
    entry.next = nextChange(entry.held, now)
    const began = presence.level === 'in-a-call' || entry.fresh ? (presence.since ?? now) : now
    const version = entry.state.version + 1
    const state = stateOf(user, presence, { since: Math.min(began, now), version, coverage: entry.coverage })
    entry.fresh = false
    if (!differs(entry.state, state)) return undefined
    entry.state = state
    return state
  }

  return {
    take(publication, now) {
      const entry = entries.get(publication.user)
      if (!entry) return undefined
      const key = instanceKey(publication)
      const before = entry.held.get(key)
      const held = hold(before, publication)
      if (before && held.newest === before.newest && held.content === before.content) return undefined
      if (!before && forgettable(held, now)) return undefined
      entry.held.set(key, held)
      return look(publication.user, entry, now)
    },
    sweep(now) {
      const changed: PresenceState[] = []
      for (const [user, entry] of entries) {
        if (entry.next > now) continue
        for (const [key, held] of entry.held) if (forgettable(held, now)) entry.held.delete(key)
        const state = look(user, entry, now)
        if (state) changed.push(state)
      }
      return changed
    },
    state: (user) => entries.get(user)?.state,
    *states() {
      for (const entry of entries.values()) yield entry.state
    },
    configure(users, now) {
      for (const user of entries.keys()) if (!users.has(user)) entries.delete(user)
      const changed: PresenceState[] = []
      // made once: a large configuration brings tens of thousands
      const offline = stateOf('', aggregateHeld([], now), { since: now, version: firstVersion, coverage: 'none' })
      for (const [user, coverage] of users) {
        const entry = entries.get(user)
        if (!entry) entries.set(user, newcomer({ ...offline, user, coverage }, coverage))
        else if (entry.coverage !== coverage) {
          entry.coverage = coverage
          const state = look(user, entry, now)
          if (state) changed.push(state)
        }
      }
      return changed
    },
    size: () => [...entries.values()].reduce((sum, entry) => sum + entry.held.size, 0),
  }
}

function newcomer(state: PresenceState, coverage: Coverage): Entry {
  return { held: new Map(), state, coverage, next: Number.POSITIVE_INFINITY, fresh: true }
}

function nextChange(held: ReadonlyMap<string, Held>, now: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const { newest } of held.values()) next = Math.min(next, Math.max(newest.expires, now + 1))
  return next
}
