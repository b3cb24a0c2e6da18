/**
 * An answered call: two confirmed dialogs. What one side asks (hold, another codec, DTMF, the end) is asked of the other:
 * offers by renegotiation.ts; session timers run on each side by itself (session-refresh.ts).
 */

import type { Sdp } from '@tandem/sdp/parse.ts'
import { ackInDialog, receiveInDialog, receiveResponseInDialog, withRemoteSequence } from '@tandem/sip/dialog/dialog.ts'
import { agreedAsUac } from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Wire } from '../edge.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import { causeOfReason } from './call-cause.ts'
import type { CallFacts, LegEnd } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, LegOwner, LiveCall } from './call-parts.ts'
import { CallWatch } from './call-watch.ts'
import { askInDialog, type DialogAnswer, type DialogAsk } from './dialog-request.ts'
import type { EmergencyRun } from './emergency-run.ts'
import type { HeldSession } from './held-calls.ts'
import { forgetLeg, forgetUntilAck } from './leg-end.ts'
import { allowsUpdate, passReason } from './leg-headers.ts'
import { tuneLegs } from './leg-media.ts'
import { heardAt, withDialogWire } from './leg-wire.ts'
import { answerOptions, passOnInfo, refuseUnknown } from './plain-requests.ts'
import { Renegotiation } from './renegotiation.ts'
import { SessionRefresh } from './session-refresh.ts'

type Fields = readonly (readonly [string, string])[]

const NONE = { kind: 'none' } as const
/** RFC 3261 12.2, 3311, 3515, 6665: these carry our Contact. */
const TARGET_REFRESH = new Set(['INVITE', 'UPDATE', 'REFER', 'NOTIFY'])

/** What a session tells a transfer of its own (transfer.ts). */
export interface RunningTransfer {
  /** A side has hung up. True: the other one stays for the transfer. */
  hungUp(leg: CallLeg, bye: SipRequest): boolean
  /** A NOTIFY of the side that was asked to transfer itself. False: it is none of it. */
  notified(leg: CallLeg, transaction: ServerTransaction): boolean
  /** Both sides are over. */
  callOver(): void
}

export class CallSession implements LegOwner, HeldSession, LiveCall {
  /** A transfer puts another leg in the place of one. */
  legs: readonly [CallLeg, CallLeg]
  readonly #parts: CallParts
  readonly #facts: CallFacts
  readonly #over: (end: LegEnd) => void
  readonly timers: SessionRefresh
  readonly #offers: Renegotiation
  readonly #watch: CallWatch
  #ended = false
  /** A transfer that is under way: while it is, one side may go without the other. */
  transfer: RunningTransfer | undefined
  emergency: EmergencyRun | undefined
  /** How often another edge has taken it over before. */
  takeovers = 0

  constructor(parts: CallParts, facts: CallFacts, caller: CallLeg, callee: CallLeg, over: (end: LegEnd) => void) {
    this.#parts = parts
    this.#facts = facts
    this.legs = [caller, callee]
    this.#over = over
    this.timers = new SessionRefresh(this, parts)
    this.#offers = new Renegotiation(this, parts.edge)
    this.#watch = new CallWatch(this, parts)
  }

