/** One trunk at work: its addresses, its OPTIONS probe, its registration with the carrier. Owns their timers. */
import { randomBytes } from 'node:crypto'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Configuration, Trunk } from '@tandem/config/defaults.ts'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse, SipUri } from '@tandem/sip/message/message.ts'
import { contacts, expires, readNumber } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import { ALLOW } from './domain/screen.ts'
import { afterProbe, type HealthState, provesAlive, UNKNOWN_HEALTH } from './domain/trunk-health.ts'
import { refreshAfterMs, retryAfterMs } from './domain/trunk-registration.ts'
import type { Clock, Timer, TrunkPath, Wire, Wires } from './edge.ts'
import { createLargeRequests, type LargeRequests } from './large-requests.ts'

export interface TrunkLinkParts {
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly clock: Clock
  readonly config: () => Configuration
  readonly transactions: TransactionLayer
  readonly wires: Wires
  readonly password: () => string | undefined
}

/** A probe without an answer by then has failed, ms. */
const PROBE_MS = 4_000
/** After a silence it is asked again sooner, ms. */
const DOUBT_MS = 5_000
/** How long a stop waits for the carrier to take the registration back, ms. */
const UNREGISTER_MS = 1_000
const PATHS_MS = 500
/** An order of addresses is kept for one attempt, ms. */
const CALL_DRAWN_MS = 120_000
const DRAWN_MS = 10_000
const MAX_DRAWN = 4_096

export class TrunkLink {
  readonly trunk: Trunk
  readonly #parts: TrunkLinkParts
  readonly #targets: readonly SipUri[]
  #state: HealthState = UNKNOWN_HEALTH
  /** Targets that did not answer their last probe go last. */
  readonly #silent = new Set<SipUri>()
  readonly #drawn = new Map<string, { readonly paths: readonly TrunkPath[]; readonly untilMs: number }>()
  #large: LargeRequests | undefined
  #roundTripMs: number | undefined
  /** Why the carrier was last out of reach: refused, no such name, a certificate of somebody else. */
  #noWay: string | undefined
  #probeTimer: Timer | undefined
  #calls = 0
  #closed = false
  // registration
  readonly #callId = `${randomBytes(12).toString('hex')}`
  readonly #fromTag = randomBytes(6).toString('hex')
  #cseq = 0
  #failures = 0
  #registeredUntil: number | undefined
  #expiresS: number
  #registerTimer: Timer | undefined
  #registerWhy: string | undefined

  constructor(trunk: Trunk, parts: TrunkLinkParts) {
    this.trunk = trunk
    this.#parts = parts
    this.#targets = trunk.to.map(parseUri).filter((u) => u !== undefined)
    this.#expiresS = trunk.register?.expiresS ?? 0
  }

  start(): void {
    void this.#probe()
    if (this.trunk.register) void this.#register()
  }

  get health(): HealthState['health'] {
    return this.#state.health
  }

  get registered(): boolean {
    return this.#registeredUntil !== undefined && this.#registeredUntil > this.#parts.clock.wall()
  }

  callStarted(): void {
    this.#calls++
  }

  callEnded(): void {
    this.#calls = Math.max(this.#calls - 1, 0)
  }

