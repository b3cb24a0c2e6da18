/** Both sides of a call by hand, over UDP: a caller and a callee who say exactly what a test says. */
import { randomBytes } from 'node:crypto'
import { ackInDialog, type Dialog, dialogOfUac, dialogOfUas, requestInDialog } from '@tandem/sip/dialog/dialog.ts'
import { makeAck, makeCancel, makeRequest, makeResponse } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { cseq, toTag } from '@tandem/sip/message/read.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { isRequest, isResponse, type RawPeer } from './raw-peer.ts'

type Fields = [string, string][]
interface Parts {
  readonly headers?: Fields
  readonly body?: string | undefined
  /** Default application/sdp. */
  readonly type?: string
}

interface InviteParts extends Parts {
  /** In From, default `caller`. */
  readonly user?: string
  readonly contact?: string
}

const SDP = 'application/sdp'
const WAIT_MS = 10_000

/** A description; `formats` like `0 101`. */
export function sdp(port: number, formats = '0', more: readonly string[] = [], session = 7): string {
  return [
    'v=0',
    `o=- ${session} 1 IN IP4 127.0.0.1`,
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${port} RTP/AVP ${formats}`,
    ...more,
    '',
  ].join('\r\n')
}

export const bodyOf = (message: SipMessage): string => Buffer.from(message.body).toString()
export const ofMethod = (method: string) => (m: SipMessage) => isRequest(method)(m)

function via(peer: RawPeer): string {
  return `SIP/2.0/${peer.transport} ${peer.address}:${peer.port};branch=z9hG4bK${randomBytes(8).toString('hex')};rport`
}

function contentOf(body: string | undefined, type = SDP): { body?: string; contentType?: string } {
  return body === undefined ? {} : { body, contentType: type }
}

/** Whoever has a dialog asks in it. */
async function askIn(
  peer: RawPeer,
  holder: { dialog: Dialog | undefined; asking?: SipRequest | undefined },
  method: string,
  parts: Parts = {},
): Promise<SipResponse> {
  if (!holder.dialog) throw new Error('there is no dialog')
  const contact = `<sip:hand@${peer.address}:${peer.port}>`
  const { headers = [], body, type } = parts
  const [dialog, request] = requestInDialog(holder.dialog, { method, contact, headers, ...contentOf(body, type) })
  holder.dialog = dialog
  holder.asking = request
  return await askRaw(peer, request)
}

async function askRaw(peer: RawPeer, request: SipRequest): Promise<SipResponse> {
  request.headers.prepend('Via', via(peer))
  peer.send(writeMessage(request))
  const id = request.headers.get('call-id')
  const number = request.headers.get('cseq')
  const final = (m: SipMessage): m is SipResponse =>
    isResponse(m) && m.status >= 200 && m.headers.get('cseq') === number && m.headers.get('call-id') === id
  return await peer.next(final, WAIT_MS)
}

/** RFC 3261 17.1.1.3: the ACK of a refusal belongs to its transaction, that of a 2xx is one of its own. */
function ackIn(peer: RawPeer, holder: { dialog: Dialog | undefined }, response: SipResponse, body?: string): void {
  if (!holder.dialog) throw new Error('there is no dialog')
  const ack = ackInDialog(holder.dialog, cseq(response)?.sequence ?? 0, contentOf(body))
  ack.headers.prepend('Via', response.status >= 300 ? (response.headers.get('via') ?? '') : via(peer))
  peer.send(writeMessage(ack))
}

export class HandCaller {
  /** Another one: from now on it speaks over that. */
  peer: RawPeer
  readonly invite: SipRequest
  dialog: Dialog | undefined
  /** The last request inside the dialog. */
  asking: SipRequest | undefined

  constructor(peer: RawPeer, number: string, edgePort: number, parts: InviteParts = {}) {
    this.peer = peer
    this.invite = makeRequest({
      method: 'INVITE',
      uri: `sip:${number}@127.0.0.1:${edgePort}`,
      via: via(peer),
      from: `<sip:${parts.user ?? 'caller'}@127.0.0.1>;tag=${randomBytes(4).toString('hex')}`,
      to: `<sip:${number}@127.0.0.1>`,
      callId: randomBytes(8).toString('hex'),
      cseq: 1,
      contact:
        parts.contact ??
        `<sip:caller@${peer.address}:${peer.port}${peer.transport === 'UDP' ? '' : `;transport=${peer.transport.toLowerCase()}`}>`,
      headers: parts.headers,
      ...contentOf(parts.body),
    })
    peer.send(writeMessage(this.invite))
  }

  /** The next response to the INVITE with this status; the dialog is its dialog. */
  async hears(status: number, ms = WAIT_MS): Promise<SipResponse> {
    const id = this.invite.headers.get('call-id')
    const fits = (m: SipMessage): m is SipResponse =>
      isResponse(m) && m.status === status && m.headers.get('call-id') === id && cseq(m)?.method === 'INVITE'
    const response = await this.peer.next(fits, ms)
    if (this.dialog?.remoteTag !== toTag(response)) this.dialog = dialogOfUac(this.invite, response) ?? this.dialog
    return response
  }

  /** Whether such a response has come and was not taken. */
  has(status: number): boolean {
    const id = this.invite.headers.get('call-id')
    return this.peer.received.some(
      (m) => isResponse(m) && m.status === status && m.headers.get('call-id') === id && cseq(m)?.method === 'INVITE',
    )
  }

  ask(method: string, parts: Parts = {}): Promise<SipResponse> {
    return askIn(this.peer, this, method, parts)
  }

  /** PRACKs that response. */
  prack(response: SipResponse, body?: string): Promise<SipResponse> {
    const rack = `${response.headers.get('rseq')} ${response.headers.get('cseq')}`
    return this.ask('PRACK', { headers: [['RAck', rack]], body })
  }

  ack(response: SipResponse, body?: string): void {
    const dialog = this.dialog ?? dialogOfUac(this.invite, response)
    if (response.status < 300 && !dialog) throw new Error('no dialog')
    const ack =
      response.status >= 300 ? makeAck(this.invite, response) : ackInDialog(dialog as Dialog, 1, contentOf(body))
    if (response.status < 300) ack.headers.prepend('Via', via(this.peer))
    this.peer.send(writeMessage(ack))
  }

  /** The ACK of a re-INVITE's final response. */
  ackAgain(response: SipResponse, body?: string): void {
    ackIn(this.peer, this, response, body)
  }

  cancel(): void {
    this.peer.send(writeMessage(makeCancel(this.invite)))
  }

  /** Of the re-INVITE that it has asked last. */
  cancelAgain(): void {
    if (this.asking) this.peer.send(writeMessage(makeCancel(this.asking)))
  }

  /** The next request of the edge inside the call, to be answered by `reply`. */
  async asked(method: string): Promise<SipRequest> {
    return (await this.peer.next(ofMethod(method), WAIT_MS)) as SipRequest
  }

  reply(request: SipRequest, status: number, parts: Parts = {}): void {
    reply(this.peer, request, status, undefined, parts)
  }

  async hangUp(): Promise<void> {
    await this.ask('BYE')
  }
}

/** The INVITE that reached the other end, and its answers: one To tag for each branch of a fork. */
export class HandCallee {
  readonly peer: RawPeer
  readonly invite: SipRequest
  readonly dialogs = new Map<string, { dialog: Dialog | undefined }>()

  private constructor(peer: RawPeer, invite: SipRequest) {
    this.peer = peer
    this.invite = invite
  }

  static async take(peer: RawPeer, number: string): Promise<HandCallee> {
    const fits = (m: SipMessage) => isRequest('INVITE')(m) && m.uri.includes(number) && toTag(m) === undefined
    return new HandCallee(peer, (await peer.next(fits, WAIT_MS)) as SipRequest)
  }

  /** Answers the INVITE; `rseq`: reliably. */
  says(status: number, tag: string, parts: Parts & { rseq?: number } = {}): SipResponse {
    const reliable: Fields =
      parts.rseq === undefined
        ? []
        : [
            ['Require', '100rel'],
            ['RSeq', String(parts.rseq)],
          ]
    const headers: Fields = [...(parts.headers ?? []), ...reliable]
    const response = reply(this.peer, this.invite, status, tag, { ...parts, headers })
    if (!this.dialogs.has(tag)) this.dialogs.set(tag, { dialog: dialogOfUas(this.invite, response) })
    return response
  }

  /** The next request inside the branch `tag`. */
  async asked(method: string, tag: string): Promise<SipRequest> {
    const fits = (m: SipMessage) => isRequest(method)(m) && toTag(m) === tag && m.headers.get('call-id') === this.callId
    return (await this.peer.next(fits, WAIT_MS)) as SipRequest
  }

  /** Whether such a request has come and was not taken. */
  has(method: string): boolean {
    return this.peer.received.some((m) => isRequest(method)(m) && m.headers.get('call-id') === this.callId)
  }

  get callId(): string | undefined {
    return this.invite.headers.get('call-id')
  }

  ask(tag: string, method: string, parts: Parts = {}): Promise<SipResponse> {
    return askIn(this.peer, this.dialogs.get(tag) ?? { dialog: undefined }, method, parts)
  }

  ack(tag: string, response: SipResponse, body?: string): void {
    ackIn(this.peer, this.dialogs.get(tag) ?? { dialog: undefined }, response, body)
  }

  reply(request: SipRequest, status: number, parts: Parts = {}): void {
    reply(this.peer, request, status, undefined, parts)
  }

  /** Takes the PRACK of a reliable response and answers it. */
  async pracked(tag: string, parts: Parts = {}): Promise<SipRequest> {
    const prack = await this.asked('PRACK', tag)
    this.reply(prack, 200, parts)
    return prack
  }
}

function reply(peer: RawPeer, request: SipRequest, status: number, tag: string | undefined, parts: Parts): SipResponse {
  const response = makeResponse(request, status, {
    ...(tag === undefined ? {} : { toTag: tag }),
    ...(parts.headers?.some(([name]) => name === 'Contact')
      ? {}
      : { contact: `<sip:hand@${peer.address}:${peer.port}>` }),
    recordRoute: true,
    headers: parts.headers,
    ...contentOf(parts.body),
  })
  peer.send(writeMessage(response))
  return response
}

/** Either of the two of a call, for what is said of both. */
export interface HandSide {
  ask(method: string, parts?: Parts): Promise<SipResponse>
  asked(method: string): Promise<SipRequest>
  reply(request: SipRequest, status: number, parts?: Parts): void
  /** Whether such a request has come and was not taken. */
  has(method: string): boolean
}

export const callerSide = (caller: HandCaller): HandSide => ({
  ask: (method, parts) => caller.ask(method, parts),
  asked: (method) => caller.asked(method),
  reply: (request, status, parts) => caller.reply(request, status, parts),
  has: (method) => caller.peer.received.some(isRequest(method)),
})

export const calleeSide = (callee: HandCallee, tag = 'a'): HandSide => ({
  ask: (method, parts) => callee.ask(tag, method, parts),
  asked: (method) => callee.asked(method, tag),
  reply: (request, status, parts) => callee.reply(request, status, parts),
  has: (method) => callee.has(method),
})
