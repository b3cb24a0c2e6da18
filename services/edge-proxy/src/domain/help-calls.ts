/**
 * Who has called for help and may be called back (RFC 6881 ED-68, SP-35; docs/adr/0115): from the emergency call until
 * `emergency.callback` after its end a call to that number is no ordinary one. Pure: times are wall clock, ms.
 */
import type { LiveBinding } from '../edge.ts'

export interface HelpCall {
  readonly callId: string
  /** E.164 that the PSAP was given. */
  readonly callback: string
  readonly user: string
  /** The device: its +sip.instance, if it told one, and the address:port that its INVITE came from. */
  readonly instance: string | undefined
  readonly source: string
  readonly at: number
}

export interface HelpCalls {
  began(call: HelpCall): void
  /** `until`: so long after the end it may be called back. */
  ended(callId: string, until: number): void
  /** Calls for help whose number is just this one. */
  of(number: string, now: number): readonly HelpCall[]
  /** The same for a number as a carrier may write it: with or without plus, country code or trunk prefix. */
  like(written: string, now: number): readonly HelpCall[]
}

/** The end of an emergency call was never heard: it is remembered so long, ms. */
const AT_MOST_MS = 6 * 3_600_000
/** As many as are remembered, the newest: a flood of calls for help takes no more memory. */
const MOST = 10_000
/** Behind one number, as the ELIN of a site, so many phones ring. */
const TOGETHER = 8
/** Fewer digits may be anybody's. */
const DIGITS = 7

export function createHelpCalls(): HelpCalls {
  const calls = new Map<string, HelpCall>()
  /** Also of calls whose beginning has still to be heard. */
  const over = new Map<string, number>()

  const isPast = (call: HelpCall, now: number): boolean => now > (over.get(call.callId) ?? call.at + AT_MOST_MS)
  const fits = (now: number, which: (call: HelpCall) => boolean): HelpCall[] =>
    [...calls.values()].filter((call) => !isPast(call, now) && which(call)).slice(-TOGETHER)

  /** So that calls from carriers are compared with the calls for help of the last hours only. */
  const forget = (now: number): void => {
    for (const call of calls.values()) {
      if (!isPast(call, now)) continue
      calls.delete(call.callId)
      over.delete(call.callId)
    }
  }
  return {
    began(call) {
      const known = calls.get(call.callId)
      // what this edge knows of its own call goes before what it hears of it
      if (known) return
      forget(call.at)
      calls.set(call.callId, call)
      dropOldest(calls)
    },
    ended(callId, until) {
      over.set(callId, until)
      dropOldest(over)
    },
    of: (number, now) => (calls.size === 0 ? [] : fits(now, (call) => call.callback === number)),
    like(written, now) {
      if (calls.size === 0) return []
      const digits = written.replace(/\D/g, '').replace(/^0+/, '')
      if (digits.length < DIGITS) return []
      return fits(now, ({ callback }) => {
        const own = callback.slice(1)
        return own.endsWith(digits) || digits.endsWith(own)
      })
    },
  }
}

function dropOldest(map: Map<string, unknown>): void {
  const oldest = map.size > MOST ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
}

/** SP-35: the phone that called for help, when it is there; else all phones of its user. */
export function phonesOf(calls: readonly HelpCall[], bindings: readonly LiveBinding[]): readonly LiveBinding[] {
  for (const own of [
    (b: LiveBinding) => calls.some((c) => c.instance !== undefined && c.instance === b.instance),
    (b: LiveBinding) => calls.some((c) => c.source === b.source),
  ]) {
    const found = bindings.filter(own)
    if (found.length > 0) return found
  }
  return bindings
}