  get #edge() {
    return this.#parts.edge
  }

  get #wheel() {
    return this.#parts.edge.transactions.timers
  }

  begin(): void {
    for (const leg of this.legs) this.timers.arm(leg)
    this.#watch.begin()
    this.#parts.held.up(this)
  }

  /**
   * After a takeover: the peer hears where we are now and where its audio goes (RFC 3261 14.1). `stranger`: called instead of
   * ending the call, when it turns out that somebody else was asked.
   */
  reanchor(leg: CallLeg, stranger?: () => void): void {
    leg.moved = true
    this.#wheel.clear(leg.sessionTimer)
    this.timers.refresh(leg, stranger)
  }

  /** Another edge has the call: nothing is sent and nothing told; what it holds here is given back. */
  abandon(): void {
    if (this.#ended) return
    this.#ended = true
    this.#watch.stop()
    for (const leg of this.legs) {
      leg.ended = true
      forgetLeg(this.#parts, leg, 200)
    }
    this.transfer?.callOver()
    this.transfer = undefined
    this.#parts.over(this.#facts.callId)
  }

  get over(): boolean {
    return this.#ended
  }

  get id(): string {
    return this.#facts.callId
  }

  get session(): this {
    return this
  }

  hangUp(reason: string): void {
    this.end('tandem', { reason })
  }

  get facts(): CallFacts {
    return this.#facts
  }

  other(leg: CallLeg): CallLeg {
    return leg === this.legs[0] ? this.legs[1] : this.legs[0]
  }

  onRequest(leg: CallLeg, transaction: ServerTransaction): void {
    const { dialog } = leg
    if (dialog === undefined || this.#ended) return void transaction.reply(481)
    const { request } = transaction
    const { held } = this.#parts
    if (!held.ours(this.#facts.callId)) return void held.whenOurs(this.#facts.callId, transaction)
    leg.provenMs = undefined
    heardAt(this.#parts, this.#facts.callId, leg, request.uri, transaction.wire as Wire)
    const verdict = receiveInDialog(dialog, request)
    if (verdict.kind === 'refuse') return void transaction.reply(verdict.status, { headers: [['Retry-After', '1']] })
    switch (request.method) {
      case 'BYE':
        transaction.reply(200)
        if (this.transfer?.hungUp(leg, request)) return
        return void this.#bye(leg, request)
      case 'INVITE':
        return void this.#offers.reinvited(leg, transaction)
      case 'UPDATE':
        return void this.#offers.updated(leg, transaction)
      case 'INFO':
        leg.dialog = withRemoteSequence(dialog, request)
        return void passOnInfo(this, leg, transaction)
      case 'REFER':
        // RFC 3515 2.4: a target refresh request
        leg.dialog = verdict.dialog
        return void this.#parts.refer(this, leg, transaction)
      case 'NOTIFY':
        leg.dialog = withRemoteSequence(dialog, request)
        if (this.transfer?.notified(leg, transaction) !== true) refuseUnknown(transaction)
        return
      case 'OPTIONS':
        leg.dialog = withRemoteSequence(dialog, request)
        return void answerOptions(transaction)
      default:
        leg.dialog = withRemoteSequence(dialog, request)
        return void refuseUnknown(transaction)
    }
  }

  onAck(leg: CallLeg, ack: SipRequest): void {
    if (leg.unacked === undefined) return
    leg.unacked.stop()
    leg.unacked = undefined
    const described = descriptionOf(ack)
    const waiting = leg.onAck
    leg.onAck = undefined
    waiting?.(described.kind === 'sdp' ? described.text : undefined)
    const bye = leg.byeAfterAck
    leg.byeAfterAck = undefined
    bye?.()
  }

  /** Ends both sides; `by`: whose BYE it was. */
  end(
    by: CallLeg | 'tandem',
    why: { readonly reason?: string; readonly q850?: number | undefined; readonly headers?: Fields } = {},
  ): void {
    if (this.#ended) return
    this.#ended = true
    this.#parts.held.over(this.#facts.callId)
    this.#watch.stop()
    const how = { status: 200, reason: why.reason, q850: why.q850 }
    for (const leg of this.legs) {
      if (leg.ended) continue
      if (leg.exchange.kind === 'theirs') leg.exchange.transaction.reply(487)
      else if (leg.exchange.kind === 'ours') leg.exchange.transaction?.cancel()
      leg.exchange = NONE
      if (by !== leg) this.sendBye(leg, why.headers ?? [])
      this.#parts.tell.ended(this.factsOf(leg), leg, { by: sideOf(leg, by), ...how })
    }
    for (const leg of this.legs) forgetUntilAck(this.#parts, leg, 200, this)
    this.transfer?.callOver()
    this.transfer = undefined
    this.#over({ by: by === 'tandem' ? by : by.side, ...how })
  }

  /** Of the call that it was made in. */
  factsOf(leg: CallLeg): CallFacts {
    return leg.madeIn ?? this.#facts
  }

  /** One side is over, the other stays: for a transfer. Its BYE is the caller's business. */
  leave(leg: CallLeg, end: LegEnd): void {
    if (leg.ended) return
    this.#parts.tell.ended(this.factsOf(leg), leg, end)
    forgetUntilAck(this.#parts, leg, end.status, this)
  }

  /** `by` takes the place of `gone`. */
  replace(gone: CallLeg, by: CallLeg): void {
    const [first, second] = this.legs
    this.legs = gone === first ? [by, second] : [first, by]
    this.#parts.dialogs.set(by.key, { leg: by, owner: this })
    this.timers.arm(by)
    this.#parts.held.changed(this.#facts.callId)
  }

  /** Its legs go on in another session. */
  dissolve(): void {
    this.#ended = true
    this.#parts.held.over(this.#facts.callId)
    this.#watch.stop()
    for (const leg of this.legs) {
      this.#wheel.clear(leg.sessionTimer)
      this.#wheel.clear(leg.expiryTimer)
    }
    this.#over({ by: 'tandem', status: 200, reason: 'transferred' })
  }

  #bye(leg: CallLeg, request: SipRequest): void {
    const reasons = request.headers.getAll('reason')
    this.end(leg, {
      q850: causeOfReason(reasons),
      headers: passReason(request),
      ...(reasons[0] ? { reason: reasons[0] } : {}),
    })
  }

  sendBye(leg: CallLeg, headers: Fields = []): void {
    const send = () => {
      leg.unacked?.stop()
      leg.unacked = undefined
      if (this.#parts.dialogs.get(leg.key)?.owner === this) this.#parts.dialogs.delete(leg.key)
      this.request(leg, { method: 'BYE', headers }, () => {})
    }
    // RFC 3261 15: "MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx ... or until the
    // server transaction times out"
    if (leg.unacked?.waiting) leg.byeAfterAck = send
    else send()
  }

  /** Our 2xx was never acknowledged. */
  noAck(leg: CallLeg): void {
    const bye = leg.byeAfterAck
    leg.byeAfterAck = undefined
    leg.unacked = undefined
    if (bye) bye()
    else this.end('tandem', { reason: 'no ACK' })
  }

  /** Takes in the response to an offer or refresh of ours; false when it was refused. Ends the call when the dialog is gone. */
  agreed(leg: CallLeg, response: SipResponse | undefined, request: SipRequest): boolean {
    if (this.#ended) return false
    if (response === undefined || leg.dialog === undefined) {
      this.end('tandem', { reason: 'no answer inside the call' })
      return false
    }
    const verdict = receiveResponseInDialog(leg.dialog, request.method, response)
    if (verdict.kind === 'over') {
      // RFC 3261 12.2.1.2: 481 and 408 end the dialog
      this.end('tandem', { reason: `${response.status} inside the call` })
      return false
    }
    leg.dialog = verdict.dialog
    leg.provenMs = undefined
    if (response.status >= 300) return false
    if (request.method === 'INVITE') leg.moved = false
    if (response.headers.has('allow')) leg.takesUpdate = allowsUpdate(response)
    leg.session = agreedAsUac(request, response)
    this.timers.arm(leg)
    return true
  }

  ack(leg: CallLeg, request: SipRequest, client: ClientTransaction, body?: string): void {
    const { dialog } = leg
    if (dialog === undefined) return
    const parts = body === undefined ? {} : { body, contentType: SDP_TYPE }
    withDialogWire(this.#edge, leg, dialog, () => client.ack(ackInDialog(dialog, request, parts), leg.wire))
  }

  /** Sends a request inside the dialog; `done` hears the final response once, undefined for a timeout or a lost way. */
  request(leg: CallLeg, ask: DialogAsk, done: DialogAnswer): ClientTransaction | undefined {
    const contact = TARGET_REFRESH.has(ask.method) ? leg.contact : undefined
    return askInDialog(this.#parts, leg, leg, { ...ask, contact }, done)
  }

  tune(answer: Sdp): void {
    tuneLegs(this.legs, answer)
  }

  /** 0 to `below`, not secret: spreads retries. */
  random(below: number): number {
    return Number.parseInt(Buffer.from(this.#parts.random()).toString('hex').slice(0, 8), 16) % (below + 1)
  }
}

/** Who ended it, seen from a leg: the side of its own peer, or the other one. */
function sideOf(leg: CallLeg, by: CallLeg | 'tandem'): LegEnd['by'] {
  if (by === 'tandem') return by
  const { side } = leg
  return by === leg ? side : side === 'caller' ? 'callee' : 'caller'
}
