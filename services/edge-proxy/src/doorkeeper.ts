/** Who sent this request? (edge.md E2, E3) Trunks by address, users by digest or by the flow that a digest proved. */
import type { Configuration } from '@tandem/config/defaults.ts'
import { SecurityRefused } from '@tandem/contracts/security.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { from } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ProvenFlows } from './abuse-gate.ts'
import type { Authenticator } from './authenticator.ts'
import type { AbuseGuard } from './domain/abuse-guard.ts'
import { emergencyDialled } from './domain/emergency-number.ts'
import {
  identifyTrunk,
  isSource,
  sourceFacts,
  type TrunkIdentity,
  type TrunkSource,
  trunkSources,
} from './domain/identify-trunk.ts'
import { type NetworkTable, networkTable } from './domain/networks.ts'
import type { Edge, Peer, Wire } from './edge.ts'

export type Respond = (status: number, headers?: readonly (readonly [string, string])[]) => void

/** Security facts per second at most: a flood of refusals must not become a flood on the bus. */
const FACTS_PER_SECOND = 20
const MAX_KNOWN = 16_384

export interface Doorkeeper {
  authenticate: Edge['authenticate']
  /** The user that the request's credentials prove, answered with a challenge or refusal otherwise. */
  proveUser(request: SipRequest, wire: Wire, respond: Respond): string | undefined
  site(address: string): string | undefined
  urgent(request: SipRequest, wire: Wire): boolean
  /** The same with the outside-line prefix of any site: for limits that know no source. */
  urgentAnywhere(request: SipRequest): boolean
  /** The trunk that this request comes from, by its source. */
  trunkAt(request: SipRequest, wire: Wire): string | undefined
  /** True when `name` (user name, DID or extension) means this user. */
  names(user: string, name: string): boolean
  /** The user that a name, DID or extension means. */
  userOf(name: string): string | undefined
  /** Told, and held against the source; `strikes` beyond the limit ban it at once. */
  refused(request: SipRequest, wire: Wire, why: string, user?: string, strikes?: number): void
  /** Told once a minute for each source. */
  tellRefused(request: SipRequest, wire: Wire, why: string, user?: string): void
  /** A trunk, a registered flow, one that proved itself: no limit against strangers touches it. */
  spared(source: Source): boolean
  /** Takes part in a dialog. */
  proven(wire: Wire): void
  configured(): void
  /** Where carriers know us by a registration has changed. */
  sourcesChanged(): void
}

/** Where a message comes from: a wire, or what will be one. */
export type Source = Pick<Wire, 'listener' | 'remoteAddress' | 'remotePort' | 'flow' | 'proof'>

export interface DoorkeeperParts {
  readonly edge: Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config'>
  readonly authenticator: Authenticator
  readonly usersOn: (flow: string) => readonly string[]
  readonly twins: (listener: string) => readonly string[]
  /** The other end of a trunk's registration with its carrier. */
  readonly registeredAt: (trunk: string) => { readonly address: string; readonly port: number } | undefined
  readonly guard: AbuseGuard
  readonly provenFlows: ProvenFlows
}

interface Compiled {
  readonly sites: NetworkTable<string>
  readonly sources: ReadonlyMap<string, readonly TrunkSource[]>
  /** Source -> is it one of a trunk; filled as they come. */
  readonly known: Map<string, boolean>
  /** Trunks whose calls are known by digest alone, by the listeners that they come to. */
  readonly callers: ReadonlyMap<string, readonly string[]>
  /** Listeners that only carriers use. */
  readonly carrierOnly: ReadonlySet<string>
  /** DID and extension -> user. */
  readonly users: ReadonlyMap<string, string>
}

