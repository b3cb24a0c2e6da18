/** One call of a test peer, either way: INVITE, 18x, answer, hold, BYE, CANCEL, digest, session timer, audio. */
import {
  ackInDialog,
  type Dialog,
  dialogKey,
  dialogOfUac,
  dialogOfUas,
  receiveInDialog,
  requestInDialog,
} from '@tandem/sip/dialog/dialog.ts'
import {
  agreedAsUac,
  answerAsUas,
  expireAfterMs,
  refreshAfterMs,
  type SessionTimer,
  sessionTimerRequestFields,
} from '@tandem/sip/dialog/session-timer.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { cseq } from '@tandem/sip/message/read.ts'
import type { ClientTransaction } from '@tandem/sip/transaction/client-transaction.ts'
import type { RetransmitUntilAck } from '@tandem/sip/transaction/retransmit-until-ack.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { Wire } from '@tandem/sip/transaction/wire.ts'
import { answerDirection, type Direction, readCallSdp, SDP_TYPE, writeCallSdp } from './call-sdp.ts'
import type { Audio, RtpAudio } from './rtp-audio.ts'
import type { SipAgent } from './sip-agent.ts'

/** How and by whom a call ended. */
export interface CallEnd {
  readonly by: 'us' | 'peer' | 'network'
  /**
   * `hung-up`: BYE. `rejected`: a final response of 300-699. `cancelled`: given up before the answer. `timeout`: no
   * answer, no ACK, or a session that was not refreshed. `lost`: the connection failed.
   */
  readonly why: 'hung-up' | 'rejected' | 'cancelled' | 'timeout' | 'lost'
  /** Of the final response, when it was not a 2xx. */
  readonly status?: number
  readonly reason?: string
}

export interface CallHandle {
  readonly direction: 'outgoing' | 'incoming'
  readonly callId: string
  /** The INVITE as sent (the last one, with credentials) or received. */
  readonly invite: SipRequest
  /** The address of the other side: To of an outgoing, From of an incoming call. */
  readonly peer: string
  /** Status codes in the order in which they came (outgoing) or were sent (incoming). */
  readonly statuses: readonly number[]
  /** Every response received to the INVITE. */
  readonly responses: readonly SipResponse[]
  /** Status of the first 18x; rejects when the call ends without one. */
  readonly ringing: Promise<number>
  /** Resolves when the call stands; rejects with the status and reason when it does not come about. */
  readonly answered: Promise<void>
  readonly ended: Promise<CallEnd>
  readonly audio: Audio
  readonly state: 'calling' | 'established' | 'ended'
  /** True while the peer holds us. */
  readonly held: boolean
  /** Tags, targets, route set and sequence numbers. */
  readonly dialog: Dialog | undefined
  /** Incoming: sends 180 (`ring(183)`: with early media). */
  ring(status?: number): void
  /** Incoming: 200 with our answer; resolves when the ACK is here. */
  answer(): Promise<void>
  /** Incoming: default 486. */
  reject(status?: number, reason?: string, headers?: [string, string][]): void
  /** BYE, CANCEL or 603, whatever fits; resolves when it is over. */
  hangUp(): Promise<CallEnd>
  /** re-INVITE with a=sendonly; resolves with the status of the answer. */
  hold(): Promise<number>
  resume(): Promise<number>
  /** A request within the call: INFO, UPDATE, MESSAGE … */
  send(
    method: string,
    body?: string,
    contentType?: string,
    headers?: readonly (readonly [string, string])[],
  ): Promise<SipResponse>
  /**
   * REFER: the other side is asked to call `to`; with `instead` it takes the place of ours in that call (RFC 5589 7.2).
   * Resolves with the answer to the REFER; what comes of it is told by `transferred`.
   */
  transfer(
    to: string,
    options?: { instead?: CallHandle; headers?: readonly (readonly [string, string])[] },
  ): Promise<SipResponse>
  /** The status with which the transfer ended (the last sipfrag); rejects after `timeoutMs`, default 10,000. */
  transferred(timeoutMs?: number): Promise<number>
  /** Statuses of all sipfrags that came. */
  readonly progress: readonly number[]
  /** Requests within the call as they came, but for ACK. */
  readonly requests: readonly SipRequest[]
}

