/** The registrar at work: REGISTER in, bindings and their ends out, with their timers and the facts about them. */
import { type KeyObject, randomBytes } from 'node:crypto'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import type { SipRequest, SipUri } from '@tandem/sip/message/message.ts'
import { parseNameAddr } from '@tandem/sip/message/uri.ts'
import type { BindingStore, StoredBinding } from './adapters/binding-store.ts'
import { createBindingBook } from './binding-book.ts'
import { createBoundWatch } from './bound-watch.ts'
import type { ClusterBindings } from './cluster-bindings.ts'
import { targets } from './domain/binding-targets.ts'
import { derivedKey } from './domain/flow-token.ts'
import { publicGruu, readGruu, SESSION_BYTES, temporaryGruu } from './domain/gruu.ts'
import { readBinding, udpFlow, writeBinding } from './domain/kept-binding.ts'
import { liveBinding } from './domain/live-binding.ts'
import { answerHeaders, readRegister } from './domain/register-message.ts'
import { type BoundContact, outlasts, type RegisterFacts, register, samePhone } from './domain/registrar.ts'
import type { Bindings, Edge, Timer, Wire } from './edge.ts'

/** RFC 5626 5.4: what a server waits beyond the Flow-Timer, ms. */
const GRACE_MS = 10_000

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
  /** The flow of a binding of this edge. */
  wireOf(bindingId: string): Wire | undefined
  /** A connection is gone: so are the bindings on it. */
  connectionFailed(flow: string): void
  /** Users that the configuration does not know any more. */
  forgetUsers(known: (user: string) => boolean): void
  /** Takes over the bindings of the process before: UDP flows live on, connections died with it. */
  restore(open: (listener: string, address: string, port: number) => Promise<Wire>): Promise<void>
  /** Tells every binding of this edge again, for those who were away. */
  retell(): void
  /** Bindings of this edge. */
  count(): number
  close(): void
}

export interface RegistrationsParts {
  readonly edge: Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config'>
  /** Bindings at the other edges. */
  readonly cluster: ClusterBindings
  readonly secret: () => KeyObject | undefined
  readonly store: BindingStore | undefined
  /** Ways to the first hop of a Path (RFC 3327). */
  readonly reach: (listener: string, uri: SipUri) => Promise<readonly Wire[]>
}

