/**
 * A carrier for tests and the demonstration: takes INVITEs on real sockets and keeps them whole, answers as told (with
 * audio), registers trunks with digest, and places calls from the PSTN into the trunk.
 */
import { createSecretKey, randomBytes } from 'node:crypto'
import { challenge, readAuthorization, verify } from '@tandem/sip/auth/digest.ts'
import { checkNonce, makeNonce } from '@tandem/sip/auth/nonce.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { contacts, expires, to as toAddress } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { Wire } from '@tandem/sip/transaction/wire.ts'
import type { Line } from './rtp-audio.ts'
import { SipAgent } from './sip-agent.ts'
import type { Call, CallHandle } from './sip-call.ts'
import { readSipAddress } from './sip-endpoint.ts'
import { nextTone } from './tone.ts'

/** What the carrier does with an INVITE. */
export type ItspBehaviour =
  /** 180, 200 after `answerAfterMs`, a tone. */
  | 'answer'
  /** Takes it and sends nothing, not even 100. */
  | 'silent'
  /** 486 */
  | 'busy'
  /** 180 and nothing more. */
  | 'ring'
  | {
      readonly kind: 'answer'
      /** ms from the INVITE to the 200, default 100. */
      readonly answerAfterMs?: number
      /** 183 with SDP instead of 180: early media. */
      readonly earlyMedia?: boolean
      /** Send back what is heard instead of the carrier's tone. */
      readonly echo?: boolean
      /** ms from the answer to our BYE, default never. */
      readonly hangUpAfterMs?: number
    }
  | {
      readonly status: number
      readonly reason?: string
      readonly headers?: [name: string, value: string][]
      /** ms from the INVITE to the answer, default 0. */
      readonly afterMs?: number
      /** 180 first. */
      readonly ring?: boolean
    }

/** An INVITE as it arrived. */
export interface ReceivedInvite {
  /** Number called: user of the Request-URI, escapes resolved. */
  readonly number: string
  /** User of From. */
  readonly from: string
  readonly request: SipRequest
  /** The body as text, multipart and all. */
  readonly body: string
  /** udp, tcp, tls */
  readonly transport: string
  /** The call made of it; undefined while the INVITE is ignored or refused. */
  readonly call: CallHandle | undefined
}

export interface ItspParts {
  /** For people: `Carrier A`. */
  readonly name: string
  /** Default `udp://127.0.0.1:0`; with UDP the same port listens on TCP too. */
  readonly listen?: string
  /** PEM, for a `tls://` listener. */
  readonly certificate?: { readonly certificate: string; readonly privateKey: string }
  /** PEM, for a `tls://` listener: clients must show a certificate of this authority. */
  readonly clientCa?: string
  /** The edge's carrier listener, `udp://127.0.0.1:5070`. Without it calls go to a registered contact. */
  readonly target?: string
  /** user -> password: who may register here; when given, INVITEs are challenged too unless `challengeInvite: false`. */
  readonly digestAccounts?: Readonly<Record<string, string>>
  readonly challengeInvite?: boolean
  /** Default: our host. */
  readonly realm?: string
  /** For numbers not in `phones`, default `answer`. */
  readonly behaviour?: ItspBehaviour
  /** Number (with or without +) -> behaviour. */
  readonly phones?: Readonly<Record<string, ItspBehaviour>>
  /** Longest registration granted, s, default 3600. */
  readonly maxExpires?: number
  /** Hz */
  readonly tone?: number
  readonly line?: Line
  /** False: OPTIONS are not answered. */
  readonly options?: boolean
  /** Sees every message received as it came, before anything else. */
  readonly onMessage?: (message: SipMessage) => void
}

export interface PstnCall {
  /** Number of the caller, E.164. */
  readonly from: string
  /** Number called (a DID), as the carrier writes it. */
  readonly to: string
  readonly headers?: [name: string, value: string][]
  readonly offer?: boolean
  /** Display name of the caller. */
  readonly name?: string
}

export interface Itsp {
  readonly name: string
  readonly host: string
  readonly port: number
  /** `sip:127.0.0.1:40112` */
  readonly uri: string
  /** Tone of the carrier's phones, Hz. */
  readonly tone: number
  /** Every INVITE outside a call, in order; challenged ones are not here. */
  readonly received: readonly ReceivedInvite[]
  /** Requests of any method outside a call, by method. */
  readonly counts: ReadonlyMap<string, number>
  /** Registered accounts: user -> Contact URI. */
  readonly registrations: ReadonlyMap<string, string>
  readonly calls: readonly CallHandle[]
  /** Certificates that TLS clients showed: the names in each, in the order of connections. */
  readonly clients: readonly string[]
  /** Ends every connection; calls stand. */
  disconnect(): void
  setBehaviour(behaviour: ItspBehaviour): void
  setPhone(number: string, behaviour: ItspBehaviour): void
  /** Places a call into the trunk. */
  call(call: PstnCall): Promise<CallHandle>
  /** The next INVITE that fits (or one already received after the last that was taken). */
  nextInvite(fits?: (invite: ReceivedInvite) => boolean, timeoutMs?: number): Promise<ReceivedInvite>
  /** Resolves with the user once it is registered. */
  nextRegistration(timeoutMs?: number): Promise<string>
  close(): Promise<void>
}

