/** Session timers of an answered call, on each side by itself (RFC 4028): refreshed half-way, hung up when nobody does. */
import {
  expireAfterMs,
  minSeAfter422,
  refreshAfterMs,
  type SessionTimerPolicy,
  sessionTimerRequestFields,
} from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg, Exchange } from './call-leg.ts'
import type { CallParts } from './call-parts.ts'
import type { CallSession } from './call-session.ts'
import type { DialogAsk } from './dialog-request.ts'
import { ALLOW, SUPPORTED } from './leg-headers.ts'

type Fields = readonly (readonly [string, string])[]

const NONE = { kind: 'none' } as const
/** Another edge may have the call: looked at again after this, ms. */
const DOUBT_MS = 500
/** Who says this is not the peer of the dialog (RFC 3261 12.2.1.2, 12.2.2). */
const UNKNOWN: ReadonlySet<number> = new Set([404, 408, 481])

export class SessionRefresh {
  readonly #session: CallSession
  readonly #parts: CallParts

  constructor(session: CallSession, parts: CallParts) {
    this.#session = session
    this.#parts = parts
  }

  get #wheel() {
    return this.#parts.edge.transactions.timers
  }

  get policy(): SessionTimerPolicy {
    return { interval: this.#parts.config().edge.sessionTimerS, minSe: 90, refresher: 'us' }
  }

  /** Of every offer and refresh of ours. */
  offerHeaders(leg: CallLeg): Fields {
    return [
      ['Allow', ALLOW],
      ['Supported', SUPPORTED],
      ...sessionTimerRequestFields(this.policy, leg.session, leg.peerMinSe),
    ]
  }

  /** Anew, after whatever was agreed with `leg`. */
  arm(leg: CallLeg): void {
    this.#wheel.clear(leg.sessionTimer)
    this.#wheel.clear(leg.expiryTimer)
    leg.sessionTimer = undefined
    leg.expiryTimer = undefined
    if (leg.session === undefined || this.#session.over) return
    const refresh = refreshAfterMs(leg.session)
    if (refresh !== undefined) leg.sessionTimer = this.#wheel.after(refresh, () => this.refresh(leg))
    leg.expiryTimer = this.#wheel.after(expireAfterMs(leg.session), () => this.#expired(leg))
  }

  #expired(leg: CallLeg): void {
    if (this.#ours) this.#session.end('tandem', { reason: 'session expired' })
    else leg.expiryTimer = this.#wheel.after(DOUBT_MS, () => this.#expired(leg))
  }

  get #ours(): boolean {
    return this.#parts.held.ours(this.#session.facts.callId)
  }

  /** RFC 4028 7.4: UPDATE without a description where the peer knows it, else a re-INVITE that changes nothing. */
  refresh(leg: CallLeg, stranger?: () => void): void {
    if (this.#session.over) return
    const later = (ms: number) => {
      leg.sessionTimer = this.#wheel.after(ms, () => this.refresh(leg, stranger))
    }
    if (!this.#ours) return void later(DOUBT_MS)
    if (leg.exchange.kind !== 'none' || leg.unacked?.waiting) return void later(2000 + this.#session.random(2000))
    const headers = this.offerHeaders(leg)
    // an UPDATE without a description would not tell where the audio goes
    const update = !leg.moved && (leg.takesUpdate || leg.said === undefined)
    const ask: DialogAsk = update
      ? { method: 'UPDATE', headers }
      : { method: 'INVITE', headers, body: leg.said, contentType: SDP_TYPE }
    const exchange: Exchange = { kind: 'ours', transaction: undefined }
    if (!update) leg.exchange = exchange
    const sent = this.#session.request(leg, ask, (response, request, client) => {
      if (!update) {
        // the call is over, or its peer is asked elsewhere by now (phone-return.ts)
        if (leg.exchange !== exchange) return
        leg.exchange = NONE
      }
      if (stranger && !this.#session.over && (response === undefined || UNKNOWN.has(response.status))) stranger()
      else this.#refreshed(leg, response, request, client, later)
    })
    exchange.transaction = sent
  }

  #refreshed(
    leg: CallLeg,
    response: SipResponse | undefined,
    request: SipRequest,
    client: ClientTransaction,
    later: (ms: number) => void,
  ): void {
    if (this.#session.agreed(leg, response, request)) {
      if (request.method !== 'INVITE') return
      this.#session.ack(leg, request, client)
      const answer = descriptionOf(response as SipResponse)
      if (answer.kind !== 'sdp') return
      const { onAnswer } = leg
      leg.onAnswer = undefined
      if (onAnswer) {
        leg.heard = answer.text
        return void onAnswer(answer.sdp)
      }
      const same = leg.heard !== undefined && withoutOrigin(answer.text) === withoutOrigin(leg.heard)
      leg.heard = answer.text
      if (same) return
      leg.media.answer(answer.sdp, leg.peer, this.#session.other(leg).media, () => {})
      return
    }
    if (this.#session.over || response === undefined) return
    const minSe = minSeAfter422(response, leg.peerMinSe)
    if (minSe !== undefined) {
      leg.peerMinSe = minSe
      if (leg.session) leg.session = { ...leg.session, interval: Math.max(leg.session.interval, minSe) }
    }
    if (response.status === 405 || response.status === 501) leg.takesUpdate = false
    // RFC 3261 14.1: after a 491 the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s
    later(leg.direction === 'out' ? 2100 + this.#session.random(1900) : this.#session.random(2000))
  }
}

/** RFC 3264 8: the version in `o=` may rise though nothing else has changed. */
function withoutOrigin(description: string): string {
  return description.replace(/^o=.*$/m, '')
}