export function createRegistrations(parts: RegistrationsParts): Registrations {
  const { edge, cluster, store, reach } = parts
  const { clock } = edge
  const book = createBindingBook()
  const timers = new Map<string, Timer>()
  const ownKey = store?.key() ?? randomBytes(32)
  /** A GRUU is good at every edge. */
  const key = () => {
    const secret = parts.secret()
    return secret === undefined ? ownKey : derivedKey('gruu', secret)
  }
  const wireOf = ({ bindingId }: BoundContact) => book.wire(bindingId) ?? cluster.wire(bindingId)
  const watch = createBoundWatch(clock)
  const flowTimerS = () => edge.config().edge.registration.flowTimerS

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

  const tellRemoved = (user: string, b: BoundContact, why: Why) =>
    edge.bus.tell(RegistrationRemoved, { ...fact(user, b), at: new Date(clock.wall()).toISOString(), why })

  /** Not over a flow of this edge any more. */
  const letGo = (b: BoundContact) => {
    const timer = timers.get(b.bindingId)
    if (timer) clock.clearTimer(timer)
    timers.delete(b.bindingId)
    book.release(b)
    store?.remove(b.bindingId)
  }

  /** Out of the cluster. */
  const drop = (user: string, b: BoundContact, why: Why) => {
    letGo(b)
    cluster.remove(b.bindingId)
    tellRemoved(user, b, why)
  }

  const without = (user: string, gone: readonly BoundContact[]) =>
    book.set(
      user,
      book.of(user).filter((b) => !gone.includes(b)),
    )

  const remove = (user: string, gone: readonly BoundContact[], why: Why) => {
    if (gone.length === 0) return
    without(user, gone)
    for (const b of gone) drop(user, b, why)
  }

  const keep = (user: string, b: BoundContact, wire: Wire) => {
    if (book.wire(b.bindingId) === undefined) cluster.forget(b.bindingId)
    book.bind(user, b, wire)
    const left = b.expiresAt - clock.wall()
    wire.keepUntil(clock.now() + left + 30_000)
    if (b.regId !== undefined && b.path.length === 0) {
      // RFC 5626 5.4: "The server MUST wait for an amount of time larger than the Flow-Timer"
      wire.expectSigns?.(flowTimerS() * 1000 + Math.min(flowTimerS() * 500, GRACE_MS))
    }
    const before = timers.get(b.bindingId)
    if (before) clock.clearTimer(before)
    timers.set(
      b.bindingId,
      clock.setTimer(left, () => remove(user, overdue(user), 'expired')),
    )
    store?.put({ bindingId: b.bindingId, user, body: writeBinding(b), expiresAt: b.expiresAt })
    cluster.put(user, b, wire)
    edge.bus.tell(RegistrationBound, fact(user, b))
    watch.bound(user)
  }

  const overdue = (user: string) => book.here(user).filter((b) => b.expiresAt <= clock.wall())

  const restoreOne = async (kept: StoredBinding, open: Parameters<Registrations['restore']>[0]) => {
    const b = readBinding(kept.body)
    if (!b) return store?.remove(kept.bindingId)
    const flow = udpFlow(b.flow)
    const known = Object.hasOwn(edge.config().users, kept.user)
    const wire = flow && known ? await open(flow.listener, flow.address, flow.port).catch(() => undefined) : undefined
    // a phone that registered meanwhile, here or at another edge, has said something newer
    const newer = book.of(kept.user).some((other) => other.bindingId === b.bindingId || samePhone(other, b))
    // what other edges hold of a connection goes when they hear that its edge began anew (cluster-bindings.ts)
    if (newer || (!wire && (b.path.length === 0 || !known))) return store?.remove(kept.bindingId)
    book.set(kept.user, [...book.of(kept.user), b])
    if (wire) return keep(kept.user, b, wire)
    await byPath(kept.user, b)
  }

  /** RFC 3327 5.1: a contact behind a proxy is reached by its Path, whatever became of the connection it came over. */
  const byPath = async (user: string, b: BoundContact): Promise<void> => {
    const listener = b.flow.split('/', 1)[0] ?? ''
    const first = parseNameAddr(b.path[0] ?? '')?.uri
    const [wire] = first ? await reach(listener, first).catch(() => []) : []
    if (!book.of(user).includes(b)) return
    if (!wire) return remove(user, [b], 'flow-failed')
    book.release(b)
    const moved = { ...b, flow: wire.flow }
    book.set(
      user,
      book.of(user).map((other) => (other === b ? moved : other)),
    )
    keep(user, moved, wire)
  }

  /** Bound at another edge. */
  const heard = (user: string, b: BoundContact) => {
    const same = book.of(user).filter((o) => o.bindingId === b.bindingId || samePhone(o, b))
    for (const other of same) {
      if (book.wire(other.bindingId) === undefined) continue
      if (other.bindingId === b.bindingId) letGo(other)
      // both edges took the phone for a new one: one stands, and each edge takes away its own
      else if (outlasts(other, b)) return
      else drop(user, other, 'unregistered')
    }
    book.set(user, [...book.of(user).filter((o) => !same.includes(o)), b])
    watch.bound(user)
  }

  const takeOut = (bindingId: string) => {
    const found = book.find(bindingId)
    if (!found) return
    letGo(found.binding)
    without(found.user, [found.binding])
  }

  /** RFC 5627 5.2: for those who say that they know them. */
  const gruus = (aor: RegisterFacts['aor']) => (b: BoundContact) => {
    if (b.instance === undefined || b.session === undefined) return ''
    const open = publicGruu(`${aor.written}@${aor.domain}`, b.instance)
    const hidden = temporaryGruu(key(), randomBytes(12), b.session, aor.domain)
    return `${open === undefined ? '' : `;pub-gruu="${open}"`};temp-gruu="${hidden}"`
  }

  cluster.begin({
    heard,
    gone: takeOut,
    orphaned(user, b, why) {
      takeOut(b.bindingId)
      tellRemoved(user, b, why)
    },
  })

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
      const before = book.of(user)
      const outcome = register(before, facts, limits, now, newId, newSession)
      if (outcome.kind === 'refused') {
        return { status: outcome.status, reason: outcome.reason || undefined, headers: outcome.headers }
      }
      // a refresh may come over another flow
      for (const b of before) if (outcome.bound.some((o) => o.bindingId === b.bindingId)) book.release(b)
      book.set(user, outcome.bindings)
      for (const b of outcome.removed) drop(user, b, 'unregistered')
      for (const b of outcome.bound) keep(user, b, wire)
      const signs = wire.expectSigns !== undefined && facts.firstHop ? flowTimerS() : undefined
      const outbound = outcome.outbound ? { flowTimerS: signs } : undefined
      return { status: 200, headers: answerHeaders(outcome.bindings, facts, outbound, now, gruus(facts.aor)) }
    },
    of(user, instance) {
      const now = clock.wall()
      const fits = (b: BoundContact) => instance === undefined || b.instance === instance
      const stands = ({ bindingId, expiresAt }: BoundContact) =>
        expiresAt > now || book.wire(bindingId) !== undefined || cluster.mayBeRenewed(bindingId)
      const all = book.of(user).filter((b) => fits(b) && stands(b))
      return targets(all, (b) => wireOf(b)?.alive ?? false).map((t) => liveBinding(user, t.binding, t.others, wireOf))
    },
    gruu(uri) {
      const read = readGruu(key(), uri, edge.config().domain)
      if (read === undefined) return undefined
      if (read.kind === 'invalid') return 'unknown'
      if (read.kind === 'public') return { user: read.user, instance: read.instance }
      const user = book.ofSession(read.session)
      const found = user === undefined ? undefined : book.of(user).find((b) => b.session === read.session)
      return user === undefined || found?.instance === undefined ? 'unknown' : { user, instance: found.instance }
    },
    flowFailed({ user, bindingId }) {
      remove(
        user,
        book.of(user).filter((b) => b.bindingId === bindingId),
        'flow-failed',
      )
    },
    onBound: watch.on,
    usersOn: (flow) => [...new Set(book.on(flow).values())],
    wireOf: book.wire,
    connectionFailed(flow) {
      for (const [bindingId, user] of [...book.on(flow)]) {
        const found = book.of(user).filter((b) => b.bindingId === bindingId)
        for (const b of found) if (b.path.length > 0) void byPath(user, b)
        remove(
          user,
          found.filter((b) => b.path.length === 0),
          'flow-failed',
        )
      }
    },
    forgetUsers(known) {
      for (const user of book.users()) {
        if (known(user)) continue
        remove(user, book.here(user), 'unregistered')
        // of the others their own edges tell
        book.set(user, [])
      }
    },
    retell() {
      for (const user of book.users()) {
        for (const b of book.here(user)) {
          edge.bus.tell(RegistrationBound, fact(user, b))
          cluster.put(user, b, book.wire(b.bindingId) as Wire)
        }
      }
    },
    count: book.count,
    close() {
      for (const timer of timers.values()) clock.clearTimer(timer)
      timers.clear()
      store?.close()
    },
  }
}