export interface CallParts {
  readonly agent: SipAgent
  readonly audio: RtpAudio
  readonly wire: Wire
  readonly onEnded: (call: Call) => void
}

let sessions = 0

export class Call implements CallHandle {
  readonly direction: 'outgoing' | 'incoming'
  readonly #agent: SipAgent
  readonly #audio: RtpAudio
  readonly #onEnded: (call: Call) => void
  readonly #session: { id: number; version: number }
  readonly #ringing = settled<number>()
  readonly #answered = settled<void>()
  readonly #ended = settled<CallEnd>()
  readonly statuses: number[] = []
  readonly responses: SipResponse[] = []
  readonly progress: number[] = []
  readonly requests: SipRequest[] = []
  readonly #transferred = settled<number>()
  state: 'calling' | 'established' | 'ended' = 'calling'
  held = false
  invite: SipRequest
  dialog: Dialog | undefined
  #wire: Wire
  #client: ClientTransaction | undefined
  #server: ServerTransaction | undefined
  #unacknowledged: RetransmitUntilAck | undefined
  #acknowledged: (() => void) | undefined
  #refused = false
  #hangingUp = false
  #reinviting = false
  #local: Direction = 'sendrecv'
  #timer: SessionTimer | undefined
  #sessionTimers: WheelTimer[] = []

  constructor(parts: CallParts, invite: SipRequest, server?: ServerTransaction) {
    this.#agent = parts.agent
    this.#audio = parts.audio
    this.#wire = parts.wire
    this.#onEnded = parts.onEnded
    this.invite = invite
    this.direction = server ? 'incoming' : 'outgoing'
    this.#server = server
    this.#session = { id: ++sessions, version: 1 }
    if (server) this.#listenToServer(server)
  }

  get callId(): string {
    return this.invite.headers.get('call-id') ?? ''
  }

  get peer(): string {
    return this.invite.headers.get(this.direction === 'outgoing' ? 'to' : 'from') ?? ''
  }

  get ringing(): Promise<number> {
    return this.#ringing.promise
  }

  get answered(): Promise<void> {
    return this.#answered.promise
  }

  get ended(): Promise<CallEnd> {
    return this.#ended.promise
  }

  get audio(): Audio {
    return this.#audio
  }

  /** Requests go this way from now on. */
  moveTo(wire: Wire): void {
    this.#wire = wire
  }

  get key(): string | undefined {
    return this.dialog && dialogKey(this.dialog)
  }

  /** Outgoing: sends the INVITE. */
  start(): void {
    this.#sendInvite(this.invite, false)
  }

