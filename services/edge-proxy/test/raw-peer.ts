/** A socket that speaks SIP by hand: what a test sends is exactly what goes out. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { makeRequest, makeResponse } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { parseDatagram, parseStream } from '@tandem/sip/message/parse.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { WebSocket } from 'ws'

export interface RawPeer {
  readonly address: string
  readonly port: number
  readonly transport: 'UDP' | 'TCP' | 'TLS' | 'WS' | 'WSS'
  send(bytes: Uint8Array | string): void
  /** The next message that fits and was not taken yet; rejects after 15 s. */
  next<M extends SipMessage>(fits: (message: SipMessage) => message is M, ms?: number): Promise<M>
  next(fits: (message: SipMessage) => boolean, ms?: number): Promise<SipMessage>
  /** Sends a request with a Via of its own and gives its final response. */
  ask(request: SipRequest, options?: { via?: string }): Promise<SipResponse>
  /** Sends a response to where its request came from (UDP). */
  reply(request: SipRequest, status: number, headers?: [string, string][]): void
  answer(request: SipRequest, status: number, headers?: [string, string][]): void
  /** Messages that nobody took. */
  readonly received: readonly SipMessage[]
  /** Bytes that were no message (keep-alives of a stream). */
  readonly other: readonly Buffer[]
  readonly closed: Promise<unknown>
  close(): void
}

export const isResponse = (m: SipMessage): m is SipResponse => m.kind === 'response'
export const isRequest =
  (method: string) =>
  (m: SipMessage): m is SipRequest =>
    m.kind === 'request' && m.method === method

/** `to`: over UDP where it says at the time of each packet. */
export async function rawPeer(
  transport: RawPeer['transport'],
  to: { readonly port: number; readonly address?: string },
  options: { readonly from?: string; readonly port?: number; readonly tls?: object } = {},
): Promise<RawPeer> {
  const from = options.from ?? '127.0.0.1'
  const host = to.address ?? '127.0.0.1'
  const inbox: SipMessage[] = []
  const other: Buffer[] = []
  const waiters: { fits: (m: SipMessage) => boolean; take: (m: SipMessage) => void; end: () => void }[] = []
  const deliver = (message: SipMessage) => {
    const at = waiters.findIndex((w) => w.fits(message))
    if (at >= 0) waiters.splice(at, 1)[0]?.take(message)
    else inbox.push(message)
  }
  const sources = new WeakMap<SipMessage, { port: number; address: string }>()
  let sendTo: ((bytes: Uint8Array, port: number, address: string) => void) | undefined
  let send: (bytes: Uint8Array | string) => void
  let port: number
  let close: () => void
  let closed: Promise<unknown>
  if (transport === 'UDP') {
    const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4')
    socket.bind(options.port ?? 0, from)
    await once(socket, 'listening')
    socket.on('message', (bytes, source) => {
      const outcome = parseDatagram(bytes)
      if (outcome.kind === 'message') {
        sources.set(outcome.message, source)
        deliver(outcome.message)
      } else other.push(bytes)
    })
    sendTo = (bytes, toPort, address) => socket.send(bytes, toPort, address)
    port = socket.address().port
    send = (bytes) => socket.send(bytes, to.port, to.address ?? '127.0.0.1')
    closed = once(socket, 'close')
    let open = true
    close = () => {
      if (open) socket.close()
      open = false
    }
  } else if (transport === 'WS' || transport === 'WSS') {
    const url = `${transport.toLowerCase()}://${host}:${to.port}/`
    const web = new WebSocket(url, ['sip'], { localAddress: from, rejectUnauthorized: false, ...options.tls } as never)
    closed = new Promise((done) => web.on('close', done))
    await once(web, 'open')
    web.on('error', () => {})
    web.on('message', (data: Buffer) => {
      const outcome = parseDatagram(data)
      if (outcome.kind === 'message') deliver(outcome.message)
      else other.push(data)
    })
    port = 5060
    send = (bytes) => web.send(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString())
    close = () => web.terminate()
  } else {
    const socket: Socket =
      transport === 'TCP'
        ? connectTcp({ host, port: to.port, localAddress: from })
        : connectTls({ host, port: to.port, localAddress: from, rejectUnauthorized: false, ...options.tls } as never)
    closed = new Promise((done) => socket.on('close', done))
    await once(socket, transport === 'TCP' ? 'connect' : 'secureConnect')
    let rest = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length > 0) {
        const outcome = parseStream(rest)
        if (outcome.kind === 'more' || outcome.kind === 'close') break
        if (outcome.kind === 'message') deliver(outcome.message)
        else other.push(rest.subarray(0, outcome.length))
        rest = rest.subarray(outcome.length)
      }
    })
    port = socket.localPort as number
    send = (bytes) => socket.write(bytes)
    close = () => socket.destroy()
  }
  const next = (fits: (m: SipMessage) => boolean, ms = 15_000): Promise<SipMessage> => {
    const at = inbox.findIndex(fits)
    if (at >= 0) return Promise.resolve(inbox.splice(at, 1)[0] as SipMessage)
    return new Promise((done, fail) => {
      const waiter = {
        fits,
        take: (m: SipMessage) => {
          clearTimeout(limit)
          done(m)
        },
        end: () => {
          clearTimeout(limit)
          fail(new Error('closed'))
        },
      }
      const limit = setTimeout(() => {
        waiters.splice(waiters.indexOf(waiter), 1)
        fail(
          new Error(
            `nothing came in ${ms} ms; there were: ${inbox.map((m) => (m.kind === 'request' ? m.method : m.status))}`,
          ),
        )
      }, ms)
      waiters.push(waiter)
    })
  }
  return {
    address: from,
    port,
    transport,
    send,
    next: next as RawPeer['next'],
    async ask(request, { via } = {}) {
      const branch = `z9hG4bK${randomBytes(8).toString('hex')}`
      request.headers.prepend('Via', via ?? `SIP/2.0/${transport} ${from}:${port};branch=${branch};rport`)
      const cseq = request.headers.get('cseq')
      const id = request.headers.get('call-id')
      send(writeMessage(request))
      return (await next(
        (m) => isResponse(m) && m.status >= 200 && m.headers.get('cseq') === cseq && m.headers.get('call-id') === id,
      )) as SipResponse
    },
    reply(request, status, headers = []) {
      const source = sources.get(request)
      const bytes = writeMessage(makeResponse(request, status, { toTag: randomBytes(4).toString('hex'), headers }))
      if (sendTo && source) sendTo(bytes, source.port, source.address)
      else send(bytes)
    },
    answer(request, status, headers = []) {
      send(writeMessage(makeResponse(request, status, { toTag: randomBytes(4).toString('hex'), headers })))
    },
    received: inbox,
    other,
    closed,
    close() {
      for (const waiter of waiters.splice(0)) waiter.end()
      close()
    },
  }
}