export function createDoorkeeper(parts: DoorkeeperParts): Doorkeeper {
  const { edge, authenticator } = parts
  let compiled: Compiled | undefined
  let second = 0
  let toldInSecond = 0
  const tables = (): Compiled => (compiled ??= compile(edge.config(), parts.twins, parts.registeredAt))

  const tell = (request: SipRequest, wire: Wire, why: string, user?: string) => {
    const now = Math.floor(edge.clock.now() / 1000)
    if (now !== second) toldInSecond = 0
    second = now
    if (++toldInSecond > FACTS_PER_SECOND) return
    edge.bus.tell(SecurityRefused, {
      edge: edge.node,
      at: new Date(edge.clock.wall()).toISOString(),
      source: `${wire.remoteAddress}:${wire.remotePort}`,
      listener: wire.listener,
      method: request.method.slice(0, 32),
      why: why.slice(0, 1024),
      ...(user === undefined ? {} : { user }),
    })
  }

  const tellRefused = (request: SipRequest, wire: Wire, why: string, user?: string) => {
    const held = parts.guard.tells(wire.remoteAddress, edge.clock.now())
    if (held === undefined) return
    edge.log.info({ source: wire.name, method: request.method, why, user, held }, 'refused')
    tell(request, wire, held === 0 ? why : `${why} (and ${held} more since the last)`, user)
  }

  const spared = (source: Source): boolean =>
    parts.usersOn(source.flow).length > 0 || parts.provenFlows.has(source.flow) || ofTrunk(source)

  /** Asked for every request: kept for each source until the configuration changes. */
  const ofTrunk = ({ listener, remoteAddress, remotePort, proof }: Source): boolean => {
    const { sources, known } = tables()
    const ofListener = sources.get(listener)
    if (!ofListener) return false
    const facts = { address: remoteAddress, port: remotePort, proof }
    if (proof) return ofListener.some((s) => isSource(s, facts))
    const key = `${listener} ${remoteAddress} ${remotePort}`
    let found = known.get(key)
    if (found === undefined) {
      found = ofListener.some((s) => isSource(s, facts))
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(key, found)
    }
    return found
  }

  const strike = (request: SipRequest, wire: Wire, why: string, strikes = 1) => {
    const { remoteAddress: address } = wire
    // a whole site is not shut out for one phone with an old password
    if (spared(wire) || site(address) !== undefined) return
    const ms = parts.guard.strike(address, strikes, edge.clock.now())
    if (ms === undefined) return
    edge.log.warn({ source: wire.name, why, seconds: ms / 1000 }, 'banned')
    tell(request, wire, `banned for ${ms / 1000} s: ${why}`)
  }

  const refused = (request: SipRequest, wire: Wire, why: string, user?: string, strikes?: number) => {
    tellRefused(request, wire, why, user)
    strike(request, wire, why, strikes)
  }

  const site = (address: string) => tables().sites.find(address)
  const urgent = (request: SipRequest, wire: Wire) => isUrgent(request, site(wire.remoteAddress), edge.config())

  const names = (user: string, name: string) => name === user || tables().users.get(name) === user

  const userOf = (name: string) => (Object.hasOwn(edge.config().users, name) ? name : tables().users.get(name))

  const trunkOf = (request: SipRequest, wire: Wire): TrunkIdentity => {
    const sources = tables().sources.get(wire.listener)
    if (!sources) return { kind: 'stranger' }
    const { listener, remoteAddress: address, remotePort: port, proof } = wire
    return identifyTrunk(sources, sourceFacts(request, { listener, address, port, proof }))
  }

  // a flow that a digest proved: saves a round trip per call; a gateway may hold several users on one
  const userOfFlow = (request: SipRequest, wire: Wire): string | undefined => {
    const users = parts.usersOn(wire.flow)
    if (users.length < 2) return users[0]
    const name = from(request)?.uri.user
    return name === undefined ? undefined : users.find((user) => names(user, unescapeUser(name)))
  }

  const proveUser = (request: SipRequest, wire: Wire, respond: Respond): string | undefined => {
    if (tables().carrierOnly.has(wire.listener) && site(wire.remoteAddress) === undefined) {
      refused(request, wire, 'unknown source on a carrier listener')
      respond(403)
      return undefined
    }
    const proof = authenticator.prove(request, wire)
    switch (proof.kind) {
      case 'proven':
        parts.provenFlows.add(wire.flow)
        return proof.user
      case 'malformed':
        respond(400)
        return undefined
      case 'wrong':
        refused(request, wire, proof.why, proof.user)
        break
      case 'unproven':
        // who asks for one unknown name after the other looks for the known ones; the answer is the same
        if (!proof.stale && userOf(claimed(request)) === undefined) strike(request, wire, 'unknown extensions')
        break
    }
    // RFC 3261 22.3: 407 where the request goes on through us, 401 where we are its server
    const status = request.method === 'INVITE' || request.method === 'MESSAGE' ? 407 : 401
    const named = userOf(claimed(request))
    const digest = named === undefined ? null : edge.config().users[named]?.digest
    respond(status, authenticator.challenge(status, wire, proof.kind === 'unproven' && proof.stale, digest))
    return undefined
  }

  /** Of these trunks the one whose digest user the request proves; answered otherwise, where no user may be meant. */
  const proveTrunk = (trunks: readonly string[], request: SipRequest, wire: Wire, respond: Respond, only: boolean) => {
    const all = edge.config().trunks
    const accounts = trunks.flatMap((name) => all[name]?.authenticate ?? [])
    const proof = authenticator.prove(request, wire, accounts)
    if (proof.kind === 'proven') {
      parts.provenFlows.add(wire.flow)
      const trunk = trunks.find((name) => all[name]?.authenticate?.user === proof.user)
      return trunk === undefined ? undefined : ({ kind: 'trunk', trunk } as const)
    }
    if (!only) return undefined
    if (proof.kind === 'malformed') respond(400)
    else {
      if (proof.kind === 'wrong') refused(request, wire, proof.why, proof.user)
      const stale = proof.kind === 'unproven' && proof.stale
      respond(407, authenticator.challenge(407, wire, stale, accounts.length === 1 ? accounts[0]?.digest : null))
    }
    return 'answered' as const
  }

  /** Trunks that this request may come from and that want a digest: none where the address is enough. */
  const askedOf = (identity: TrunkIdentity, wire: Wire): readonly string[] => {
    const all = edge.config().trunks
    const named = identity.kind === 'trunk' ? [identity.trunk] : identity.kind === 'ambiguous' ? identity.trunks : []
    const those = identity.kind === 'stranger' ? (tables().callers.get(wire.listener) ?? []) : named
    return those.filter((name) => all[name]?.authenticate)
  }

  return {
    site,
    urgent,
    urgentAnywhere: (request) =>
      request.method === 'INVITE' &&
      [undefined, ...Object.keys(edge.config().sites)].some((s) => isUrgent(request, s, edge.config())),
    trunkAt(request, wire) {
      const identity = trunkOf(request, wire)
      return identity.kind === 'trunk' ? identity.trunk : undefined
    },
    names,
    userOf,
    refused,
    tellRefused,
    spared,
    proven: (wire) => parts.provenFlows.add(wire.flow),
    proveUser,
    authenticate(request, wire, respond): Peer | undefined {
      const identity = trunkOf(request, wire)
      const asked = askedOf(identity, wire)
      if (identity.kind === 'trunk' && asked.length === 0) return identity
      const where = site(wire.remoteAddress)
      const known = userOfFlow(request, wire)
      if (known !== undefined) return { kind: 'user', user: known, site: where }
      if (where !== undefined && isUrgent(request, where, edge.config())) {
        const proof = authenticator.prove(request, wire)
        // edge.md E11: nobody who calls for help from one of our sites is asked for a password
        return proof.kind === 'proven'
          ? { kind: 'user', user: proof.user, site: where }
          : { kind: 'unknown', site: where }
      }
      if (asked.length > 0) {
        const only = identity.kind !== 'stranger' || (tables().carrierOnly.has(wire.listener) && where === undefined)
        const trunk = proveTrunk(asked, request, wire, respond, only)
        if (trunk === 'answered') return undefined
        if (trunk) return trunk
      }
      if (identity.kind === 'ambiguous') {
        refused(request, wire, `ambiguous trunk: ${identity.trunks.join(', ')}`)
        respond(403)
        return undefined
      }
      const user = proveUser(request, wire, respond)
      return user === undefined ? undefined : { kind: 'user', user, site: where }
    },
    sourcesChanged() {
      compiled = undefined
    },
    configured() {
      compiled = undefined
      authenticator.configured()
    },
  }
}