  offer(direction: Direction = this.#local): string {
    const { address, port } = this.#audio
    return writeCallSdp({ address, port, direction, session: this.#session })
  }

  ring(status = 180): void {
    if (!this.#server || this.state !== 'calling') return
    this.statuses.push(status)
    const early = status === 183 ? this.#answerBody(this.invite) : {}
    const response = this.#server.reply(status, { contact: this.#agent.contact, recordRoute: true, ...early })
    this.#setDialog(dialogOfUas(this.invite, response))
    this.#ringing.resolve(status)
  }

  async answer(): Promise<void> {
    const server = this.#server
    if (!server || this.state !== 'calling') throw new Error('there is no call to answer')
    const verdict = answerAsUas(this.invite, this.#agent.sessionTimerPolicy)
    if (verdict.kind === 'too-small') {
      this.#refuse(422, undefined, verdict.fields)
      return
    }
    const response = this.#agent.makeAnswer(server, verdict.fields, this.#answerBody(this.invite))
    this.statuses.push(200)
    this.#setDialog(dialogOfUas(this.invite, response))
    const acknowledged = new Promise<void>((resolve) => {
      this.#acknowledged = resolve
    })
    this.#establish()
    this.#unacknowledged = this.#agent.layer.accept(server, response, () => this.#noAck())
    this.#runSessionTimer(verdict.timer)
    await Promise.race([acknowledged, this.ended])
  }

  reject(status = 486, reason?: string, headers: [string, string][] = []): void {
    if (this.#server && this.state === 'calling') this.#refuse(status, reason, headers)
  }

  hangUp(): Promise<CallEnd> {
    if (this.state === 'established') this.#bye({ by: 'us', why: 'hung-up' })
    else if (this.state === 'calling') {
      if (this.direction === 'incoming') this.#refuse(603)
      else {
        this.#hangingUp = true
        this.#client?.cancel()
      }
    }
    return this.ended
  }

  hold(): Promise<number> {
    this.#local = 'sendonly'
    return this.#reinvite()
  }

  resume(): Promise<number> {
    this.#local = 'sendrecv'
    return this.#reinvite()
  }

  send(
    method: string,
    body?: string,
    contentType?: string,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<SipResponse> {
    const request = () => this.#inDialog(method, { body, contentType, headers: headers.map(([n, v]) => [n, v]) })
    return this.#agent.transact(request(), this.#wire, request)
  }

  transfer(
    to: string,
    options: { instead?: CallHandle; headers?: readonly (readonly [string, string])[] } = {},
  ): Promise<SipResponse> {
    const other = options.instead?.dialog
    const replaces =
      other === undefined
        ? ''
        : `?Replaces=${encodeURIComponent(`${other.callId};to-tag=${other.remoteTag};from-tag=${other.localTag}`)}`
    return this.send('REFER', undefined, undefined, [['Refer-To', `<${to}${replaces}>`], ...(options.headers ?? [])])
  }

  transferred(timeoutMs = 10_000): Promise<number> {
    const late = new Promise<never>((_, reject) => {
      const complain = () => reject(new Error(`no end of the transfer, only ${this.progress.join(', ')}`))
      setTimeout(complain, timeoutMs).unref()
    })
    return Promise.race([this.#transferred.promise, late])
  }

  #notified(request: SipRequest): void {
    const status = Number(/^SIP\/2\.0 (\d{3})/.exec(new TextDecoder().decode(request.body))?.[1])
    if (!Number.isNaN(status)) this.progress.push(status)
    if (/^terminated/.test(request.headers.get('subscription-state') ?? '')) this.#transferred.resolve(status)
  }

  /** A request of the peer within the dialog. */
  receive(transaction: ServerTransaction): void {
    const { request } = transaction
    const verdict = this.dialog ? receiveInDialog(this.dialog, request) : undefined
    if (!verdict) {
      transaction.reply(481)
      return
    }
    if (verdict.kind === 'refuse') {
      transaction.reply(verdict.status, { reason: verdict.reason })
      return
    }
    if (request.method === 'INVITE' && (this.#reinviting || this.state !== 'established')) {
      // RFC 3261 14.2: our own INVITE is pending: 491; an earlier one of the peer is: 500 with Retry-After
      transaction.reply(this.#reinviting ? 491 : 500, { headers: [['Retry-After', '1']] })
      return
    }
    this.dialog = verdict.dialog
    this.requests.push(request)
    // RFC 3261 12.2.1.1: a target refresh says where the peer is now; here the way it came is the way there
    if (request.method === 'INVITE' || request.method === 'UPDATE') this.#wire = transaction.wire
    switch (request.method) {
      case 'BYE':
        transaction.reply(200)
        this.#finish({ by: 'peer', why: 'hung-up' })
        break
      case 'INVITE':
      case 'UPDATE':
        this.#receiveOffer(transaction)
        break
      case 'NOTIFY':
        transaction.reply(200)
        this.#notified(request)
        break
      case 'REFER':
        transaction.reply(202, { contact: this.#agent.contact })
        break
      default:
        transaction.reply(200)
    }
  }

  /** The ACK of our 200. */
  receiveAck(ack: SipRequest): void {
    this.#unacknowledged?.stop()
    this.#unacknowledged = undefined
    // RFC 3261 13.2.1: an answer to our offer in the 2xx comes in the ACK
    if (ack.body.length > 0) this.#connect(ack.body)
    this.#acknowledged?.()
    this.#acknowledged = undefined
  }

  /** The peer is closing: nothing more is sent. */
  abandon(): void {
    this.#finish({ by: 'network', why: 'lost' })
  }

  #listenToServer(server: ServerTransaction): void {
    server.onCancel = () => {
      server.reply(487)
      this.statuses.push(487)
      this.#finish({ by: 'peer', why: 'cancelled', status: 487 })
    }
  }

  #sendInvite(invite: SipRequest, authorized: boolean): void {
    this.invite = invite
    this.#client = this.#agent.layer.request(invite, this.#wire, {
      onResponse: (response) => this.#onInviteResponse(response, authorized),
      onTimeout: () => this.#finish({ by: 'network', why: 'timeout', status: 408 }),
      onTransportError: () => this.#finish({ by: 'network', why: 'lost', status: 503 }),
    })
    if (this.#hangingUp) this.#client.cancel()
  }

  #onInviteResponse(response: SipResponse, authorized: boolean): void {
    this.responses.push(response)
    if (response.status < 200) {
      this.#onProvisional(response)
      return
    }
    if (response.status < 300) {
      this.#onAccepted(response)
      return
    }
    const retry = authorized || this.#hangingUp ? undefined : this.#agent.withCredentials(this.invite, response)
    if (retry) {
      this.#sendInvite(retry, true)
      return
    }
    this.statuses.push(response.status)
    const { status, reason } = response
    this.#finish(
      this.#hangingUp ? { by: 'us', why: 'cancelled', status } : { by: 'peer', why: 'rejected', status, reason },
    )
  }

  #onProvisional(response: SipResponse): void {
    this.statuses.push(response.status)
    if (response.status === 100 || this.state !== 'calling') return
    this.#setDialog(dialogOfUac(this.invite, response) ?? this.dialog)
    if (response.status >= 180) this.#ringing.resolve(response.status)
  }

  #onAccepted(response: SipResponse): void {
    const dialog = dialogOfUac(this.invite, response)
    if (!dialog) return
    const [gone, bye] = requestInDialog(dialog, { method: 'BYE' })
    if (this.state !== 'calling') {
      // RFC 3261 13.2.2.4: another phone of a fork has answered as well: acknowledge it and send BYE
      this.#client?.ack(ackInDialog(dialog, this.invite))
      this.#agent.forget(this.#agent.transact(bye, this.#wire))
      return
    }
    this.statuses.push(response.status)
    this.#setDialog(dialog)
    // RFC 3261 13.2.2.4: a late offer (in the 2xx) is answered in the ACK
    const late = this.invite.body.length === 0 && response.body.length > 0
    this.#client?.ack(ackInDialog(dialog, this.invite, late ? this.#answerBody(response) : {}))
    this.#establish()
    if (!late) this.#connect(response.body)
    this.#runSessionTimer(agreedAsUac(this.invite, response))
    if (!this.#hangingUp) return
    // the answer crossed our CANCEL
    this.dialog = gone
    this.#agent.forget(this.#agent.transact(bye, this.#wire))
    this.#finish({ by: 'us', why: 'cancelled' })
  }

  #answerBody(offer: { readonly body: Uint8Array }): { body: string; contentType: string } {
    const offered = readCallSdp(offer.body)
    const direction = offered ? answerDirection(offered.direction, this.#local) : this.#local
    if (offered) this.#connect(offer.body)
    return { body: this.offer(direction), contentType: SDP_TYPE }
  }

  /** Takes over where the peer wants its audio. */
  #connect(body: Uint8Array): void {
    const remote = readCallSdp(body)
    if (!remote || this.state === 'ended') return
    const hears = remote.direction === 'sendrecv' || remote.direction === 'recvonly'
    this.held = !hears || remote.address === '0.0.0.0'
    this.#audio.connect(remote, !this.held)
  }

  #receiveOffer(transaction: ServerTransaction): void {
    const verdict = answerAsUas(transaction.request, this.#agent.sessionTimerPolicy)
    if (verdict.kind === 'too-small') {
      transaction.reply(422, { headers: verdict.fields })
      return
    }
    this.#session.version++
    const hasOffer = transaction.request.body.length > 0
    const body = hasOffer || transaction.request.method === 'INVITE' ? this.#answerBody(transaction.request) : {}
    const response = this.#agent.makeAnswer(transaction, verdict.fields, body)
    if (transaction.request.method === 'UPDATE') transaction.respond(response)
    else {
      this.#unacknowledged?.stop()
      this.#unacknowledged = this.#agent.layer.accept(transaction, response, () => this.#noAck())
    }
    this.#runSessionTimer(verdict.timer)
  }

  async #reinvite(): Promise<number> {
    if (this.state !== 'established') throw new Error('the call does not stand')
    this.#reinviting = true
    this.#session.version++
    const fields = sessionTimerRequestFields(this.#agent.sessionTimerPolicy, this.#timer)
    const parts = { body: this.offer(), contentType: SDP_TYPE, headers: this.#timer ? fields : [] }
    try {
      let sent = this.#inDialog('INVITE', parts)
      let response = await this.#transactInvite(sent)
      if (response.status === 401 || response.status === 407) {
        const retry = this.#agent.withCredentials(sent, response)
        if (retry && this.dialog) {
          sent = retry
          this.dialog = { ...this.dialog, localSequence: cseq(retry)?.sequence ?? this.dialog.localSequence }
          response = await this.#transactInvite(retry)
        }
      }
      if (response.status === 481 || response.status === 408) this.#bye({ by: 'network', why: 'lost' })
      else if (response.status < 300) {
        this.#connect(response.body)
        this.#runSessionTimer(agreedAsUac(sent, response))
      }
      return response.status
    } finally {
      this.#reinviting = false
    }
  }

  #transactInvite(request: SipRequest): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const client = this.#agent.layer.request(request, this.#wire, {
        onResponse: (response) => {
          if (response.status < 200) return
          if (response.status < 300 && this.dialog) client.ack(ackInDialog(this.dialog, request))
          resolve(response)
        },
        onTimeout: () => reject(new Error('re-INVITE: no answer')),
        onTransportError: () => reject(new Error('re-INVITE: connection lost')),
      })
    })
  }

