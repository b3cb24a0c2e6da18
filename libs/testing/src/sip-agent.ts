/** The SIP user agent behind a test phone and a test carrier: requests with digest, calls, what comes in. */
import { randomBytes } from 'node:crypto'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { dialogKeyOfRequest } from '@tandem/sip/dialog/dialog.ts'
import { DEFAULT_SESSION_TIMER, type SessionTimerPolicy } from '@tandem/sip/dialog/session-timer.ts'
import { makeRequest, makeResponse } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { callId, cseq } from '@tandem/sip/message/read.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Wire } from '@tandem/sip/transaction/wire.ts'
import { SDP_TYPE } from './call-sdp.ts'
import { type Line, openRtpAudio } from './rtp-audio.ts'
import { Call } from './sip-call.ts'
import { openSipEndpoint, type SipEndpoint, type Transport } from './sip-endpoint.ts'

export interface Credentials {
  readonly user: string
  readonly password: string
}

export interface SipAgentParts {
  /** User part of our Contact. */
  readonly user: string
  readonly host: string
  readonly port: number
  readonly listen: readonly Transport[]
  readonly certificate?: { readonly certificate: string; readonly privateKey: string } | undefined
  readonly ca?: string | undefined
  readonly clientCa?: string | undefined
  readonly onClient?: (names: string) => void
  /** `;transport=tls` and the like, for our Contact. */
  readonly contactParams?: string
  readonly credentials?: Credentials | undefined
  /** Hz */
  readonly tone: number
  readonly echo?: boolean
  readonly line?: Line | undefined
  /** We ask for a session timer of that many seconds; 0: we take part when the peer asks. */
  readonly sessionExpires?: number
  /** An INVITE outside any dialog: make a call of it with `takeCall`, or answer it. */
  onInvite(transaction: ServerTransaction): void
  /** Any other request outside a dialog; false: it is answered with 501. */
  onRequest(transaction: ServerTransaction): boolean
  /** Sees every request before anything else; false: it is dropped without any answer. */
  admit?(request: SipRequest, wire: Wire): boolean
  /** Sees every message received as it came, before anything else. */
  readonly onMessage?: ((message: SipMessage) => void) | undefined
}

export interface OutgoingParts {
  readonly uri: string
  /** Values of From and To without tags. */
  readonly from: string
  readonly to: string
  readonly wire: Wire
  readonly headers?: Iterable<readonly [name: string, value: string]> | undefined
  /** An INVITE without SDP is a late offer. */
  readonly offer?: boolean | undefined
  /** Leaves out the SDP and uses this body instead. */
  readonly body?: { readonly type: string; readonly content: string } | undefined
}

const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, UPDATE, NOTIFY, REFER'

/** Owns the sockets and all calls; `close()` ends both. */
export class SipAgent {
  readonly #parts: SipAgentParts
  readonly #calls = new Map<string, Call>()
  readonly #open = new Set<Call>()
  readonly #ended = new Map<string, Call>()
  readonly #nonces = new Map<string, number>()
  readonly sessionTimerPolicy: SessionTimerPolicy
  readonly capabilities: [string, string][] = [
    ['Allow', ALLOW],
    ['Supported', 'timer'],
  ]
  #endpoint: SipEndpoint | undefined

  constructor(parts: SipAgentParts) {
    this.#parts = parts
    this.sessionTimerPolicy = { ...DEFAULT_SESSION_TIMER, interval: parts.sessionExpires ?? 0 }
  }

