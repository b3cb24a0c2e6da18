/**
 * One INVITE of ours until its final response: credentials (401, 407), session intervals (422), forks further down,
 * ACK, CANCEL and what crosses it. What the responses mean for the call is the call's business.
 */

import { authorize, pickChallenge } from '@tandem/sip/auth/digest.ts'
import { ackInDialog, type Dialog, requestInDialog } from '@tandem/sip/dialog/dialog.ts'
import { minSeAfter422, type SessionTimerPolicy, sessionTimerRequestFields } from '@tandem/sip/dialog/session-timer.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { toTag } from '@tandem/sip/message/read.ts'
import type { ClientHandlers, ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { Edge } from '../edge.ts'
import type { CallLeg } from './call-leg.ts'
import { EarlyDialogs } from './early-dialogs.ts'
import { allowsUpdate } from './leg-headers.ts'
import { withDialogWire } from './leg-wire.ts'

export interface OutInviteParts {
  readonly edge: Edge
  readonly leg: CallLeg
  readonly uri: string
  readonly from: string
  readonly to: string
  readonly routes: readonly string[]
  readonly maxForwards: number
  readonly headers: readonly (readonly [string, string])[]
  readonly credentials: { readonly user: string; readonly password: string } | undefined
  readonly timer: SessionTimerPolicy
  /** Fresh random text. */
  readonly cnonce: () => string
  readonly handlers: OutInviteHandlers
}

/** What the INVITE carries; known later than the rest where the media engine is asked for the offer. */
export interface InviteContent {
  readonly body: string | undefined
  readonly contentType: string | undefined
  readonly headers?: readonly (readonly [string, string])[]
}

export interface OutInviteHandlers {
  onProvisional(response: SipResponse): void
  /** The first 2xx; the dialog of the leg is set. Acknowledge it (`ack`) or get rid of it (`discard`). */
  onAnswer(response: SipResponse): void
  /** `lost`: nobody said it (timeout, transport). */
  onFailed(status: number, response: SipResponse | undefined, lost: boolean): void
  /** Nobody listens there; it is repeated all the same (a call for help). */
  onUnreachable?(): void
}

type Fields = readonly (readonly [string, string])[]

export class OutInvite implements ClientHandlers {
  readonly leg: CallLeg
  /** What its provisional responses have made (RFC 3262, RFC 3311). */
  readonly early: EarlyDialogs
  #parts: OutInviteParts
  #transaction: ClientTransaction | undefined
  #request: SipRequest | undefined
  #content: InviteContent | undefined
  /** `send` was asked for before there was something to send. */
  #due = false
  #sequence = 0
  #triedNonce: string | undefined
  #authorization: readonly [string, string] | undefined
  #cancelled = false
  #over = false
  /** Tag of the dialog that answered. */
  #tag: string | undefined

  constructor(parts: OutInviteParts) {
    this.#parts = parts
    this.leg = parts.leg
    this.early = new EarlyDialogs({ edge: parts.edge, random: parts.cnonce }, parts.leg)
  }

  get request(): SipRequest | undefined {
    return this.#request
  }

  /** From now on it can go out, and does when it was to. */
  carry(content: InviteContent): void {
    this.#content = content
    if (this.#due) this.send()
  }

  /** Nothing can be carried: it never goes out. */
  abandon(status: number): void {
    this.#fail(status, undefined, false)
  }

  send(): void {
    if (this.#cancelled || this.#over) return
    const content = this.#content
    this.#due = content === undefined
    if (content === undefined) return
    const { leg, edge, timer } = this.#parts
    this.#sequence++
    this.early.clear()
    const headers: (readonly [string, string])[] = [
      ...this.#parts.headers,
      ...(content.headers ?? []),
      ...sessionTimerRequestFields(timer, undefined, leg.peerMinSe),
    ]
    if (this.#authorization) headers.push(this.#authorization)
    this.#request = makeRequest({
      method: 'INVITE',
      uri: this.#parts.uri,
      from: this.#parts.from,
      to: this.#parts.to,
      callId: leg.sipCallId,
      cseq: this.#sequence,
      maxForwards: this.#parts.maxForwards,
      route: this.#parts.routes,
      contact: leg.contact,
      headers,
      body: content.body,
      contentType: content.contentType,
    })
    this.#transaction = edge.transactions.request(this.#request, leg.wire, this)
  }

  /** RFC 3261 9.1; what still comes is told to the handlers all the same. */
  cancel(headers: Fields = []): void {
    if (this.#over || this.#cancelled) return
    this.#cancelled = true
    this.#transaction?.cancel(headers)
  }

  onResponse(response: SipResponse): void {
    const { status } = response
    if (status < 200) {
      if (!this.#over && this.#taken(response)) this.#parts.handlers.onProvisional(response)
    } else if (status < 300) this.#answered(response)
    else if (!this.#over && !this.#retries(response)) this.#fail(status, response, false)
  }

  #taken(response: SipResponse): boolean {
    return response.status === 100 || this.#request === undefined || this.early.take(this.#request, response)
  }

  onTimeout(): void {
    // RFC 3261 8.1.3.1: a timeout is treated as a 408
    this.#fail(408, undefined, true)
  }

  onTransportError(): void {
    // RFC 3261 8.1.3.1: a transport error is treated as a 503
    this.#fail(503, undefined, true)
  }

  onUnreachable(): void {
    if (!this.#over) this.#parts.handlers.onUnreachable?.()
  }

  /** The ACK of the answer. */
  ack(body?: string): void {
    const { leg, edge } = this.#parts
    const { dialog } = leg
    const request = this.#request
    const transaction = this.#transaction
    if (dialog === undefined || request === undefined || transaction === undefined) return
    const parts = body === undefined ? {} : { body, contentType: 'application/sdp' }
    withDialogWire(edge, leg, dialog, () => transaction.ack(ackInDialog(dialog, request, parts), leg.wire))
  }

  /** RFC 3261 15.1.1 and 13.2.2.4: a 2xx that nobody wants is acknowledged, then hung up. */
  discard(response: SipResponse): void {
    const { edge, leg } = this.#parts
    const dialog = this.#dialogOf(response)
    const request = this.#request
    const transaction = this.#transaction
    if (dialog === undefined || request === undefined || transaction === undefined) return
    withDialogWire(edge, leg, dialog, () => {
      transaction.ack(ackInDialog(dialog, request), leg.wire)
      const [, bye] = requestInDialog(dialog, { method: 'BYE' })
      edge.transactions.request(bye, leg.wire, IGNORE)
    })
  }

  #answered(response: SipResponse): void {
    const tag = toTag(response) ?? ''
    if (this.#tag !== undefined) {
      // RFC 3261 13.2.2.4: another branch of a fork answered too; the same one again waits for its ACK
      if (tag !== this.#tag) this.discard(response)
      return
    }
    if (this.#over) return void this.discard(response)
    this.#tag = tag
    this.#over = true
    this.leg.dialog = this.#dialogOf(response)
    this.leg.takesUpdate = response.headers.has('allow')
      ? allowsUpdate(response)
      : (this.early.of(tag)?.takesUpdate ?? false)
    const { handlers } = this.#parts
    // The transaction lasts for 32 s more, for other branches of a fork. They need the leg; what set the call up is let go.
    this.#parts = { ...this.#parts, headers: [], handlers: OVER }
    handlers.onAnswer(response)
  }

  #dialogOf(response: SipResponse): Dialog | undefined {
    return this.#request === undefined ? undefined : this.early.confirmed(this.#request, response)
  }

  #fail(status: number, response: SipResponse | undefined, lost: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#parts.handlers.onFailed(status, response, lost)
  }

  /** True when the INVITE goes out once more with what was missing. */
  #retries(response: SipResponse): boolean {
    if (this.#cancelled) return false
    const { status } = response
    if (status === 401 || status === 407) return this.#authorizes(response)
    if (status !== 422) return false
    const minSe = minSeAfter422(response, this.leg.peerMinSe)
    if (minSe === undefined) return false
    this.leg.peerMinSe = minSe
    this.send()
    return true
  }

  #authorizes(response: SipResponse): boolean {
    const { credentials, uri } = this.#parts
    const field = response.status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
    const answer = answerChallenge(response, field, 'INVITE', uri, credentials, this.#parts.cnonce())
    // RFC 3261 22.2: the same credentials are not tried again unless the nonce was stale
    if (answer === undefined || (this.#triedNonce !== undefined && !answer.stale)) return false
    if (this.#triedNonce === answer.nonce) return false
    this.#triedNonce = answer.nonce
    this.#authorization = [response.status === 401 ? 'Authorization' : 'Proxy-Authorization', answer.value]
    this.send()
    return true
  }
}

/** Answered: nothing more is told. */
const OVER: OutInviteHandlers = { onProvisional() {}, onAnswer() {}, onFailed() {} }

const IGNORE: ClientHandlers = { onResponse() {}, onTimeout() {}, onTransportError() {} }

export function answerChallenge(
  response: SipResponse,
  field: string,
  method: string,
  uri: string,
  credentials: { readonly user: string; readonly password: string } | undefined,
  cnonce: string,
): { readonly value: string; readonly nonce: string; readonly stale: boolean } | undefined {
  if (credentials === undefined) return undefined
  const challenge = pickChallenge(response.headers.getAll(field))
  if (challenge === undefined) return undefined
  const { user: username, password } = credentials
  const value = authorize({ challenges: challenge, username, secret: { password }, method, uri, cnonce })
  return value === undefined ? undefined : { value, nonce: challenge.nonce, stale: challenge.stale }
}