  /**
   * In the order to try. SRV weights are drawn anew for each call, once: the second path of a call must not be its
   * first again. Without a call the order drawn holds for a while.
   */
  async paths(call?: string, urgent = false): Promise<readonly TrunkPath[]> {
    const now = this.#parts.clock.now()
    const known = this.#drawn.get(call ?? '')
    if (known && known.untilMs > now && known.paths.every((p) => p.wire.alive)) return known.paths
    // an emergency call is never lost to a certificate that ran out: better an unproven carrier than none
    const paths = await this.#draw().catch((error: unknown) => (urgent ? this.#draw(true) : Promise.reject(error)))
    if (this.#drawn.size >= MAX_DRAWN) for (const oldest of this.#drawn.keys()) if (this.#drawn.delete(oldest)) break
    this.#drawn.delete(call ?? '')
    this.#drawn.set(call ?? '', { paths, untilMs: now + (call === undefined ? DRAWN_MS : CALL_DRAWN_MS) })
    return paths
  }

  async #draw(unproven = false): Promise<TrunkPath[]> {
    const ordered = this.#targets.toSorted((a, b) => Number(this.#silent.has(a)) - Number(this.#silent.has(b)))
    const { clock } = this.#parts
    let timer: Timer | undefined
    const limit = new Promise<undefined>((done) => {
      timer = clock.setTimer(PATHS_MS, () => done(undefined))
    })
    const tried = await Promise.all(ordered.map((uri) => Promise.race([this.#pathsTo(uri, unproven), limit])))
    if (timer) clock.clearTimer(timer)
    const found = tried.flatMap((paths) => paths ?? [])
    if (found.length === 0) {
      throw new Error(`trunk ${this.trunk.name}: no address of it can be reached${this.#because()}`)
    }
    return found
  }

  #because(): string {
    return this.#noWay === undefined ? '' : `: ${this.#noWay}`
  }

  #unreachable(error: unknown): void {
    this.#noWay = (error as Error).message.slice(0, 200)
    this.#parts.log.debug({ trunk: this.trunk.name, why: this.#noWay }, 'no way to trunk')
  }

  async #pathsTo(uri: SipUri, unproven: boolean): Promise<TrunkPath[]> {
    try {
      const wires = await this.#parts.wires.toUri(this.trunk.listener, uri, this.trunk.name, unproven)
      const host = uri.port === undefined ? uri.host : `${uri.host}:${uri.port}`
      return wires.map((wire) => ({ wire, host, routes: [] }))
    } catch (error) {
      this.#unreachable(error)
      return []
    }
  }

  tell(): void {
    const until = this.#registeredUntil
    const why =
      this.#registerWhy ??
      (this.#state.health === 'up' ? undefined : `${this.#state.silences} probes without an answer${this.#because()}`)
    this.#parts.bus.tell(TrunkChanged, {
      trunk: this.trunk.name,
      edge: this.#parts.node,
      at: new Date(this.#parts.clock.wall()).toISOString(),
      health: this.#state.health,
      ...(this.trunk.register ? { registered: this.registered } : {}),
      ...(until === undefined ? {} : { registeredUntil: new Date(until).toISOString() }),
      calls: this.#calls,
      ...(why === undefined ? {} : { why }),
      ...(this.#roundTripMs === undefined ? {} : { roundTripMs: this.#roundTripMs }),
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const timer of [this.#probeTimer, this.#registerTimer]) if (timer) this.#parts.clock.clearTimer(timer)
    if (this.registered) await this.#unregister()
  }

  // --- OPTIONS (edge.md E4) ---

  async #probe(): Promise<void> {
    const { options } = this.trunk
    const answers = await Promise.all(this.#targets.map((uri) => this.#ask(uri)))
    if (this.#closed) return
    const alive = answers.some(Boolean)
    const before = this.#state.health
    this.#state = afterProbe(this.#state, alive, options)
    if (this.#state.health !== before) {
      this.#parts.log.info({ trunk: this.trunk.name, health: this.#state.health }, 'trunk changed')
      this.tell()
    }
    const next = alive ? options.intervalMs : Math.min(options.intervalMs, DOUBT_MS)
    this.#probeTimer = this.#parts.clock.setTimer(next, () => void this.#probe())
  }

  async #ask(uri: SipUri): Promise<boolean> {
    const started = this.#parts.clock.now()
    const answer = await this.#send('OPTIONS', uri, PROBE_MS)
    const alive = answer !== undefined && provesAlive(answer.status, this.trunk.options.alive)
    if (alive && this.trunk.transport === 'auto') void this.#offerTcp(uri)
    if (alive === this.#silent.has(uri)) this.#drawn.delete('')
    if (alive) {
      this.#noWay = undefined
      this.#silent.delete(uri)
      this.#roundTripMs = Math.round((this.#parts.clock.now() - started) * 10) / 10
    } else this.#silent.add(uri)
    return alive
  }

  async #send(method: 'OPTIONS', uri: SipUri, limitMs: number): Promise<SipResponse | undefined> {
    const wire = await this.#wire(uri)
    return wire && (await this.#sendOn(wire, method, uri, limitMs))
  }

  async #offerTcp(uri: SipUri): Promise<void> {
    const wire = await this.#wire(uri)
    if (!wire || this.#closed) return
    this.#large ??= createLargeRequests({
      clock: this.#parts.clock,
      wires: this.#parts.wires,
      proves: async (tcp) => (await this.#sendOn(tcp, 'OPTIONS', uri, PROBE_MS)) !== undefined,
    })
    await this.#large.offer(wire)
  }

  async #sendOn(wire: Wire, method: 'OPTIONS', uri: SipUri, limitMs: number): Promise<SipResponse | undefined> {
    if (this.#closed) return undefined
    const request = makeRequest({
      method,
      uri: target(uri),
      from: `<sip:${this.#parts.config().domain}>;tag=${randomBytes(6).toString('hex')}`,
      to: `<${target(uri)}>`,
      callId: randomBytes(12).toString('hex'),
      cseq: 1,
      contact: `<sip:${wire.sentBy}>`,
      headers: [
        ['Accept', 'application/sdp'],
        ['Allow', ALLOW],
      ],
    })
    return await this.#final(request, wire, limitMs)
  }

  async #wire(uri: SipUri): Promise<Wire | undefined> {
    try {
      return (await this.#parts.wires.toUri(this.trunk.listener, uri, this.trunk.name))[0]
    } catch (error) {
      this.#unreachable(error)
      return undefined
    }
  }

  /** The final response, or undefined: none in time, or it could not be sent. */
  #final(request: ReturnType<typeof makeRequest>, wire: Wire, limitMs: number): Promise<SipResponse | undefined> {
    return new Promise((done) => {
      const limit = this.#parts.clock.setTimer(limitMs, () => finish(undefined))
      const finish = (response: SipResponse | undefined) => {
        this.#parts.clock.clearTimer(limit)
        done(response)
      }
      this.#parts.transactions.request(request, wire, {
        onResponse: (response) => {
          if (response.status >= 200) finish(response)
        },
        onTimeout: () => finish(undefined),
        onTransportError: () => finish(undefined),
      })
    })
  }

  // --- registration with the carrier (edge.md E3) ---

  async #register(): Promise<void> {
    const answer = await this.#registerOnce(this.#expiresS)
    if (this.#closed) return
    const ok = answer !== undefined && answer.status >= 200 && answer.status < 300
    const before = this.registered
    let next: number
    if (ok) {
      this.#failures = 0
      const granted = this.#granted(answer)
      this.#registeredUntil = this.#parts.clock.wall() + granted * 1000
      this.#registerWhy = undefined
      next = refreshAfterMs(granted)
    } else {
      this.#failures++
      // RFC 3261 10.2.8: 423 says the least that it takes
      if (answer?.status === 423) this.#expiresS = Math.max(this.#expiresS, readNumber(answer, 'min-expires') ?? 0)
      this.#registerWhy = answer
        ? `registration: ${answer.status} ${answer.reason}`.slice(0, 200)
        : 'registration: no answer'
      const retryAfterS = answer === undefined ? undefined : readNumber(answer, 'retry-after')
      next = retryAfterMs({ failures: this.#failures, status: answer?.status, retryAfterS, random: Math.random() })
      if (answer?.status === 423 && this.#failures === 1) next = 0
    }
    if (before !== this.registered || (!ok && this.#failures === 1)) {
      this.#parts.log.info(
        { trunk: this.trunk.name, registered: this.registered, why: this.#registerWhy },
        'trunk registration',
      )
      this.tell()
    }
    this.#registerTimer = this.#parts.clock.setTimer(next, () => void this.#register())
  }

  async #unregister(): Promise<void> {
    const done = this.#registerOnce(0)
    const limit = new Promise<void>((late) => void this.#parts.clock.setTimer(UNREGISTER_MS, late))
    await Promise.race([done, limit])
    this.#registeredUntil = undefined
  }

  /** One REGISTER, and once or twice more with the credentials it asks for. */
  async #registerOnce(expiresS: number): Promise<SipResponse | undefined> {
    const register = this.trunk.register
    const registrar = register && parseUri(register.registrar)
    const wire = registrar && (await this.#wire(registrar))
    if (!register || !registrar || !wire) return undefined
    let answer: SipResponse | undefined
    let authorization: readonly [string, string] | undefined
    for (let round = 0; round < 3; round++) {
      answer = await this.#final(this.#registerRequest(registrar, wire, expiresS, authorization), wire, 32_000)
      if (answer?.status !== 401 && answer?.status !== 407) return answer
      const stale = answer.headers.getAll('www-authenticate').concat(answer.headers.getAll('proxy-authenticate'))
      // the same credentials again are of use only when the nonce was old
      if (authorization !== undefined && !stale.some((c) => /stale\s*=\s*"?true/i.test(c))) return answer
      authorization = this.#credentials(answer, target(registrar))
      if (!authorization) return answer
    }
    return answer
  }

  #registerRequest(
    registrar: SipUri,
    wire: Wire,
    expiresS: number,
    authorization: readonly [string, string] | undefined,
  ) {
    const user = this.trunk.register?.user ?? ''
    const aor = `sip:${user}@${registrar.host}`
    const headers: [string, string][] = [
      ['Expires', String(expiresS)],
      ['Allow', ALLOW],
      ['Supported', 'path'],
    ]
    if (authorization) headers.push([...authorization])
    const transport = wire.transport === 'UDP' ? '' : `;transport=${wire.transport.toLowerCase()}`
    return makeRequest({
      method: 'REGISTER',
      uri: target(registrar),
      from: `<${aor}>;tag=${this.#fromTag}`,
      to: `<${aor}>`,
      callId: this.#callId,
      // RFC 3261 10.2: one Call-ID, a CSeq that counts up
      cseq: ++this.#cseq,
      contact: `<sip:${user}@${wire.sentBy}${transport}>`,
      headers,
    })
  }

  #credentials(answer: SipResponse, uri: string): readonly [string, string] | undefined {
    const proxy = answer.status === 407
    const challenges = answer.headers.getAll(proxy ? 'proxy-authenticate' : 'www-authenticate')
    const password = this.#parts.password()
    const username = this.trunk.register?.user
    if (password === undefined || username === undefined) return undefined
    const cnonce = randomBytes(8).toString('hex')
    const value = authorize({ challenges, username, secret: { password }, method: 'REGISTER', uri, cnonce })
    return value === undefined ? undefined : [proxy ? 'Proxy-Authorization' : 'Authorization', value]
  }

  /** s; RFC 3261 10.2.4: what the registrar says of our own contact, else Expires, else what we asked for. */
  #granted(answer: SipResponse): number {
    const found = contacts(answer)
    const user = this.trunk.register?.user
    const own = found === '*' ? undefined : found.find((c) => c.uri.user === user)
    const said = own?.params.get('expires')
    const seconds = said !== undefined && /^\d{1,9}$/.test(said) ? Number(said) : (expires(answer) ?? this.#expiresS)
    return Math.max(seconds, 1)
  }
}

/** RFC 3261 10.2, 19.1.1: no user part, no header part; port and transport stay. */
function target(uri: SipUri): string {
  const port = uri.port === undefined ? '' : `:${uri.port}`
  const transport = uri.params.get('transport')
  return `${uri.scheme}:${uri.host}${port}${transport === undefined ? '' : `;transport=${transport}`}`
}
