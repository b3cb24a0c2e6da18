/** What is remembered between facts: where each user's phones registered from, and what the PSAP was given. */
import type { EmergencyStartedBody } from '@tandem/contracts/emergency.ts'
import { type LocateAnswer, type Located, LocationSource } from '@tandem/contracts/location.ts'
import type { Binding } from '@tandem/contracts/registration.ts'
import type { LastKnown } from './domain/locate-number.ts'

export interface Memory extends LastKnown {
  bound(binding: Binding): void
  removed(binding: Binding): void
  started(body: EmergencyStartedBody): void
  ended(callId: string, at: string, callbackMs: number): void
  sweep(now: number): void
}

interface Source {
  readonly bindingId: string
  readonly address: string
  /** Wall clock, ms. */
  readonly at: number
  readonly expiresAt: number
  readonly removed: boolean
}

interface Given {
  readonly callId: string
  readonly answer: LocateAnswer
  readonly at: number
  until: number
}

/** An emergency call whose end was never heard is forgotten after this, ms. */
const CALL_AT_MOST_MS = 6 * 3_600_000
const REMOVED_KEPT_MS = 60_000
const sources: ReadonlySet<string> = new Set(LocationSource.anyOf.map((s) => s.const))

export function createMemory(now: () => number): Memory {
  const bindings = new Map<string, Map<string, Source>>()
  const given = new Map<string, Given>()

  function put(binding: Binding, removed: boolean): void {
    const ofUser = bindings.get(binding.user) ?? new Map<string, Source>()
    bindings.set(binding.user, ofUser)
    const at = Date.parse(binding.at)
    const before = ofUser.get(binding.bindingId)
    // facts of one binding are ordered by their own time, not by when they are heard
    if (before && (before.at > at || (before.at === at && before.removed))) return
    const expiresAt = removed ? at + REMOVED_KEPT_MS : Date.parse(binding.expiresAt)
    ofUser.set(binding.bindingId, { bindingId: binding.bindingId, address: binding.source, at, expiresAt, removed })
  }

  return {
    bound: (binding) => put(binding, false),
    removed: (binding) => put(binding, true),
    source(user) {
      let newest: Source | undefined
      for (const s of bindings.get(user)?.values() ?? [])
        if (!s.removed && s.expiresAt > now() && (!newest || s.at > newest.at)) newest = s
      return newest && { address: newest.address, at: newest.at }
    },
    started(body) {
      if (body.user === undefined || body.test) return
      const at = Date.parse(body.at)
      const before = given.get(body.user)
      if (before && (before.at > at || before.callId === body.callId)) return
      given.set(body.user, { callId: body.callId, answer: answerOf(body), at, until: at + CALL_AT_MOST_MS })
    },
    ended(callId, at, callbackMs) {
      for (const g of given.values()) if (g.callId === callId) g.until = Date.parse(at) + callbackMs
    },
    emergency(user) {
      const g = given.get(user)
      return g && g.until > now() && g.answer.kind === 'found' ? g.answer : undefined
    },
    sweep(at) {
      for (const [user, g] of given) if (g.until <= at) given.delete(user)
      for (const [user, ofUser] of bindings) {
        for (const [id, s] of ofUser) if (s.expiresAt <= at) ofUser.delete(id)
        if (ofUser.size === 0) bindings.delete(user)
      }
    },
  }
}

function answerOf(body: EmergencyStartedBody): LocateAnswer {
  const { user, callback, site, place, source, routeClass } = body
  const about = { ...(user === undefined ? {} : { user }), ...(callback === undefined ? {} : { callback }) }
  if (!place) return { kind: 'unknown', why: 'the emergency call had no place', routeClass: 'screened', ...about }
  return {
    ...{ kind: 'found', place, routeClass, determinedAt: body.at, confidence: 0.6, ...about },
    source: source !== undefined && sources.has(source) ? (source as Located['source']) : 'static',
    ...(site === undefined ? {} : { site }),
  }
}
