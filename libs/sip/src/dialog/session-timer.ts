/**
 * Session timer (RFC 4028) as pure functions: what to write into INVITE, UPDATE and their 2xx, what was agreed, and
 * when to refresh or give up. Intervals are seconds as on the wire; deadlines are ms from the 2xx.
 */
import type { SipMessage, SipRequest, SipResponse } from '../message/message.ts'
import { readNumber, tokens } from '../message/read.ts'

/** RFC 4028 4, 5: the absolute minimum of Session-Expires and the default of Min-SE, s. */
export const ABSOLUTE_MIN_SE = 90
/** RFC 4028 4: the recommended interval, s. */
export const RECOMMENDED_INTERVAL = 1800

/** Our own wishes; the seconds are ours to configure per trunk. */
export interface SessionTimerPolicy {
  /** Wanted Session-Expires, s (default 1800); 0: we ask for none, but take part if the peer does. */
  readonly interval: number
  /** Smallest Session-Expires that we accept, s (at least 90). */
  readonly minSe: number
  /** Who refreshes when the choice is ours; `us` keeps us informed of dead peers by the refresh itself. */
  readonly refresher: 'us' | 'peer'
}

export const DEFAULT_SESSION_TIMER: SessionTimerPolicy = {
  interval: RECOMMENDED_INTERVAL,
  minSe: ABSOLUTE_MIN_SE,
  refresher: 'us',
}

/** What runs on a dialog now. JSON-able: kept beside the dialog. */
export interface SessionTimer {
  /** Session interval, s. */
  readonly interval: number
  readonly refresher: 'us' | 'peer'
}

export interface SessionExpires {
  /** s */
  readonly interval: number
  readonly refresher: 'uac' | 'uas' | undefined
}

export function readSessionExpires(message: SipMessage): SessionExpires | undefined {
  const interval = readNumber(message, 'session-expires')
  if (interval === undefined) return undefined
  const refresher = /;\s*refresher\s*=\s*(uac|uas)\b/i.exec(message.headers.get('session-expires') ?? '')?.[1]
  return { interval, refresher: refresher?.toLowerCase() as 'uac' | 'uas' | undefined }
}

/** s; RFC 4028 5: 90 when absent, and never less. */
export function readMinSe(message: SipMessage): number {
  return Math.max(readNumber(message, 'min-se') ?? ABSOLUTE_MIN_SE, ABSOLUTE_MIN_SE)
}

export function supportsTimer(message: SipMessage): boolean {
  return hasToken(message, 'supported', 'timer') || hasToken(message, 'require', 'timer')
}

type Fields = [name: string, value: string][]

/**
 * Session-Expires and Min-SE of our INVITE, re-INVITE or UPDATE (RFC 4028 7.1, 7.4). `Supported: timer` must stand
 * in every request but ACK and is the caller's.
 *
 * @param current what runs already on the dialog (a refresh keeps the roles), undefined for the first request
 * @param peerMinSe the largest Min-SE seen in a 422 or a request of the peer, s; 0 when none
 */
export function sessionTimerRequestFields(
  policy: SessionTimerPolicy,
  current: SessionTimer | undefined,
  peerMinSe = 0,
): Fields {
  const wanted = current?.interval ?? policy.interval
  if (wanted === 0) return []
  // RFC 4028 7.4: "the maximum of the Min-SE header field (... default ... 90 seconds) and the current session interval"
  const interval = Math.max(wanted, peerMinSe, ABSOLUTE_MIN_SE)
  // RFC 4028 7.4: 'uac' if we refresh now, 'uas' if the peer does; 7.1: RECOMMENDED to be omitted at first
  const refresher = current === undefined ? '' : `;refresher=${current.refresher === 'us' ? 'uac' : 'uas'}`
  const fields: Fields = [['Session-Expires', `${interval}${refresher}`]]
  // RFC 4028 7.4: Min-SE MUST be there once a 422 or a Min-SE of the peer was seen
  const minSe = Math.max(peerMinSe, policy.minSe > ABSOLUTE_MIN_SE ? Math.min(policy.minSe, interval) : 0)
  if (minSe > 0) fields.push(['Min-SE', String(minSe)])
  return fields
}