  async open(): Promise<void> {
    const { host, port, listen, certificate, ca, clientCa, onClient, admit, onMessage } = this.#parts
    this.#endpoint = await openSipEndpoint({
      host,
      port,
      listen,
      certificate,
      ca,
      clientCa,
      ...(onClient ? { onClient } : {}),
      onRequest: (transaction) => this.#onRequest(transaction),
      onAck: (ack) => this.#calls.get(dialogKeyOfRequest(ack) ?? '')?.receiveAck(ack),
      onMessage(message, wire) {
        onMessage?.(message)
        return message.kind === 'response' || admit?.(message, wire) !== false
      },
    })
  }

  get endpoint(): SipEndpoint {
    if (!this.#endpoint) throw new Error('not open')
    return this.#endpoint
  }

  get layer(): TransactionLayer {
    return this.endpoint.layer
  }

  /** Our Contact value; over a connection of our own it names that connection's address. */
  get contact(): string {
    return `<sip:${this.#parts.user}@${this.contactHost ?? this.endpoint.sentBy}${this.#parts.contactParams ?? ''}>`
  }

  /** Set once a connection to the server is there: `host:port` of our end of it. */
  contactHost: string | undefined

  get calls(): readonly Call[] {
    return [...this.#open]
  }

  makeRequest(
    method: string,
    parts: Omit<OutgoingParts, 'wire'> & { callId?: string; cseq?: number; fromTag?: string },
  ): SipRequest {
    return makeRequest({
      method,
      uri: parts.uri,
      from: `${parts.from};tag=${parts.fromTag ?? randomBytes(6).toString('hex')}`,
      to: parts.to,
      callId: parts.callId ?? `${randomBytes(12).toString('hex')}@${this.#parts.host}`,
      cseq: parts.cseq ?? 1,
      contact: this.contact,
      headers: [...this.capabilities, ...(parts.headers ?? [])],
      body: parts.body?.content,
      contentType: parts.body?.type,
    })
  }

  makeAnswer(
    transaction: ServerTransaction,
    headers: [string, string][],
    body: { body?: string; contentType?: string },
  ): SipResponse {
    return makeResponse(transaction.request, 200, {
      toTag: transaction.toTag,
      contact: this.contact,
      recordRoute: true,
      headers: [...this.capabilities, ...headers],
      ...body,
    })
  }

  /** Sends a request outside a transaction of a call, answers one challenge, resolves with the final response. */
  async transact(request: SipRequest, wire: Wire, again?: () => SipRequest): Promise<SipResponse> {
    const response = await this.#once(request, wire)
    if (response.status !== 401 && response.status !== 407) return response
    const retry = this.withCredentials(request, response, again?.())
    return retry ? this.#once(retry, wire) : response
  }

  /** The same request with credentials for that challenge and the next CSeq; undefined when we have none. */
  withCredentials(request: SipRequest, response: SipResponse, fresh?: SipRequest): SipRequest | undefined {
    const { credentials } = this.#parts
    const proxy = response.status === 407
    if (!credentials || (!proxy && response.status !== 401)) return undefined
    const challenges = response.headers.getAll(proxy ? 'proxy-authenticate' : 'www-authenticate')
    const nonce = /nonce="([^"]*)"/i.exec(challenges[0] ?? '')?.[1] ?? ''
    const nc = (this.#nonces.get(nonce) ?? 0) + 1
    this.#nonces.set(nonce, nc)
    const value = authorize({
      challenges,
      username: credentials.user,
      secret: { password: credentials.password },
      method: request.method,
      uri: request.uri,
      cnonce: randomBytes(8).toString('hex'),
      nc,
      body: request.body,
    })
    if (value === undefined) return undefined
    const next = fresh ?? this.#nextTry(request)
    next.headers.set(proxy ? 'Proxy-Authorization' : 'Authorization', value)
    return next
  }

  /** Starts an outgoing call. */
  async call(parts: OutgoingParts): Promise<Call> {
    const audio = await openRtpAudio({
      address: this.#parts.host,
      tone: this.#parts.tone,
      echo: this.#parts.echo === true,
      line: this.#parts.line,
    })
    const bare = this.makeRequest('INVITE', parts)
    const call = new Call({ agent: this, audio, wire: parts.wire, onEnded: (ended) => this.#onEnded(ended) }, bare)
    const interval = this.sessionTimerPolicy.interval
    if (interval > 0) bare.headers.append('Session-Expires', String(interval))
    if (parts.body === undefined && parts.offer !== false) {
      call.invite = this.makeRequest('INVITE', {
        ...parts,
        callId: callId(bare),
        headers: [...(parts.headers ?? []), ...(interval > 0 ? [['Session-Expires', String(interval)] as const] : [])],
        body: { type: SDP_TYPE, content: call.offer() },
      })
    }
    this.#open.add(call)
    call.start()
    return call
  }

  /** Makes a call of an INVITE received; nothing is answered yet. */
  async takeCall(transaction: ServerTransaction, sound: { tone?: number; echo?: boolean } = {}): Promise<Call> {
    const audio = await openRtpAudio({
      address: this.#parts.host,
      tone: sound.tone ?? this.#parts.tone,
      echo: sound.echo ?? this.#parts.echo === true,
      line: this.#parts.line,
    })
    const parts = { agent: this, audio, wire: transaction.wire, onEnded: (ended: Call) => this.#onEnded(ended) }
    const call = new Call(parts, transaction.request, transaction)
    this.#open.add(call)
    return call
  }

  noteDialog(call: Call): void {
    if (call.key !== undefined) this.#calls.set(call.key, call)
  }

  /** For requests whose answer nobody waits for. */
  forget(work: Promise<unknown>): void {
    work.catch(() => undefined)
  }

  /** Hangs up what stands (waiting for the BYEs at most a second) and closes all sockets. */
  async close(): Promise<void> {
    if (!this.#endpoint) return
    for (const call of this.#open) this.forget(call.hangUp())
    for (let i = 0; i < 20 && this.layer.clientCount > 0 && this.#pending > 0; i++) await pause(50)
    for (const call of [...this.#open]) call.abandon()
    await this.#endpoint.close()
    this.#endpoint = undefined
  }

  #pending = 0

  #once(request: SipRequest, wire: Wire): Promise<SipResponse> {
    this.#pending++
    return new Promise<SipResponse>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${request.method} ${request.uri}: ${why}`))
      this.layer.request(request, wire, {
        onResponse: (response) => response.status >= 200 && resolve(response),
        onTimeout: () => fail('no answer'),
        onTransportError: () => fail('connection lost'),
      })
    }).finally(() => {
      this.#pending--
    })
  }

  #nextTry(request: SipRequest): SipRequest {
    const headers = request.headers.clone()
    headers.remove('Via')
    const { sequence, method } = cseq(request) ?? { sequence: 0, method: request.method }
    headers.set('CSeq', `${sequence + 1} ${method}`)
    return { ...request, headers }
  }

  #onRequest(transaction: ServerTransaction): void {
    const { request } = transaction
    const key = dialogKeyOfRequest(request)
    const call = key === undefined ? undefined : (this.#calls.get(key) ?? this.#referred(key, request))
    if (call) {
      call.receive(transaction)
      return
    }
    if (key !== undefined) {
      transaction.reply(481)
      return
    }
    if (request.method === 'INVITE') {
      this.#parts.onInvite(transaction)
      return
    }
    if (request.method === 'OPTIONS') {
      transaction.reply(200, { headers: this.capabilities })
      return
    }
    if (!this.#parts.onRequest(transaction)) transaction.reply(501)
  }

  /** RFC 5057: the subscription of a REFER outlives the call that it came in. */
  #referred(key: string, request: SipRequest): Call | undefined {
    return request.method === 'NOTIFY' ? this.#ended.get(key) : undefined
  }

  #onEnded(call: Call): void {
    this.#open.delete(call)
    if (call.key === undefined) return
    this.#calls.delete(call.key)
    this.#ended.set(call.key, call)
    if (this.#ended.size > 32) this.#ended.delete(this.#ended.keys().next().value ?? '')
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
