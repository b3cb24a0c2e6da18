/** A SIP phone for tests and the demonstration: real sockets, real audio (a tone of its own in PCMU). */
import type { SipMessage, SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { contacts, expires } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { WheelTimer } from '@tandem/sip/transaction/timer-wheel.ts'
import type { Wire } from '@tandem/sip/transaction/wire.ts'
import type { Line } from './rtp-audio.ts'
import { SipAgent } from './sip-agent.ts'
import type { CallHandle } from './sip-call.ts'
import { readSipAddress } from './sip-endpoint.ts'
import { nextTone } from './tone.ts'

export interface PhoneParts {
  /** For people: `alice's phone`. */
  readonly name: string
  /**
   * Where all requests go: `udp://127.0.0.1:5060`, `tcp://…`, `tls://…`. Without it the phone calls the address that
   * stands in the URI (`sip:bob@127.0.0.1:40112`).
   */
  readonly server?: string
  /** Our own address, default 127.0.0.1; 127.0.0.2 is 'another network'. */
  readonly bind?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Default: `name`. */
  readonly user?: string
  readonly password?: string
  /** Digest user, default `user`. */
  readonly authUser?: string
  /** SIP domain of the user, default our address. */
  readonly domain?: string
  /** PEM: the TLS server must prove itself with a certificate of this authority. Without it any is taken. */
  readonly ca?: string
  /** Hz, default one that no other phone of this process has. */
  readonly tone?: number
  readonly line?: Line
  /** Asks for a session timer of that many seconds. */
  readonly sessionExpires?: number
  /** Answer every incoming call after that many ms (ringing before). */
  readonly answerAfterMs?: number
  /** Sees every message received as it came, before anything else. */
  readonly onMessage?: (message: SipMessage) => void
}

export interface IncomingMessage {
  /** From, as received. */
  readonly from: string
  readonly contentType: string
  readonly body: string
  readonly request: SipRequest
}

export interface CallOptions {
  readonly headers?: Iterable<readonly [name: string, value: string]>
  /** Value of From without tag, default our address of record. */
  readonly from?: string
  /** False: an INVITE without SDP. */
  readonly offer?: boolean
}

export interface Phone {
  readonly name: string
  /** Address of record, `sip:alice@acme.example`. */
  readonly uri: string
  /** `sip:alice@127.0.0.1:40112`: how another phone calls us directly. */
  readonly contactUri: string
  readonly port: number
  /** Hz */
  readonly tone: number
  readonly registered: boolean
  /** MESSAGEs received and answered with 200. */
  readonly messages: readonly IncomingMessage[]
  /** Registers and keeps registered; resolves with the 200, rejects on a refusal. `expires` in s, default 3600. */
  register(options?: { expires?: number }): Promise<SipResponse>
  unregister(): Promise<SipResponse>
  /** Another server of the same enterprise from now on, for calls that are up too; over TCP and TLS by a new connection. */
  moveTo(server: string): Promise<void>
  /** `to`: a SIP or tel URI, or digits and names as dialled (`9120655501000` becomes `sip:…@domain`). */
  call(to: string, options?: CallOptions): Promise<CallHandle>
  /** The handler gets every incoming call from now on (180 has been sent); without one `nextCall` queues them. */
  onIncoming(handler: (call: CallHandle) => void): void
  /** The next incoming call, ringing; rejects after `timeoutMs` (default 10,000). */
  nextCall(timeoutMs?: number): Promise<CallHandle>
  nextMessage(timeoutMs?: number): Promise<IncomingMessage>
  /** Any request outside a call, with digest when challenged. */
  send(
    method: string,
    to: string,
    body?: { type: string; content: string },
    headers?: Iterable<readonly [name: string, value: string]>,
  ): Promise<SipResponse>
  /** Hangs up, and closes every socket. The registration is left to expire. */
  close(): Promise<void>
}

/** Opens the sockets (and the connection to a TCP or TLS server); does not register. */
export async function startPhone(parts: PhoneParts): Promise<Phone> {
  const { name, user = name, bind = '127.0.0.1', tone = nextTone() } = parts
  const server = parts.server === undefined ? undefined : readSipAddress(parts.server)
  const calls = queue<CallHandle>()
  const messages = queue<IncomingMessage>()
  const inbox: IncomingMessage[] = []
  let handler: ((call: CallHandle) => void) | undefined
  let registration: { callId: string; cseq: number; refresh?: WheelTimer } | undefined
  let registered = false

  const agent = new SipAgent({
    user,
    host: bind,
    port: parts.port ?? 0,
    // a phone with a TCP or TLS server has only that connection
    listen: server === undefined || server.transport === 'udp' ? ['udp'] : [],
    ca: parts.ca,
    contactParams: server === undefined || server.transport === 'udp' ? '' : `;transport=${server.transport}`,
    ...(parts.password === undefined
      ? {}
      : { credentials: { user: parts.authUser ?? user, password: parts.password } }),
    tone,
    line: parts.line,
    onMessage: parts.onMessage,
    ...(parts.sessionExpires === undefined ? {} : { sessionExpires: parts.sessionExpires }),
    onInvite: (transaction) => agent.forget(ring(transaction)),
    onRequest: (transaction) => receive(transaction),
  })
  await agent.open()
  const connect = async () => server && agent.endpoint.wireTo(server)
  let serverWire = await connect().catch(async (error: unknown) => {
    await agent.close()
    throw error
  })
  if (serverWire?.reliable) agent.contactHost = serverWire.sentBy
  const domain = parts.domain ?? serverWire?.sentBy ?? agent.endpoint.sentBy
  const uri = `sip:${user}@${domain}`

  const ring = async (transaction: ServerTransaction) => {
    const call = await agent.takeCall(transaction)
    call.ring()
    if (parts.answerAfterMs !== undefined) {
      agent.layer.timers.after(parts.answerAfterMs, () => agent.forget(call.answer()))
    }
    if (handler) handler(call)
    else calls.put(call)
  }
  const receive = (transaction: ServerTransaction): boolean => {
    const { request } = transaction
    if (request.method !== 'MESSAGE') return request.method === 'NOTIFY' && Boolean(transaction.reply(200))
    transaction.reply(200)
    const message: IncomingMessage = {
      from: request.headers.get('from') ?? '',
      contentType: request.headers.get('content-type') ?? '',
      body: new TextDecoder().decode(request.body),
      request,
    }
    inbox.push(message)
    messages.put(message)
    return true
  }
  const toUri = (to: string) => (/^(sips?|tel|urn):/i.test(to) ? to : `sip:${to}@${domain}`)
  const wireFor = async (target: string): Promise<Wire> => {
    if (serverWire) return serverWire
    const parsed = parseUri(target)
    if (!parsed) throw new Error(`not a URI: ${target}`)
    const host = parsed.host.replace(/^\[|\]$/g, '')
    return agent.endpoint.wireTo({ transport: 'udp', host, port: parsed.port ?? 5060 })
  }

  const register = async (seconds: number): Promise<SipResponse> => {
    if (!serverWire) throw new Error(`${name} has no server to register at`)
    registration ??= { callId: `${randomId()}@${bind}`, cseq: 0 }
    const current = registration
    agent.layer.timers.clear(current.refresh)
    const request = () =>
      agent.makeRequest('REGISTER', {
        uri: `sip:${domain}`,
        from: `<${uri}>`,
        to: `<${uri}>`,
        callId: current.callId,
        cseq: ++current.cseq,
        headers: [['Expires', String(seconds)]],
      })
    const response = await agent.transact(request(), serverWire, request)
    registered = seconds > 0 && response.status === 200
    if (response.status !== 200) throw new Error(`${name}: REGISTER got ${response.status} ${response.reason}`)
    if (registered) {
      const granted = grantedSeconds(response, agent.contact) ?? seconds
      current.refresh = agent.layer.timers.after(granted * 800, () => agent.forget(register(seconds)))
    }
    return response
  }

  return {
    name,
    uri,
    tone,
    get contactUri() {
      return agent.contact.slice(1, -1)
    },
    get port() {
      return agent.endpoint.port
    },
    get registered() {
      return registered
    },
    messages: inbox,
    register: ({ expires: seconds = 3600 } = {}) => register(seconds),
    unregister: () => register(0),
    async moveTo(other) {
      serverWire = await agent.endpoint.wireTo(readSipAddress(other))
      if (serverWire.reliable) agent.contactHost = serverWire.sentBy
      for (const call of agent.calls) call.moveTo(serverWire)
    },
    async call(to, options = {}) {
      const target = toUri(to)
      return agent.call({
        uri: target,
        from: options.from ?? `<${uri}>`,
        to: `<${target}>`,
        wire: await wireFor(target),
        headers: options.headers,
        offer: options.offer,
      })
    },
    onIncoming(next) {
      handler = next
    },
    nextCall: (timeoutMs) => calls.take(timeoutMs, `${name}: no call came`),
    nextMessage: (timeoutMs) => messages.take(timeoutMs, `${name}: no MESSAGE came`),
    async send(method, to, body, headers) {
      const target = toUri(to)
      const request = agent.makeRequest(method, { uri: target, from: `<${uri}>`, to: `<${target}>`, body, headers })
      return agent.transact(request, await wireFor(target))
    },
    close: () => agent.close(),
  }
}

/** Seconds which the registrar granted to our contact (RFC 3261 10.2.4: the Contact's expires, else Expires). */
function grantedSeconds(response: SipResponse, contact: string): number | undefined {
  const bindings = contacts(response)
  const own = bindings === '*' ? undefined : bindings.find(({ uriText }) => `<${uriText}>` === contact)
  const value = own?.params.get('expires')
  return value === undefined ? expires(response) : Number.parseInt(value, 10)
}

function randomId(): string {
  return Math.random().toString(36).slice(2)
}

interface Queue<T> {
  put(item: T): void
  take(timeoutMs: number | undefined, complaint: string): Promise<T>
}

function queue<T>(): Queue<T> {
  const items: T[] = []
  const takers: ((item: T) => void)[] = []
  return {
    put(item) {
      const taker = takers.shift()
      if (taker) taker(item)
      else items.push(item)
    },
    take(timeoutMs = 10_000, complaint) {
      const first = items.shift()
      if (first !== undefined) return Promise.resolve(first)
      return new Promise((resolve, reject) => {
        const taker = (item: T) => {
          clearTimeout(timer)
          resolve(item)
        }
        const timer = setTimeout(() => {
          takers.splice(takers.indexOf(taker), 1)
          reject(new Error(`${complaint} within ${timeoutMs} ms`))
        }, timeoutMs)
        takers.push(taker)
      })
    },
  }
}