const NONCE_MS = 300_000

/** Opens the sockets and serves. */
export async function startItsp(parts: ItspParts): Promise<Itsp> {
  const listen = readSipAddress(parts.listen ?? 'udp://127.0.0.1:0')
  const target = parts.target === undefined ? undefined : readSipAddress(parts.target)
  const { host } = listen
  const realm = parts.realm ?? host
  const tone = parts.tone ?? nextTone()
  const nonceKey = createSecretKey(randomBytes(16))
  const received: (ReceivedInvite & { call: CallHandle | undefined })[] = []
  const counts = new Map<string, number>()
  const registrations = new Map<string, { uri: string; wire: Wire; until: number }>()
  const phones = new Map(Object.entries(parts.phones ?? {}).map(([number, b]) => [digits(number), b]))
  const watchers = new Set<() => void>()
  let behaviour = parts.behaviour ?? 'answer'
  const given = new WeakSet<ReceivedInvite>()
  let taken = 0

  const behaviourFor = (request: SipRequest) => phones.get(digits(userOf(request.uri))) ?? behaviour
  const changed = () => {
    for (const look of watchers) look()
  }
  const clients: string[] = []
  const agent = new SipAgent({
    user: 'pstn',
    host,
    port: listen.port,
    listen: listen.transport === 'udp' ? ['udp', 'tcp'] : [listen.transport],
    certificate: parts.certificate,
    clientCa: parts.clientCa,
    onClient: (names) => clients.push(names),
    contactParams: listen.transport === 'udp' ? '' : `;transport=${listen.transport}`,
    tone,
    line: parts.line,
    onMessage: parts.onMessage,
    admit(request, wire) {
      if (request.method === 'OPTIONS') count(request)
      if (request.method === 'OPTIONS' && parts.options === false) return false
      // a silent carrier does not even send 100: the INVITE must not reach the transaction layer
      if (request.method !== 'INVITE' || behaviourFor(request) !== 'silent') return true
      if (/;\s*tag=/.test(request.headers.get('to') ?? '')) return true
      if (!received.some((known) => sameTransaction(known.request, request)))
        note(request, wire.transport.toLowerCase())
      return false
    },
    onInvite: (transaction) => agent.forget(onInvite(transaction)),
    onRequest: (transaction) => onRequest(transaction),
  })
  await agent.open()

  const count = (request: SipRequest) => counts.set(request.method, (counts.get(request.method) ?? 0) + 1)
  const note = (request: SipRequest, transport: string) => {
    const invite = {
      number: userOf(request.uri),
      from: userOf(/<([^>]*)>/.exec(request.headers.get('from') ?? '')?.[1] ?? ''),
      request,
      body: new TextDecoder().decode(request.body),
      transport,
      call: undefined as CallHandle | undefined,
    }
    received.push(invite)
    count(request)
    changed()
    return invite
  }

  const authorized = (transaction: ServerTransaction): string | undefined => {
    const { request } = transaction
    const now = Date.now()
    for (const value of request.headers.getAll('authorization')) {
      const claim = readAuthorization(value)
      const password = claim && parts.digestAccounts?.[claim.username]
      if (!claim || password === undefined) continue
      const outcome = verify({
        authorization: claim,
        method: request.method,
        realm,
        secret: { password },
        body: request.body,
        checkNonce: (nonce) => checkNonce(nonceKey, nonce, now, NONCE_MS, realm),
      })
      if (outcome.kind === 'ok') return claim.username
    }
    const values = challenge({
      realm,
      nonce: makeNonce(nonceKey, now, randomBytes(8), realm),
      algorithms: ['SHA-256', 'MD5'],
    })
    transaction.reply(401, { headers: values.map((value) => ['WWW-Authenticate', value]) })
    return undefined
  }

  const onInvite = async (transaction: ServerTransaction) => {
    const { request } = transaction
    const challenged = parts.digestAccounts !== undefined && parts.challengeInvite !== false
    if (challenged && authorized(transaction) === undefined) return
    const invite = note(request, transaction.wire.transport.toLowerCase())
    const wanted = behaviourFor(request)
    if (wanted === 'busy') transaction.reply(486)
    else if (typeof wanted === 'object' && 'status' in wanted) refuse(transaction, wanted)
    else {
      const how = typeof wanted === 'object' ? wanted : { kind: 'answer' as const }
      const call = await agent.takeCall(transaction, { echo: how.echo === true })
      invite.call = call
      changed()
      call.ring(how.earlyMedia ? 183 : 180)
      if (wanted !== 'ring') agent.layer.timers.after(how.answerAfterMs ?? 100, () => agent.forget(pickUp(call, how)))
    }
  }
  const pickUp = async (call: Call, how: { hangUpAfterMs?: number }) => {
    if (call.state !== 'calling') return
    await call.answer()
    if (how.hangUpAfterMs !== undefined) {
      agent.layer.timers.after(how.hangUpAfterMs, () => agent.forget(call.hangUp()))
    }
  }
  const refuse = (transaction: ServerTransaction, wanted: Extract<ItspBehaviour, { status: number }>) => {
    const { status, reason, headers } = wanted
    if (wanted.ring) transaction.reply(180)
    const answer = () => transaction.reply(status, { reason, headers })
    if (wanted.afterMs) agent.layer.timers.after(wanted.afterMs, answer)
    else answer()
  }

  const onRequest = (transaction: ServerTransaction): boolean => {
    count(transaction.request)
    if (transaction.request.method !== 'REGISTER') return false
    const user = authorized(transaction)
    if (user !== undefined) bind(transaction, user)
    return true
  }
  const bind = (transaction: ServerTransaction, user: string) => {
    const { request } = transaction
    const account = toAddress(request)?.uri.user
    if (account !== undefined && unescapeUser(account) !== user) {
      transaction.reply(403)
      return
    }
    const found = contacts(request)
    const contact = found === '*' ? undefined : found[0]
    const asked = Number(contact?.params.get('expires') ?? expires(request) ?? 3600)
    const granted = Math.min(asked, parts.maxExpires ?? 3600)
    if (found === '*' || granted === 0) registrations.delete(user)
    else if (contact) {
      // calls go back the way the REGISTER came, through NAT and over its connection
      registrations.set(user, { uri: contact.uriText, wire: transaction.wire, until: Date.now() + granted * 1000 })
    }
    const bound = registrations.get(user)
    transaction.reply(200, bound ? { headers: [['Contact', `<${bound.uri}>;expires=${granted}`]] } : {})
    changed()
  }

  const within = <T>(look: () => T | undefined, timeoutMs: number, complaint: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const done = () => {
        watchers.delete(check)
        clearTimeout(timer)
      }
      const check = () => {
        const found = look()
        if (found === undefined) return
        done()
        resolve(found)
      }
      const timer = setTimeout(() => {
        done()
        reject(new Error(`${parts.name}: ${complaint} within ${timeoutMs} ms`))
      }, timeoutMs)
      watchers.add(check)
      check()
    })

  return {
    name: parts.name,
    host,
    port: agent.endpoint.port,
    uri: `sip:${agent.endpoint.sentBy}`,
    tone,
    received,
    counts,
    clients,
    disconnect: () => agent.endpoint.disconnect(),
    get registrations() {
      const now = Date.now()
      return new Map([...registrations].filter(([, { until }]) => until > now).map(([user, { uri }]) => [user, uri]))
    },
    get calls() {
      return agent.calls
    },
    setBehaviour(next) {
      behaviour = next
    },
    setPhone(number, next) {
      phones.set(digits(number), next)
    },
    async call({ from, to, headers, offer, name }) {
      const registered = registrations.values().next().value
      const wire = target ? await agent.endpoint.wireTo(target) : registered?.wire
      if (!wire) throw new Error(`${parts.name}: no target, and nobody is registered`)
      const place = target ? hostPort(target) : hostPort(parseUri(registered?.uri ?? ''))
      const display = name === undefined ? '' : `"${name}" `
      return agent.call({
        uri: `sip:${to}@${place}`,
        from: `${display}<sip:${from}@${agent.endpoint.sentBy}>`,
        to: `<sip:${to}@${place}>`,
        wire,
        headers,
        offer,
      })
    },
    nextInvite(fits = () => true, timeoutMs = 10_000) {
      // of several who wait at once nobody's is passed over because another's came first
      const since = taken
      const look = () => {
        const found = received.find((invite, i) => i >= since && !given.has(invite) && fits(invite))
        if (found === undefined) return undefined
        given.add(found)
        taken = Math.max(taken, received.indexOf(found) + 1)
        return found
      }
      return within(look, timeoutMs, 'no INVITE came')
    },
    nextRegistration: (timeoutMs = 10_000) =>
      within(() => registrations.keys().next().value, timeoutMs, 'nobody registered'),
    close: () => agent.close(),
  }
}

function userOf(uri: string): string {
  const parsed = parseUri(uri)
  return parsed?.user === undefined ? uri : unescapeUser(parsed.user)
}

function hostPort(place: { readonly host: string; readonly port: number | undefined } | undefined): string {
  const host = place?.host ?? ''
  const written = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  return place?.port === undefined ? written : `${written}:${place.port}`
}

function digits(number: string): string {
  return number.replace(/^\+/, '')
}

function sameTransaction(a: SipRequest, b: SipRequest): boolean {
  return a.headers.get('via') === b.headers.get('via') && a.headers.get('cseq') === b.headers.get('cseq')
}
