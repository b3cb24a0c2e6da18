/**
 * Offers inside an answered call, by re-INVITE or UPDATE: what one side proposes (hold, another codec, another address) is
 * asked of the other, whose answer comes back; a late offer goes round the other way.
 *
 * One exchange a dialog at a time (RFC 3264 4). Our own offer on the way and theirs comes: 491; theirs is not answered yet
 * and another comes: 500 with Retry-After (RFC 3261 14.2, RFC 3311 5.2).
 */
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { receiveInDialog, withRemoteSequence } from '@tandem/sip/dialog/dialog.ts'
import { answerAsUas, type UasVerdict } from '@tandem/sip/dialog/session-timer.ts'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Edge } from '../edge.ts'
import { descriptionOf, SDP_TYPE } from './call-body.ts'
import type { CallLeg } from './call-leg.ts'
import type { CallSession } from './call-session.ts'
import { ALLOW, allowsUpdate, SUPPORTED } from './leg-headers.ts'
import { promptness, refused, takeBack, userAsked } from './offer-undone.ts'

type Fields = readonly (readonly [string, string])[]
type Accepted = UasVerdict & { readonly kind: 'accept' }

const NONE = { kind: 'none' } as const

export class Renegotiation {
  readonly #session: CallSession
  readonly #edge: Edge

  constructor(session: CallSession, edge: Edge) {
    this.#session = session
    this.#edge = edge
  }