let counter = 0

/** A request from `user`, with a fresh Call-ID unless told. */
export function requestOf(
  peer: RawPeer,
  method: string,
  parts: {
    user?: string
    uri?: string
    to?: string
    callId?: string
    cseq?: number
    contact?: string | undefined
    headers?: [string, string][]
    body?: string
    contentType?: string
  } = {},
): SipRequest {
  const user = parts.user ?? 'alice'
  const transport = peer.transport === 'UDP' ? '' : `;transport=${peer.transport.toLowerCase()}`
  return makeRequest({
    method,
    uri: parts.uri ?? 'sip:acme.example',
    from: `<sip:${user}@acme.example>;tag=${randomBytes(6).toString('hex')}`,
    to: parts.to ?? `<sip:${user}@acme.example>`,
    callId: parts.callId ?? `${++counter}-${randomBytes(6).toString('hex')}`,
    cseq: parts.cseq ?? 1,
    contact:
      'contact' in parts
        ? parts.contact
        : `<sip:${user}@${peer.address.includes(':') ? `[${peer.address}]` : peer.address}:${peer.port}${transport}>`,
    headers: parts.headers,
    body: parts.body,
    contentType: parts.contentType,
  })
}

/** Answers the challenge of a 401 or 407; `algorithm` picks one challenge of several. */
export function withCredentials(
  request: SipRequest,
  challenge: SipResponse,
  account: { user: string; password: string },
  options: { algorithm?: string; nc?: number; cseq?: number; cnonce?: string } = {},
): SipRequest {
  const proxy = challenge.status === 407
  const all = challenge.headers.getAll(proxy ? 'proxy-authenticate' : 'www-authenticate')
  const challenges = options.algorithm ? all.filter((c) => c.includes(`algorithm=${options.algorithm}`)) : all
  const value = authorize({
    challenges,
    username: account.user,
    secret: { password: account.password },
    method: request.method,
    uri: request.uri,
    cnonce: options.cnonce ?? randomBytes(8).toString('hex'),
    ...(options.nc ? { nc: options.nc } : {}),
  })
  if (value === undefined) throw new Error('no challenge that can be answered')
  const headers = request.headers.clone()
  headers.remove('via')
  headers.set(proxy ? 'Proxy-Authorization' : 'Authorization', value)
  const sequence = options.cseq ?? Number.parseInt(headers.get('cseq') ?? '0', 10) + 1
  headers.set('CSeq', `${sequence} ${request.method}`)
  return { ...request, headers }
}

/** REGISTER with digest, all the way. */
export async function registerUser(
  peer: RawPeer,
  user: string,
  password: string,
  options: { algorithm?: string; headers?: [string, string][]; contact?: string } = {},
): Promise<SipResponse> {
  const request = requestOf(peer, 'REGISTER', {
    user,
    headers: options.headers ?? [['Expires', '300']],
    ...(options.contact ? { contact: options.contact } : {}),
  })
  const challenge = await peer.ask(request)
  if (challenge.status !== 401) return challenge
  return await peer.ask(withCredentials(request, challenge, { user, password }, options))
}
