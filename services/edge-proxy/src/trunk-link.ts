/** One trunk at work: its addresses, its OPTIONS probe, its registration with the carrier; what is told about it. */
import type { Bus } from '@tandem/bus/bus.ts'
import type { Configuration, Trunk } from '@tandem/config/defaults.ts'
import { TrunkChanged, type TrunkState } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { SipUri } from '@tandem/sip/message/message.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import { CarrierRegistration } from './carrier-registration.ts'
import { hostOf, requestTarget } from './carrier-request.ts'
import { afterProbe, type HealthState, UNKNOWN_HEALTH } from './domain/trunk-health.ts'
import type { Clock, Timer, TrunkPath, Wire, Wires } from './edge.ts'
import type { TrunkLeases } from './trunk-leases.ts'
import { createTrunkProbe, type ProbeRound, type TrunkProbe } from './trunk-probe.ts'

export interface TrunkLinkParts {
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly clock: Clock
  readonly config: () => Configuration
  readonly transactions: TransactionLayer
  readonly wires: Wires
  readonly leases: Pick<TrunkLeases, 'holds' | 'holder' | 'drained'>
  readonly password: () => string | undefined
  /** Where it is registered has changed: who may call in from there is derived from it. */
  readonly registrationChanged: () => void
}

const PATHS_MS = 500
/** An order of addresses is kept for one attempt, ms. */
const CALL_DRAWN_MS = 120_000
const DRAWN_MS = 10_000
const MAX_DRAWN = 4_096

export class TrunkLink {
  readonly trunk: Trunk
  readonly #parts: TrunkLinkParts
  readonly #targets: readonly SipUri[]
  readonly #proxy: SipUri | undefined
  readonly #probe: TrunkProbe
  readonly #registration: CarrierRegistration | undefined
  #state: HealthState = UNKNOWN_HEALTH
  /** Targets that did not answer their last probe go last. */
  #silent: ReadonlySet<SipUri> = new Set()
  readonly #drawn = new Map<string, { readonly paths: readonly TrunkPath[]; readonly untilMs: number }>()
  #roundTripMs: number | undefined
  /** Why the carrier was last out of reach: refused, no such name, a certificate of somebody else. */
  #noWay: string | undefined
  #calls = 0

