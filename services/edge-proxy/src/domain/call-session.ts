/**
 * An answered call: two confirmed dialogs. What one side asks (hold, another codec, DTMF, the end) is asked of the other;
 * session timers run on each side by itself (RFC 4028).
 *
 * Offers: one exchange a dialog at a time (RFC 3264 4). Our own offer on the way and theirs comes: 491; theirs is not
 * answered yet and another comes: 500 with Retry-After (RFC 3261 14.2, RFC 3311 5.2).
 */

import { isHeld, negotiatedCodec } from '@tandem/sdp/offer-answer.ts'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import {
  ackInDialog,
  receiveInDialog,
  receiveResponseInDialog,
  requestInDialog,
  withRemoteSequence,
} from '@tandem/sip/dialog/dialog.ts'
import {
  agreedAsUac,
  answerAsUas,
  expireAfterMs,
  minSeAfter422,
  refreshAfterMs,
  type SessionTimerPolicy,
  sessionTimerRequestFields,
  type UasVerdict,
} from '@tandem/sip/dialog/session-timer.ts'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { Wire } from '../edge.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import { causeOfReason } from './call-cause.ts'
import type { CallFacts, LegEnd } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallParts, LegOwner } from './call-parts.ts'
import type { HeldSession } from './held-calls.ts'
import { forgetLeg } from './leg-end.ts'
import { ALLOW, allowsUpdate, passInfo, passReason, SUPPORTED } from './leg-headers.ts'
import { withDialogWire } from './leg-wire.ts'
import { answerChallenge } from './out-invite.ts'
import { agreedKbps } from './wire-rate.ts'

type Fields = readonly (readonly [string, string])[]
type Accepted = UasVerdict & { readonly kind: 'accept' }

/** call.ts: a fact a minute while a leg is up. */
const INTERIM_MS = 60_000
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

export interface Ask {
  readonly method: string
  readonly headers?: Fields
  readonly body?: Uint8Array | string | undefined
  readonly contentType?: string | undefined
}

export class CallSession implements LegOwner, HeldSession {
  /** A transfer puts another leg in the place of one. */
  legs: readonly [CallLeg, CallLeg]
  readonly #parts: CallParts
  readonly #facts: CallFacts
  readonly #over: (end: LegEnd) => void
  #ended = false
  #interim: WheelTimer | undefined
  #interimDue = 0
  /** A transfer that is under way: while it is, one side may go without the other. */
  transfer: RunningTransfer | undefined
  /** How often another edge has taken it over before. */
  takeovers = 0

  constructor(parts: CallParts, facts: CallFacts, caller: CallLeg, callee: CallLeg, over: (end: LegEnd) => void) {
    this.#parts = parts
    this.#facts = facts
    this.legs = [caller, callee]
    this.#over = over
  }