  /** A re-INVITE of `leg`. */
  reinvited(leg: CallLeg, transaction: ServerTransaction): void {
    const { request } = transaction
    const other = this.#session.other(leg)
    if (leg.dialog) leg.dialog = withRemoteSequence(leg.dialog, request)
    if (!this.#mayOffer(leg, other, transaction)) return
    const timer = answerAsUas(request, this.#session.timers.policy)
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

  /** RFC 3261 14.2, RFC 3311 5.2. */
  #mayOffer(leg: CallLeg, other: CallLeg, transaction: ServerTransaction): boolean {
    // a late offer of ours, in the 2xx, has its answer in the ACK
    const offered = leg.unacked?.waiting && leg.onAck !== undefined
    if (leg.exchange.kind === 'theirs' || (leg.unacked?.waiting && !offered)) {
      this.#refuseForNow(transaction)
      return false
    }
    if (
      offered ||
      leg.exchange.kind === 'ours' ||
      other.exchange.kind !== 'none' ||
      other.unacked?.waiting ||
      other.ended
    ) {
      transaction.reply(491)
      return false
    }
    return true
  }

  /** "MUST return a 500 ... MUST include a Retry-After ... randomly chosen value of between 0 and 10 seconds" */
  #refuseForNow(transaction: ServerTransaction): void {
    transaction.reply(500, { headers: [['Retry-After', String(this.#session.random(10))]] })
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
      if (this.#session.over) return
      if (body === undefined) return refused(this.#session, leg, other, transaction, why)
      const method = invite || !other.takesUpdate ? 'INVITE' : 'UPDATE'
      const asksUser = () => {
        userAsked(leg, other, transaction)
        sent?.cancel()
      }
      const prompt = invite || method === 'UPDATE' ? undefined : promptness(this.#edge, asksUser)
      const headers = this.#session.timers.offerHeaders(other)
      const sent = this.#session.request(
        other,
        { method, headers, body, contentType: SDP_TYPE, onProvisional: prompt?.heard },
        (response, request, client) => {
          prompt?.stop()
          if (!this.#session.agreed(other, response, request))
            return refused(this.#session, leg, other, transaction, response?.status ?? 408, response)
          other.said = body
          if (method === 'INVITE') this.#session.ack(other, request, client)
          this.#answeredOffer(leg, other, transaction, timer, described.text, response as SipResponse)
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
    offer: string,
    response: SipResponse,
  ): void {
    const answer = descriptionOf(response)
    if (answer.kind !== 'sdp') return void refused(this.#session, leg, other, transaction, 488)
    other.heard = answer.text
    other.media.answer(answer.sdp, other.peer, leg.media, (text) => {
      if (this.#session.over) return
      leg.exchange = NONE
      other.exchange = NONE
      if (transaction.answered) return takeBack(this.#session, leg, other, this.#edge)
      this.#session.tune(answer.sdp)
      if (text === undefined) return void transaction.reply(503)
      leg.heard = offer
      if (transaction.request.method === 'INVITE') this.#acceptInvite(leg, transaction, timer, text)
      else this.#acceptUpdate(leg, transaction, timer, text)
    })
  }

  /** A re-INVITE without offer: the other side is asked for one, and the ACK carries the answer to it. */
  #lateOffer(leg: CallLeg, other: CallLeg, transaction: ServerTransaction, timer: Accepted): void {
    leg.exchange = { kind: 'theirs', transaction }
    other.exchange = { kind: 'ours', transaction: undefined }
    const sent = this.#session.request(
      other,
      { method: 'INVITE', headers: this.#session.timers.offerHeaders(other) },
      (response, request, client) => {
        if (!this.#session.agreed(other, response, request))
          return refused(this.#session, leg, other, transaction, response?.status ?? 408, response)
        const offer = descriptionOf(response as SipResponse)
        if (offer.kind !== 'sdp') {
          this.#session.ack(other, request, client)
          return refused(this.#session, leg, other, transaction, 488)
        }
        other.heard = offer.text
        other.media.offer(offer.sdp, other.peer, leg.media, (text) => {
          if (this.#session.over) return this.#session.ack(other, request, client)
          // cancelled, and the 200 crossed it: what was said last is still the answer
          if (transaction.answered) return this.#lateAnswer(leg, other, request, client, leg.heard)
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
      this.#session.ack(other, request, client)
      return void this.#session.end('tandem', { reason: 'no answer in the ACK' })
    }
    leg.heard = body
    leg.media.answer(answer.sdp, leg.peer, other.media, (text) => {
      other.said = text
      this.#session.tune(answer.sdp)
      this.#session.ack(other, request, client, text)
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
    this.#session.timers.arm(leg)
    leg.unacked = this.#edge.transactions.accept(transaction, response, () => this.#session.noAck(leg))
  }

  #acceptUpdate(leg: CallLeg, transaction: ServerTransaction, timer: Accepted, sdp: string | undefined): void {
    if (sdp !== undefined) leg.said = sdp
    leg.session = timer.timer
    this.#session.timers.arm(leg)
    transaction.reply(200, {
      contact: leg.contact,
      headers: [['Allow', ALLOW], ['Supported', SUPPORTED], ...timer.fields],
      ...(sdp === undefined ? {} : { body: sdp, contentType: SDP_TYPE }),
    })
  }

  /** An UPDATE of `leg`. */
  updated(leg: CallLeg, transaction: ServerTransaction): void {
    const { request } = transaction
    const other = this.#session.other(leg)
    if (leg.dialog) leg.dialog = withRemoteSequence(leg.dialog, request)
    const timer = answerAsUas(request, this.#session.timers.policy)
    if (timer.kind === 'too-small') return void transaction.reply(422, { headers: timer.fields })
    const described = descriptionOf(request)
    if (described.kind === 'invalid') return void transaction.reply(488, { reason: described.reason })
    if (described.kind === 'other') return void transaction.reply(415, { headers: [['Accept', SDP_TYPE]] })
    // RFC 3311 5.2: an UPDATE before the final response to a previous one, with an offer or without
    const { exchange } = leg
    if (exchange.kind === 'theirs' && exchange.transaction.request.method === 'UPDATE')
      return void this.#refuseForNow(transaction)
    if (described.kind === 'sdp' && !this.#mayOffer(leg, other, transaction)) return
    leg.takesUpdate = true
    this.#refreshTarget(leg, request)
    if (described.kind === 'none') return void this.#acceptUpdate(leg, transaction, timer, undefined)
    if (described.text === leg.heard && leg.said !== undefined)
      return void this.#acceptUpdate(leg, transaction, timer, leg.said)
    this.#offered(leg, other, transaction, timer, described)
  }

  #refreshTarget(leg: CallLeg, request: SipRequest): void {
    if (leg.dialog === undefined) return
    const verdict = receiveInDialog(leg.dialog, request)
    if (verdict.kind === 'in-order') leg.dialog = verdict.dialog
    if (request.headers.has('allow')) leg.takesUpdate = allowsUpdate(request)
  }
}
