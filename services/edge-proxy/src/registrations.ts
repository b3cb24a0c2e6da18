/** Who is registered, over which flow: owns the registrar's state, its timers and the facts about it. */
import { randomBytes } from 'node:crypto'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import type { SipRequest, SipUri } from '@tandem/sip/message/message.ts'
import { callId, contacts, cseq, elements, expires, to, tokens, vias } from '@tandem/sip/message/read.ts'
import { parseNameAddr, sameUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { BindingStore, StoredBinding } from './adapters/binding-store.ts'
import { targets } from './domain/binding-targets.ts'
import { publicGruu, readGruu, SESSION_BYTES, temporaryGruu } from './domain/gruu.ts'
import { readBinding, udpFlow, writeBinding } from './domain/kept-binding.ts'
import {
  type BoundContact,
  contactValues,
  expire,
  preference,
  type RegisterFacts,
  register,
} from './domain/registrar.ts'
import type { Bindings, Clock, Edge, LiveBinding, Timer, Wire } from './edge.ts'

const MAX_PATH = 8

type Why = 'unregistered' | 'expired' | 'flow-failed'

export interface RegisterAnswer {
  readonly status: number
  readonly reason?: string | undefined
  readonly headers: readonly (readonly [string, string])[]
}

export interface Registrations extends Bindings {
  /** The sender is proven to be `user`. */
  register(user: string, request: SipRequest, wire: Wire, site: string | undefined): RegisterAnswer
  /** Users that registered over this very flow and still are. */
  usersOn(flow: string): readonly string[]
  /** A connection is gone: so are the bindings on it. */
  connectionFailed(flow: string): void
  /** Users that the configuration does not know any more. */
  forgetUsers(known: (user: string) => boolean): void
  /** Takes over the bindings of the process before: UDP flows live on, connections died with it. */
  restore(open: (listener: string, address: string, port: number) => Promise<Wire>): Promise<void>
  /** Tells every binding again, for those who were away. */
  retell(): void
  count(): number
  close(): void
}

export function createRegistrations(
  edge: Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config'>,
  store?: BindingStore,
  /** Ways to the first hop of a Path (RFC 3327). */
  reach?: (listener: string, uri: SipUri) => Promise<readonly Wire[]>,
): Registrations {
  const { clock } = edge
  const users = new Map<string, readonly BoundContact[]>()
  const wires = new Map<string, Wire>()
  const timers = new Map<string, Timer>()
  const flows = new Map<string, Map<string, string>>()
  /** Sessions of GRUUs -> user. */
  const sessions = new Map<string, string>()
  const key = store?.key() ?? randomBytes(32)

  const fact = (user: string, b: BoundContact) => ({
    bindingId: b.bindingId,
    user,
    contact: b.contact.uriText,
    edge: edge.node,
    transport: b.transport,
    source: b.source,
    ...(b.site === undefined ? {} : { site: b.site }),
    ...(b.userAgent === undefined ? {} : { userAgent: b.userAgent }),
    at: new Date(b.boundAt).toISOString(),
    expiresAt: new Date(b.expiresAt).toISOString(),
  })

  const drop = (user: string, b: BoundContact, why: Why) => {
    clearTimer(clock, timers, b.bindingId)
    wires.delete(b.bindingId)
    leaveFlow(flows, b)
    store?.remove(b.bindingId)
    forgetSession(user, b)
    edge.bus.tell(RegistrationRemoved, { ...fact(user, b), at: new Date(clock.wall()).toISOString(), why })
  }

  /** RFC 5627 5.3: temporary GRUUs end with the last contact of their instance. */
  const forgetSession = (user: string, b: BoundContact) => {
    if (b.session === undefined || users.get(user)?.some((other) => other.session === b.session)) return
    sessions.delete(b.session)
  }

  const settle = (user: string, bindings: readonly BoundContact[]) => {
    if (bindings.length === 0) users.delete(user)
    else users.set(user, bindings)
  }

  const remove = (user: string, gone: readonly BoundContact[], why: Why) => {
    if (gone.length === 0) return
    settle(
      user,
      (users.get(user) ?? []).filter((b) => !gone.includes(b)),
    )
    for (const b of gone) drop(user, b, why)
  }

  const keep = (user: string, b: BoundContact, wire: Wire) => {
    wires.set(b.bindingId, wire)
    if (b.session !== undefined) sessions.set(b.session, user)
    const on = flows.get(b.flow)
    if (on) on.set(b.bindingId, user)
    else flows.set(b.flow, new Map([[b.bindingId, user]]))
    const left = b.expiresAt - clock.wall()
    wire.keepUntil(clock.now() + left + 30_000)
    clearTimer(clock, timers, b.bindingId)
    timers.set(
      b.bindingId,
      clock.setTimer(left, () => remove(user, expire(users.get(user) ?? [], clock.wall()).gone, 'expired')),
    )
    store?.put({ bindingId: b.bindingId, user, body: writeBinding(b), expiresAt: b.expiresAt })
    edge.bus.tell(RegistrationBound, fact(user, b))
  }

  const restoreOne = async (kept: StoredBinding, open: Parameters<Registrations['restore']>[0]) => {
    const b = readBinding(kept.body)
    if (!b) return store?.remove(kept.bindingId)
    const flow = udpFlow(b.flow)
    const known = Object.hasOwn(edge.config().users, kept.user)
    const wire = flow && known ? await open(flow.listener, flow.address, flow.port).catch(() => undefined) : undefined
    // a phone that registered meanwhile has said something newer
    if (users.get(kept.user)?.some((other) => sameUri(other.contact.uri, b.contact.uri)))
      return store?.remove(kept.bindingId)
    if (!wire && (b.path.length === 0 || !known)) return drop(kept.user, b, 'flow-failed')
    settle(kept.user, [...(users.get(kept.user) ?? []), b])
    if (wire) return keep(kept.user, b, wire)
    await byPath(kept.user, b)
  }

  /** RFC 3327 5.1: a contact behind a proxy is reached by its Path, whatever became of the connection it came over. */
  const byPath = async (user: string, b: BoundContact): Promise<void> => {
    const listener = b.flow.split('/', 1)[0] ?? ''
    const first = parseNameAddr(b.path[0] ?? '')?.uri
    const [wire] = first && reach ? await reach(listener, first).catch(() => []) : []
    if (!users.get(user)?.includes(b)) return
    if (!wire) return remove(user, [b], 'flow-failed')
    leaveFlow(flows, b)
    const moved = { ...b, flow: wire.flow }
    settle(
      user,
      (users.get(user) ?? []).map((other) => (other === b ? moved : other)),
    )
    keep(user, moved, wire)
  }

  const live = (user: string, b: BoundContact, others: readonly BoundContact[]): LiveBinding => ({
    bindingId: b.bindingId,
    user,
    contact: b.contact,
    path: b.path,
    source: b.source,
    site: b.site,
    expiresAt: b.expiresAt,
    instance: b.instance,
    q: preference(b.contact),
    wire() {
      const wire = wires.get(b.bindingId)
      return wire?.alive ? wire : undefined
    },
    other() {
      const at = others.findIndex((o) => wires.get(o.bindingId)?.alive)
      const found = others[at]
      return found && live(user, found, others.slice(at + 1))
    },
  })

  /** RFC 5627 5.2: for those who say that they know them. */
  const gruus = (aor: RegisterFacts['aor']) => (b: BoundContact) => {
    if (b.instance === undefined || b.session === undefined) return ''
    const open = publicGruu(`${aor.written}@${aor.domain}`, b.instance)
    const hidden = temporaryGruu(key, randomBytes(12), b.session, aor.domain)
    return `${open === undefined ? '' : `;pub-gruu="${open}"`};temp-gruu="${hidden}"`
  }

  return {
    async restore(open) {
      for (const kept of store?.load(clock.wall()) ?? []) await restoreOne(kept, open)
    },
    register(user, request, wire, site) {
      const { minimumS, maximumS, contacts } = edge.config().edge.registration
      const facts = readRegister(request, wire, site, edge.config().domain)
      if (!facts) return { status: 400, reason: 'a header field is malformed', headers: [] }
      const now = clock.wall()
      const limits = { minimum: minimumS, maximum: maximumS, contacts }
      const newId = () => randomBytes(12).toString('base64url')
      const newSession = () => randomBytes(SESSION_BYTES).toString('hex')
      const outcome = register(users.get(user) ?? [], facts, limits, now, newId, newSession)
      if (outcome.kind === 'refused') {
        return { status: outcome.status, reason: outcome.reason || undefined, headers: outcome.headers }
      }
      const before = users.get(user) ?? []
      for (const b of before) if (outcome.bound.some((now) => now.bindingId === b.bindingId)) leaveFlow(flows, b)
      settle(user, outcome.bindings)
      for (const b of before) forgetSession(user, b)
      for (const b of outcome.removed) drop(user, b, 'unregistered')
      for (const b of outcome.bound) keep(user, b, wire)
      return { status: 200, headers: answerHeaders(outcome.bindings, facts, outcome.outbound, now, gruus(facts.aor)) }
    },
    of(user, instance) {
      const all = (users.get(user) ?? []).filter((b) => instance === undefined || b.instance === instance)
      const alive = (b: BoundContact) => wires.get(b.bindingId)?.alive ?? false
      return targets(all, alive).map((t) => live(user, t.binding, t.others))
    },
    gruu(uri) {
      const read = readGruu(key, uri, edge.config().domain)
      if (read === undefined) return undefined
      if (read.kind === 'invalid') return 'unknown'
      if (read.kind === 'public') return { user: read.user, instance: read.instance }
      const user = sessions.get(read.session)
      const found = user === undefined ? undefined : users.get(user)?.find((b) => b.session === read.session)
      return user === undefined || found?.instance === undefined ? 'unknown' : { user, instance: found.instance }
    },
    flowFailed({ user, bindingId }) {
      remove(
        user,
        (users.get(user) ?? []).filter((b) => b.bindingId === bindingId),
        'flow-failed',
      )
    },
    usersOn: (flow) => [...new Set(flows.get(flow)?.values() ?? [])],
    connectionFailed(flow) {
      for (const [bindingId, user] of [...(flows.get(flow) ?? [])]) {
        const found = (users.get(user) ?? []).filter((b) => b.bindingId === bindingId)
        for (const b of found) if (b.path.length > 0) void byPath(user, b)
        remove(
          user,
          found.filter((b) => b.path.length === 0),
          'flow-failed',
        )
      }
    },
    forgetUsers(known) {
      for (const [user, bindings] of [...users]) if (!known(user)) remove(user, bindings, 'unregistered')
    },
    retell() {
      for (const [user, bindings] of users) for (const b of bindings) edge.bus.tell(RegistrationBound, fact(user, b))
    },
    count: () => wires.size,
    close() {
      for (const timer of timers.values()) clock.clearTimer(timer)
      timers.clear()
      store?.close()
    },
  }
}

function clearTimer(clock: Clock, timers: Map<string, Timer>, bindingId: string): void {
  const timer = timers.get(bindingId)
  if (timer) clock.clearTimer(timer)
  timers.delete(bindingId)
}

function leaveFlow(flows: Map<string, Map<string, string>>, b: BoundContact): void {
  const on = flows.get(b.flow)
  on?.delete(b.bindingId)
  if (on?.size === 0) flows.delete(b.flow)
}

function readRegister(
  request: SipRequest,
  wire: Wire,
  site: string | undefined,
  domain: string,
): RegisterFacts | undefined {
  const sequence = cseq(request)?.sequence
  const found = contacts(request)
  const written = to(request)?.uri.user ?? ''
  const path = elements(request, 'path')
  // RFC 3261 10.3 step 6: `*` stands alone
  const star = elements(request, 'contact').includes('*')
  if (sequence === undefined || path.length > MAX_PATH || (star && found !== '*')) return undefined
  if (
    found !== '*' &&
    (found.length !== elements(request, 'contact').length || found.some((c) => c.uriText.length > 2048))
  ) {
    return undefined
  }
  return {
    contacts: found,
    aor: { user: unescapeUser(written), domain: domain.toLowerCase(), written },
    expires: expires(request),
    callId: callId(request),
    cseq: sequence,
    path,
    supported: tokens(request, 'supported').map((t) => t.toLowerCase()),
    firstHop: vias(request).length === 1,
    flow: wire.flow,
    source: `${wire.remoteAddress.includes(':') ? `[${wire.remoteAddress}]` : wire.remoteAddress}:${wire.remotePort}`,
    transport: wire.transport,
    site,
    userAgent: request.headers.get('user-agent')?.slice(0, 256),
  }
}

function answerHeaders(
  bindings: readonly BoundContact[],
  facts: RegisterFacts,
  outbound: boolean,
  now: number,
  gruus: (b: BoundContact) => string,
): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = contactValues(
    bindings,
    now,
    facts.supported.includes('gruu') ? gruus : undefined,
  ).map((value) => ['Contact', value] as const)
  headers.push(['Date', new Date(now).toUTCString()])
  // RFC 3327 5.3: the path goes back to the phone
  for (const path of facts.path) headers.push(['Path', path])
  // RFC 5626 6
  if (outbound) headers.push(['Require', 'outbound'], ['Supported', 'path, outbound'])
  else headers.push(['Supported', 'path'])
  return headers
}