  get #edge() {
    return this.#parts.edge
  }

  get #wheel() {
    return this.#parts.edge.transactions.timers
  }

  get #policy(): SessionTimerPolicy {
    return { interval: this.#parts.config().edge.sessionTimerS, minSe: 90, refresher: 'us' }
  }

  begin(): void {
    for (const leg of this.legs) this.#armTimer(leg)
    this.#interimDue = this.#edge.clock.now() + INTERIM_MS
    this.#watch()
    this.#parts.held.up(this)
  }

  /** After a takeover: the peer hears where we are now and where its audio goes (RFC 3261 14.1). */
  reanchor(leg: CallLeg): void {
    leg.moved = true
    this.#wheel.clear(leg.sessionTimer)
    this.#refresh(leg)
  }

  /** Another edge has the call: nothing is sent and nothing told; what it holds here is given back. */
  abandon(): void {
    if (this.#ended) return
    this.#ended = true
    this.#wheel.clear(this.#interim)
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
    leg.provenMs = undefined
    // a phone behind a NAT, or over a new connection, is reached where it was last heard
    if (leg.party.kind !== 'trunk') leg.wire = transaction.wire as Wire
    const verdict = receiveInDialog(dialog, request)
    if (verdict.kind === 'refuse') return void transaction.reply(verdict.status, { headers: [['Retry-After', '1']] })
    switch (request.method) {
      case 'BYE':
        transaction.reply(200)
        if (this.transfer?.hungUp(leg, request)) return
        return void this.#bye(leg, request)
      case 'INVITE':
        return void this.#reinvited(leg, transaction)
      case 'UPDATE':
        return void this.#updated(leg, transaction)
      case 'INFO':
        leg.dialog = withRemoteSequence(dialog, request)
        return void this.#info(leg, transaction)
      case 'REFER':
        // RFC 3515 2.4: a target refresh request
        leg.dialog = verdict.dialog
        return void this.#parts.refer(this, leg, transaction)
      case 'NOTIFY':
        leg.dialog = withRemoteSequence(dialog, request)
        if (this.transfer?.notified(leg, transaction) !== true) this.#unknown(transaction)
        return
      case 'OPTIONS':
        leg.dialog = withRemoteSequence(dialog, request)
        return void transaction.reply(200, {
          headers: [
            ['Allow', ALLOW],
            ['Accept', SDP_TYPE],
            ['Supported', SUPPORTED],
          ],
        })
      default:
        leg.dialog = withRemoteSequence(dialog, request)
        return void this.#unknown(transaction)
    }
  }

  #unknown(transaction: ServerTransaction): void {
    const { method } = transaction.request
    // RFC 6665 8.3.2: 489 for a subscription that we do not have
    if (method === 'NOTIFY' || method === 'SUBSCRIBE') transaction.reply(489)
    else if (method === 'PRACK') transaction.reply(481)
    else transaction.reply(405, { headers: [['Allow', ALLOW]] })
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
    this.#wheel.clear(this.#interim)
    const how = { status: 200, reason: why.reason, q850: why.q850 }
    for (const leg of this.legs) {
      if (leg.ended) continue
      if (leg.exchange.kind === 'theirs') leg.exchange.transaction.reply(487)
      else if (leg.exchange.kind === 'ours') leg.exchange.transaction?.cancel()
      leg.exchange = NONE
      if (by !== leg) this.sendBye(leg, why.headers ?? [])
      this.#parts.tell.ended(this.factsOf(leg), leg, { by: sideOf(leg, by), ...how })
    }
    for (const leg of this.legs) {
      // a BYE that waits for the ACK of our 2xx needs the leg to be found once more
      const waits = leg.byeAfterAck !== undefined
      const unacked = leg.unacked
      if (waits) leg.unacked = undefined
      forgetLeg(this.#parts, leg, 200)
      if (waits) {
        leg.unacked = unacked
        this.#parts.dialogs.set(leg.key, { leg, owner: this })
      }
    }
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
    forgetLeg(this.#parts, leg, end.status)
  }

  /** `by` takes the place of `gone`. */
  replace(gone: CallLeg, by: CallLeg): void {
    const [first, second] = this.legs
    this.legs = gone === first ? [by, second] : [first, by]
    this.#parts.dialogs.set(by.key, { leg: by, owner: this })
    this.#armTimer(by)
    this.#parts.held.changed(this.#facts.callId)
  }

  /** Its legs go on in another session. */
  dissolve(): void {
    this.#ended = true
    this.#parts.held.over(this.#facts.callId)
    this.#wheel.clear(this.#interim)
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

  #reinvited(leg: CallLeg, transaction: ServerTransaction): void {
    const { request } = transaction
    const other = this.other(leg)
    if (leg.dialog) leg.dialog = withRemoteSequence(leg.dialog, request)
    if (!this.#mayOffer(leg, other, transaction)) return
    const timer = answerAsUas(request, this.#policy)
    if (timer.kind === 'too-small') return void transaction.reply(422, { headers: timer.fields })
    const described = descriptionOf(request)
    if (described.kind === 'invalid') return void transaction.reply(488, { reason: described.reason })
    if (described.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    this.#refreshTarget(leg, request)
    if (described.kind === 'none') return void this.#lateOffer(leg, other, transaction, timer)
    // a refresh: nothing has changed (RFC 3264 8: the same o= version), so the other side need not hear of it
    if (described.text === leg.heard && leg.said !== undefined)
      return void this.#acceptInvite(leg, transaction, timer, leg.said)
    this.#offered(leg, other, transaction, timer, described)
  }

  /** RFC 3261 14.2. */
  #mayOffer(leg: CallLeg, other: CallLeg, transaction: ServerTransaction): boolean {
    if (leg.exchange.kind === 'theirs' || leg.unacked?.waiting) {
      // "MUST return a 500 ... MUST include a Retry-After ... randomly chosen value of between 0 and 10 seconds"
      transaction.reply(500, { headers: [['Retry-After', String(this.random(10))]] })
      return false
    }
    if (leg.exchange.kind === 'ours' || other.exchange.kind !== 'none' || other.unacked?.waiting || other.ended) {
      transaction.reply(491)
      return false
    }
    return true
  }

  #offered(
    leg: CallLeg,
    other: CallLeg,
    transaction: ServerTransaction,
    timer: Accepted,
    described: { readonly sdp: Sdp; readonly text: string },
  ): void {
    const invite = transaction.request.method === 'INVITE'
    leg.exchange = { kind: 'theirs', transaction }
    other.exchange = { kind: 'ours', transaction: undefined }
    leg.media.offer(described.sdp, leg.peer, other.media, (body, why = 503) => {
      if (this.#ended) return
      if (body === undefined) return this.#refused(leg, other, transaction, why)
      const method = invite || !other.takesUpdate ? 'INVITE' : 'UPDATE'
      const sent = this.request(
        other,
        { method, headers: this.offerHeaders(other), body, contentType: SDP_TYPE },
        (response, request, client) => {
          if (!this.agreed(other, response, request))
            return this.#refused(leg, other, transaction, response?.status ?? 408)
          other.said = body
          leg.heard = described.text
          if (method === 'INVITE') this.ack(other, request, client)
          this.#answeredOffer(leg, other, transaction, timer, response as SipResponse)
        },
      )
      if (other.exchange.kind === 'ours') other.exchange.transaction = sent
      transaction.onCancel = () => sent?.cancel()
    })
  }

  /** The other side's answer goes back to the one who offered. */
  #answeredOffer(
    leg: CallLeg,
    other: CallLeg,
    transaction: ServerTransaction,
    timer: Accepted,
    response: SipResponse,
  ): void {
    const answer = descriptionOf(response)
    if (answer.kind !== 'sdp') return void this.#refused(leg, other, transaction, 488)
    other.heard = answer.text
    other.media.answer(answer.sdp, other.peer, leg.media, (text) => {
      if (this.#ended) return
      leg.exchange = NONE
      other.exchange = NONE
      this.tune(answer.sdp)
      if (text === undefined) return void transaction.reply(503)
      if (transaction.request.method === 'INVITE') this.#acceptInvite(leg, transaction, timer, text)
      else this.#acceptUpdate(leg, transaction, timer, text)
    })
  }

  /** A re-INVITE without offer: the other side is asked for one, and the ACK carries the answer to it. */
  #lateOffer(leg: CallLeg, other: CallLeg, transaction: ServerTransaction, timer: Accepted): void {
    leg.exchange = { kind: 'theirs', transaction }
    other.exchange = { kind: 'ours', transaction: undefined }
    const sent = this.request(
      other,
      { method: 'INVITE', headers: this.offerHeaders(other) },
      (response, request, client) => {
        if (!this.agreed(other, response, request))
          return this.#refused(leg, other, transaction, response?.status ?? 408)
        const offer = descriptionOf(response as SipResponse)
        if (offer.kind !== 'sdp') {
          this.ack(other, request, client)
          return this.#refused(leg, other, transaction, 488)
        }
        other.heard = offer.text
        other.media.offer(offer.sdp, other.peer, leg.media, (text) => {
          if (this.#ended) return this.ack(other, request, client)
          leg.onAck = (body) => this.#lateAnswer(leg, other, request, client, body)
          this.#acceptInvite(leg, transaction, timer, text)
        })
      },
    )
    if (other.exchange.kind === 'ours') other.exchange.transaction = sent
    transaction.onCancel = () => sent?.cancel()
  }

  #lateAnswer(
    leg: CallLeg,
    other: CallLeg,
    request: SipRequest,
    client: ClientTransaction,
    body: string | undefined,
  ): void {
    leg.exchange = NONE
    other.exchange = NONE
    const answer = body === undefined ? undefined : parseSdp(body)
    if (answer?.kind !== 'sdp') {
      this.ack(other, request, client)
      return void this.end('tandem', { reason: 'no answer in the ACK' })
    }
    leg.heard = body
    leg.media.answer(answer.sdp, leg.peer, other.media, (text) => {
      other.said = text
      this.tune(answer.sdp)
      this.ack(other, request, client, text)
    })
  }

  #acceptInvite(leg: CallLeg, transaction: ServerTransaction, timer: Accepted, sdp: string | undefined): void {
    const headers: Fields = [['Allow', ALLOW], ['Supported', SUPPORTED], ...timer.fields]
    const response = makeResponse(transaction.request, 200, {
      toTag: leg.localTag,
      contact: leg.contact,
      headers,
      ...(sdp === undefined ? {} : { body: sdp, contentType: SDP_TYPE }),
    })
    leg.exchange = NONE
    leg.said = sdp
    leg.session = timer.timer
    this.#armTimer(leg)
    leg.unacked = this.#edge.transactions.accept(transaction, response, () => this.noAck(leg))
  }

  #acceptUpdate(leg: CallLeg, transaction: ServerTransaction, timer: Accepted, sdp: string | undefined): void {
    if (sdp !== undefined) leg.said = sdp
    leg.session = timer.timer
    this.#armTimer(leg)
    transaction.reply(200, {
      contact: leg.contact,
      headers: [['Allow', ALLOW], ['Supported', SUPPORTED], ...timer.fields],
      ...(sdp === undefined ? {} : { body: sdp, contentType: SDP_TYPE }),
    })
  }

  /** The offer came to nothing; RFC 3261 14.1: the session goes on as it was. */
  #refused(leg: CallLeg, other: CallLeg, transaction: ServerTransaction, status: number): void {
    leg.exchange = NONE
    other.exchange = NONE
    if (this.#ended || transaction.answered) return
    // a challenge, a redirection or a dialog that is gone over there means nothing over here
    const shown = status === 401 || status === 407 || status < 400 ? 488 : status === 422 ? 500 : status
    transaction.reply(shown)
    // our description of the other side must be again what it was before the offer
    if (leg.heard !== undefined) this.#restore(leg, other)
  }

  #restore(leg: CallLeg, other: CallLeg): void {
    const before = leg.heard === undefined ? undefined : parseSdp(leg.heard)
    if (before?.kind === 'sdp') leg.media.offer(before.sdp, leg.peer, other.media, () => {})
  }

  #updated(leg: CallLeg, transaction: ServerTransaction): void {
    const { request } = transaction
    const other = this.other(leg)
    if (leg.dialog) leg.dialog = withRemoteSequence(leg.dialog, request)
    const timer = answerAsUas(request, this.#policy)
    if (timer.kind === 'too-small') return void transaction.reply(422, { headers: timer.fields })
    const described = descriptionOf(request)
    if (described.kind === 'invalid') return void transaction.reply(488, { reason: described.reason })
    if (described.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    if (described.kind === 'sdp' && !this.#mayOffer(leg, other, transaction)) return
    leg.takesUpdate = true
    this.#refreshTarget(leg, request)
    if (described.kind === 'none') return void this.#acceptUpdate(leg, transaction, timer, undefined)
    if (described.text === leg.heard && leg.said !== undefined)
      return void this.#acceptUpdate(leg, transaction, timer, leg.said)
    this.#offered(leg, other, transaction, timer, described)
  }

  #info(leg: CallLeg, transaction: ServerTransaction): void {
    const { request } = transaction
    const ask: Ask = {
      method: 'INFO',
      headers: passInfo(request),
      body: request.body,
      contentType: request.headers.get('content-type'),
    }
    this.request(this.other(leg), ask, (response) => {
      if (!transaction.answered) transaction.reply(response === undefined ? 408 : shownStatus(response.status))
    })
  }

  #refreshTarget(leg: CallLeg, request: SipRequest): void {
    if (leg.dialog === undefined) return
    const verdict = receiveInDialog(leg.dialog, request)
    if (verdict.kind === 'in-order') leg.dialog = verdict.dialog
    if (request.headers.has('allow')) leg.takesUpdate = allowsUpdate(request)
  }

  offerHeaders(leg: CallLeg): Fields {
    return [
      ['Allow', ALLOW],
      ['Supported', SUPPORTED],
      ...sessionTimerRequestFields(this.#policy, leg.session, leg.peerMinSe),
    ]
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
    this.#armTimer(leg)
    return true
  }

  ack(leg: CallLeg, request: SipRequest, client: ClientTransaction, body?: string): void {
    const { dialog } = leg
    if (dialog === undefined) return
    const parts = body === undefined ? {} : { body, contentType: SDP_TYPE }
    withDialogWire(this.#edge, leg, dialog, () => client.ack(ackInDialog(dialog, request, parts), leg.wire))
  }

  /** Sends a request inside the dialog; `done` hears the final response once, undefined for a timeout or a lost way. */
  request(
    leg: CallLeg,
    ask: Ask,
    done: (response: SipResponse | undefined, request: SipRequest, client: ClientTransaction) => void,
    credentials?: readonly [string, string],
  ): ClientTransaction | undefined {
    if (leg.dialog === undefined) return undefined
    const headers = credentials ? [...(ask.headers ?? []), credentials] : (ask.headers ?? [])
    const contact = TARGET_REFRESH.has(ask.method) ? leg.contact : undefined
    const [dialog, request] = requestInDialog(leg.dialog, { ...ask, headers, contact })
    leg.dialog = dialog
    let client: ClientTransaction | undefined
    const once = (response: SipResponse | undefined): void => {
      if (response && !credentials && this.#challenged(leg, ask, response, request, done)) return
      done(response, request, client as ClientTransaction)
    }
    withDialogWire(this.#edge, leg, dialog, () => {
      client = this.#edge.transactions.request(request, leg.wire, {
        onResponse: (response) => {
          if (response.status >= 200) once(response)
        },
        onTimeout: () => once(undefined),
        onTransportError: () => once(undefined),
      })
    })
    return client
  }

  /** RFC 3261 22.1: a trunk may challenge any request. */
  #challenged(
    leg: CallLeg,
    ask: Ask,
    response: SipResponse,
    request: SipRequest,
    done: (response: SipResponse | undefined, request: SipRequest, client: ClientTransaction) => void,
  ): boolean {
    if ((response.status !== 401 && response.status !== 407) || leg.party.kind !== 'trunk') return false
    const field = response.status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
    const known = this.#edge.trunks.credentials(leg.party.trunk)
    const answer = answerChallenge(response, field, ask.method, request.uri, known, this.#parts.random())
    if (answer === undefined) return false
    this.request(leg, ask, done, [response.status === 401 ? 'Authorization' : 'Proxy-Authorization', answer.value])
    return true
  }

  #armTimer(leg: CallLeg): void {
    this.#wheel.clear(leg.sessionTimer)
    this.#wheel.clear(leg.expiryTimer)
    leg.sessionTimer = undefined
    leg.expiryTimer = undefined
    if (leg.session === undefined || this.#ended) return
    const refresh = refreshAfterMs(leg.session)
    if (refresh !== undefined) leg.sessionTimer = this.#wheel.after(refresh, () => this.#refresh(leg))
    leg.expiryTimer = this.#wheel.after(expireAfterMs(leg.session), () =>
      this.end('tandem', { reason: 'session expired' }),
    )
  }

  /** RFC 4028 7.4: UPDATE without a description where the peer knows it, else a re-INVITE that changes nothing. */
  #refresh(leg: CallLeg): void {
    if (this.#ended) return
    if (leg.exchange.kind !== 'none' || leg.unacked?.waiting) {
      leg.sessionTimer = this.#wheel.after(2000 + this.random(2000), () => this.#refresh(leg))
      return
    }
    const headers = this.offerHeaders(leg)
    // an UPDATE without a description would not tell where the audio goes
    const update = !leg.moved && (leg.takesUpdate || leg.said === undefined)
    const ask: Ask = update
      ? { method: 'UPDATE', headers }
      : { method: 'INVITE', headers, body: leg.said, contentType: SDP_TYPE }
    if (!update) leg.exchange = { kind: 'ours', transaction: undefined }
    const sent = this.request(leg, ask, (response, request, client) => this.#refreshed(leg, response, request, client))
    if (leg.exchange.kind === 'ours') leg.exchange.transaction = sent
  }

  #refreshed(leg: CallLeg, response: SipResponse | undefined, request: SipRequest, client: ClientTransaction): void {
    if (leg.exchange.kind === 'ours') leg.exchange = NONE
    if (this.agreed(leg, response, request)) {
      if (request.method !== 'INVITE') return
      this.ack(leg, request, client)
      const answer = descriptionOf(response as SipResponse)
      if (answer.kind !== 'sdp' || answer.text === leg.heard) return
      leg.heard = answer.text
      leg.media.answer(answer.sdp, leg.peer, this.other(leg).media, () => {})
      return
    }
    if (this.#ended || response === undefined) return
    const minSe = minSeAfter422(response, leg.peerMinSe)
    if (minSe !== undefined) {
      leg.peerMinSe = minSe
      if (leg.session) leg.session = { ...leg.session, interval: Math.max(leg.session.interval, minSe) }
    }
    if (response.status === 405 || response.status === 501) leg.takesUpdate = false
    // RFC 3261 14.1: after a 491 the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s
    const wait = leg.direction === 'out' ? 2100 + this.random(1900) : this.random(2000)
    leg.sessionTimer = this.#wheel.after(wait, () => this.#refresh(leg))
  }

  /** Interim facts and the watch for silence, by one timer a call. */
  #watch(): void {
    for (const { wire } of this.legs) wire.keepUntil(this.#edge.clock.now() + 2 * INTERIM_MS)
    const { inactivityMs } = this.#parts.config().edge.media
    const ms = Math.min(INTERIM_MS, Math.max(500, inactivityMs / 4))
    this.#interim = this.#wheel.after(ms, () => {
      if (this.#ended) return
      const now = this.#edge.clock.now()
      if (now >= this.#interimDue - 10) {
        this.#interimDue = now + INTERIM_MS
        for (const leg of this.legs) if (!leg.ended) this.#parts.tell.interim(this.factsOf(leg), leg)
        this.#parts.held.changed(this.#facts.callId)
      }
      if (this.#silent(now, inactivityMs)) this.end('tandem', { reason: 'no audio' })
      else this.#watch()
    })
  }

  /**
   * No packet from either side for that long, and nobody is on hold (E12). A call for help may be silent as long as it
   * likes; one whose audio goes past us is heard by nobody here.
   */
  #silent(now: number, inactivityMs: number): boolean {
    if (inactivityMs <= 0 || this.#facts.emergency) return false
    for (const leg of this.legs) {
      if (leg.ended) continue
      if (leg.media.direct) return false
      const last = Math.max(leg.media.lastHeard() ?? 0, leg.answeredAtMs ?? now)
      if (now - last < inactivityMs) return false
      const sdp = leg.heard === undefined ? undefined : parseSdp(leg.heard)
      if (sdp?.kind === 'sdp' && isHeld(sdp.sdp)) return false
    }
    return true
  }

  tune(answer: Sdp): void {
    const codec = negotiatedCodec(answer)
    if (codec === undefined) return
    for (const leg of this.legs) {
      leg.held?.adjust(agreedKbps(answer))
      leg.codec = codec.name
      leg.media.tune(codec.clock)
    }
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

function shownStatus(status: number): number {
  return status === 401 || status === 407 || (status >= 300 && status < 400) ? 500 : status
}