/** What was agreed by a 2xx to our INVITE or UPDATE (RFC 4028 7.2); undefined: no session timer. */
export function agreedAsUac(request: SipRequest, response: SipResponse): SessionTimer | undefined {
  const answered = readSessionExpires(response)
  if (answered !== undefined) {
    // RFC 4028 7.2: the UAC sets "the identity of the refresher to the value of this parameter"
    return { interval: answered.interval, refresher: answered.refresher === 'uas' ? 'peer' : 'us' }
  }
  // RFC 4028 7.2: the UAS knows no timers, but we asked for one: as if answered with refresher=uac
  const asked = readSessionExpires(request)
  return asked === undefined ? undefined : { interval: asked.interval, refresher: 'us' }
}

export type UasVerdict =
  | {
      readonly kind: 'accept'
      /** For the 2xx: Session-Expires and Require, or nothing. */
      readonly fields: Fields
      /** What runs once the 2xx is sent; undefined: no session timer. */
      readonly timer: SessionTimer | undefined
    }
  /** RFC 4028 6: answer 422 with these fields (Min-SE). */
  | { readonly kind: 'too-small'; readonly status: 422; readonly fields: Fields }

/** How an INVITE, re-INVITE or UPDATE of the peer is answered (RFC 4028 9). */
export function answerAsUas(request: SipRequest, policy: SessionTimerPolicy): UasVerdict {
  const asked = readSessionExpires(request)
  const peerKnows = supportsTimer(request)
  const minSe = Math.max(policy.minSe, ABSOLUTE_MIN_SE)
  if (asked !== undefined && asked.interval < minSe && peerKnows) {
    return { kind: 'too-small', status: 422, fields: [['Min-SE', String(minSe)]] }
  }
  const interval = uasInterval(request, asked, policy)
  if (interval === undefined) return { kind: 'accept', fields: [], timer: undefined }
  const refresher = uasRefresher(asked, peerKnows, policy)
  const fields: Fields = [['Session-Expires', `${interval};refresher=${refresher}`]]
  // RFC 4028 9: Require: timer MUST be there when the UAC refreshes, and SHOULD be when it knows timers
  if (peerKnows) fields.push(['Require', 'timer'])
  return { kind: 'accept', fields, timer: { interval, refresher: refresher === 'uas' ? 'us' : 'peer' } }
}

function uasInterval(
  request: SipRequest,
  asked: SessionExpires | undefined,
  policy: SessionTimerPolicy,
): number | undefined {
  const floor = Math.max(readMinSe(request), policy.minSe)
  // RFC 4028 9: the UAS may reduce the value down to Min-SE and "MUST NOT increase" it
  if (asked !== undefined) {
    return policy.interval === 0 ? asked.interval : Math.min(asked.interval, Math.max(policy.interval, floor))
  }
  // RFC 4028 9: the UAS may ask for a timer itself; the value not below the request's Min-SE
  return policy.interval === 0 ? undefined : Math.max(policy.interval, floor)
}

// RFC 4028 9, table 2: without support of the UAC the UAS refreshes; a choice made by the UAC stands
function uasRefresher(
  asked: SessionExpires | undefined,
  peerKnows: boolean,
  policy: SessionTimerPolicy,
): 'uac' | 'uas' {
  if (!peerKnows) return 'uas'
  return asked?.refresher ?? (policy.refresher === 'us' ? 'uas' : 'uac')
}

/** Min-SE to retry with after a 422 (RFC 4028 7.3, 7.4), s; undefined when the 422 gives no reason to retry. */
export function minSeAfter422(response: SipResponse, previous = 0): number | undefined {
  const minSe = readNumber(response, 'min-se')
  if (response.status !== 422 || minSe === undefined || minSe <= previous) return undefined
  return Math.max(minSe, ABSOLUTE_MIN_SE)
}

/** ms after the 2xx at which we refresh (half the interval, RFC 4028 7.2); undefined when the peer does. */
export function refreshAfterMs(timer: SessionTimer): number | undefined {
  return timer.refresher === 'us' ? timer.interval * 500 : undefined
}

/**
 * ms after the 2xx at which the session is given up with BYE unless it was refreshed. As the one who does not
 * refresh: min(32 s, a third of the interval) before the end (RFC 4028 10); as refresher: at the end.
 */
export function expireAfterMs(timer: SessionTimer): number {
  if (timer.refresher === 'us') return timer.interval * 1000
  return timer.interval * 1000 - Math.min(32_000, Math.floor((timer.interval * 1000) / 3))
}

function hasToken(message: SipMessage, name: string, token: string): boolean {
  return tokens(message, name).some((value) => value.toLowerCase() === token)
}