  constructor(trunk: Trunk, parts: TrunkLinkParts) {
    this.trunk = trunk
    this.#parts = parts
    this.#targets = trunk.to.map(parseUri).filter((u) => u !== undefined)
    this.#proxy = trunk.outboundProxy === null ? undefined : parseUri(trunk.outboundProxy)
    this.#probe = createTrunkProbe(
      trunk,
      parts,
      this.#targets,
      (uri) => this.#pathsTo(uri),
      (round) => this.#probed(round),
    )
    const registrar = trunk.register && parseUri(trunk.register.registrar)
    if (trunk.register && registrar) {
      const { register } = trunk
      const told = () => {
        this.#drawn.clear()
        parts.registrationChanged()
        this.tell()
      }
      this.#registration = new CarrierRegistration(
        { ...trunk, register },
        registrar,
        parts,
        (uri) => this.#pathsTo(uri),
        told,
      )
    }
  }

  start(): void {
    this.follow()
    if (this.trunk.register?.nodes === 'every') this.#registration?.begin()
  }

  /** The lease is ours or another edge's now, or an operator has spoken. */
  follow(): void {
    const { leases } = this.#parts
    const { name, register } = this.trunk
    if (leases.holds(name)) this.#probe.start()
    else this.#probe.stop()
    if (register?.nodes === 'one') {
      if (leases.holds(name)) this.#registration?.begin()
      else this.#registration?.leave()
    }
    this.tell()
  }

  /** What the edge that asks the carrier has found. */
  hear(state: TrunkState): void {
    if (this.#parts.leases.holds(this.trunk.name)) return
    const { health } = state
    if (health !== 'drain') this.#state = { health, answers: 0, silences: 0 }
    const silent = new Set(this.#targets.filter((t, i) => state.silent?.includes(this.trunk.to[i] ?? requestTarget(t))))
    if (silent.size !== this.#silent.size) this.#drawn.delete('')
    this.#silent = silent
    this.#roundTripMs = state.roundTripMs
    if (health === 'up') this.#probe.answeredElsewhere()
  }

  get health(): TrunkState['health'] {
    return this.#parts.leases.drained(this.trunk.name) ? 'drain' : this.#state.health
  }

  get registered(): boolean {
    return this.#registration?.registered !== undefined
  }

  /** The flow that the carrier knows us by. */
  get registeredOn(): Wire | undefined {
    return this.#registration?.registered?.wire
  }

  flowFailed(flow: string): void {
    this.#registration?.flowFailed(flow)
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
    if (!urgent) this.#refuseElsewhere()
    // an emergency call is never lost to a certificate that ran out: better an unproven carrier than none
    const paths = await this.#draw().catch((error: unknown) => (urgent ? this.#draw(true) : Promise.reject(error)))
    if (this.#drawn.size >= MAX_DRAWN) for (const oldest of this.#drawn.keys()) if (this.#drawn.delete(oldest)) break
    this.#drawn.delete(call ?? '')
    this.#drawn.set(call ?? '', { paths, untilMs: now + (call === undefined ? DRAWN_MS : CALL_DRAWN_MS) })
    return paths
  }

  /** The carrier takes calls from the edge that registered only; a call for help is tried all the same. */
  #refuseElsewhere(): void {
    const holder = this.#parts.leases.holder(this.trunk.name)
    if (this.trunk.register?.nodes !== 'one' || this.registered || holder === undefined) return
    if (holder !== this.#parts.node) throw new Error(`trunk ${this.trunk.name} is registered by ${holder}, not here`)
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
    const found = this.#asRegistered(tried.flatMap((paths) => paths ?? []))
    if (found.length === 0) {
      throw new Error(`trunk ${this.trunk.name}: no address of it can be reached${this.#because()}`)
    }
    return found
  }

  /** Calls leave by the flow that was registered first of all, along the route that the carrier gave (RFC 3608 5). */
  #asRegistered(paths: readonly TrunkPath[]): TrunkPath[] {
    const registered = this.#registration?.registered
    if (!registered?.wire.alive) return [...paths]
    const { wire, serviceRoute } = registered
    const routed = paths.map((p) => (serviceRoute.length === 0 ? p : { ...p, routes: serviceRoute }))
    const [first] = routed
    if (first === undefined) return []
    // a Service-Route leads by way of where we registered, whatever the trunk's own addresses are
    if (serviceRoute.length > 0) return [{ ...first, wire }, ...routed.filter((p) => p.wire !== wire)]
    return routed.toSorted((a, b) => Number(b.wire === wire) - Number(a.wire === wire))
  }

  /** By way of the outbound proxy where the trunk has one (RFC 3261 8.1.2). */
  async #pathsTo(uri: SipUri, unproven = false): Promise<TrunkPath[]> {
    const proxy = this.#proxy
    const routes = proxy === undefined ? [] : [`<${requestTarget(proxy)};lr>`]
    try {
      const wires = await this.#parts.wires.toUri(this.trunk.listener, proxy ?? uri, this.trunk.name, unproven)
      return wires.map((wire) => ({ wire, host: hostOf(uri), routes }))
    } catch (error) {
      this.#noWay = (error as Error).message.slice(0, 200)
      this.#parts.log.debug({ trunk: this.trunk.name, why: this.#noWay }, 'no way to trunk')
      return []
    }
  }

  #because(): string {
    return this.#noWay === undefined ? '' : `: ${this.#noWay}`
  }

  #probed(round: ProbeRound): void {
    if (round.alive) this.#noWay = undefined
    const before = this.#state.health
    const silent = this.#silent.size !== round.silent.size || [...round.silent].some((t) => !this.#silent.has(t))
    this.#state = afterProbe(this.#state, round.alive, this.trunk.options)
    this.#silent = round.silent
    if (round.roundTripMs !== undefined) this.#roundTripMs = round.roundTripMs
    if (silent) this.#drawn.delete('')
    if (this.#state.health === before && !silent) return
    this.#parts.log.info({ trunk: this.trunk.name, health: this.health }, 'trunk changed')
    this.tell()
  }

  tell(): void {
    const { bus, node, clock, leases } = this.#parts
    const { name, register } = this.trunk
    const registered = this.#registration?.registered
    const why =
      this.#registration?.why ??
      (this.health === 'drain'
        ? 'taken out of service by an operator'
        : this.#state.health === 'up'
          ? undefined
          : `${this.#state.silences} probes without an answer${this.#because()}`)
    const silent = this.trunk.to.filter((_, i) => this.#silent.has(this.#targets[i] as SipUri))
    bus.tell(TrunkChanged, {
      trunk: name,
      edge: node,
      at: new Date(clock.wall()).toISOString(),
      health: this.health,
      ...(register ? { registered: registered !== undefined } : {}),
      ...(registered === undefined ? {} : { registeredUntil: new Date(registered.untilMs).toISOString() }),
      calls: this.#calls,
      ...(why === undefined ? {} : { why }),
      ...(this.#roundTripMs === undefined ? {} : { roundTripMs: this.#roundTripMs }),
      ...(leases.holds(name) ? { prober: true } : {}),
      ...(silent.length === 0 ? {} : { silent }),
    })
  }

  async close(): Promise<void> {
    this.#probe.stop()
    await this.#registration?.close()
  }
}