  #inDialog(
    method: string,
    parts: { body?: string | undefined; contentType?: string | undefined; headers?: [string, string][] } = {},
  ): SipRequest {
    if (!this.dialog) throw new Error('the call has no dialog')
    const [dialog, request] = requestInDialog(this.dialog, {
      method,
      contact: this.#agent.contact,
      ...parts,
      headers: [...this.#agent.capabilities, ...(parts.headers ?? [])],
    })
    this.dialog = dialog
    return request
  }

  #refuse(status: number, reason?: string, headers: [string, string][] = []): void {
    if (this.#refused) return
    this.#refused = true
    this.statuses.push(status)
    this.#server?.reply(status, { reason, headers })
    this.#finish({ by: 'us', why: 'rejected', status, ...(reason === undefined ? {} : { reason }) })
  }

  #bye(end: CallEnd): void {
    if (this.state !== 'established') return
    const bye = this.#inDialog('BYE')
    this.#agent.forget(this.#agent.transact(bye, this.#wire, () => this.#inDialog('BYE')))
    this.#finish(end)
  }

  #noAck(): void {
    this.#bye({ by: 'network', why: 'timeout' })
  }

  #setDialog(dialog: Dialog | undefined): void {
    if (dialog) this.dialog = dialog
    this.#agent.noteDialog(this)
  }

  #establish(): void {
    this.state = 'established'
    this.#ringing.resolve(200)
    this.#answered.resolve()
  }

  #runSessionTimer(timer: SessionTimer | undefined): void {
    this.#stopSessionTimer()
    this.#timer = timer
    if (!timer) return
    const { timers } = this.#agent.layer
    const refresh = refreshAfterMs(timer)
    if (refresh !== undefined) {
      this.#sessionTimers.push(timers.after(refresh, () => this.#agent.forget(this.#reinvite())))
    }
    this.#sessionTimers.push(timers.after(expireAfterMs(timer), () => this.#bye({ by: 'network', why: 'timeout' })))
  }

  #stopSessionTimer(): void {
    for (const timer of this.#sessionTimers) this.#agent.layer.timers.clear(timer)
    this.#sessionTimers = []
  }

  #finish(end: CallEnd): void {
    if (this.state === 'ended') return
    this.state = 'ended'
    this.#stopSessionTimer()
    this.#unacknowledged?.stop()
    this.#audio.close()
    const text = end.status === undefined ? end.why : `${end.status} ${end.reason ?? end.why}`
    this.#ringing.reject(new Error(text))
    this.#answered.reject(new Error(text))
    this.#ended.resolve(end)
    this.#onEnded(this)
  }
}

interface Settled<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A promise that nobody needs to watch. */
function settled<T>(): Settled<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