/** The name that a request without credentials comes under. */
function claimed(request: SipRequest): string {
  return unescapeUser(from(request)?.uri.user ?? '')
}

/** Before anybody is authenticated: does this INVITE call for help? */
function isUrgent(request: SipRequest, site: string | undefined, configuration: Configuration): boolean {
  if (request.method !== 'INVITE') return false
  const dialled = unescapeUser(parseUri(request.uri)?.user ?? '')
  return emergencyDialled(configuration, dialled, request.uri, { site }) !== undefined
}

function compile(
  configuration: Configuration,
  twins: (listener: string) => readonly string[],
  registeredAt: DoorkeeperParts['registeredAt'],
): Compiled {
  const sites = networkTable(
    Object.values(configuration.sites).flatMap((s) => s.networks.map((n) => [n, s.name] as const)),
  )
  const sources = new Map<string, TrunkSource[]>()
  for (const source of trunkSources(Object.values(configuration.trunks), twins, registeredAt)) {
    const group = sources.get(source.listener)
    if (group) group.push(source)
    else sources.set(source.listener, [source])
  }
  // where phones have a listener of their own, a stranger on the carriers' one is nobody's phone
  const { listen } = configuration.edge
  const forPhones = new Set(Object.values(listen).flatMap((l) => (sources.has(l.name) ? [] : [l.transport])))
  const carrierOnly = new Set(
    Object.values(listen).flatMap((l) => (sources.has(l.name) && forPhones.has(l.transport) ? [l.name] : [])),
  )
  const users = new Map<string, string>()
  for (const user of Object.values(configuration.users)) {
    if (user.did !== null) users.set(user.did, user.name).set(user.did.slice(1), user.name)
    if (user.extension !== null && !users.has(user.extension)) users.set(user.extension, user.name)
  }
  const callers = new Map<string, string[]>()
  for (const trunk of Object.values(configuration.trunks)) {
    if (!trunk.authenticate || trunk.from.length > 0) continue
    for (const name of [trunk.listener, ...twins(trunk.listener)]) {
      callers.set(name, [...(callers.get(name) ?? []), trunk.name])
    }
  }
  return { sites, sources, known: new Map(), callers, carrierOnly, users }
}
