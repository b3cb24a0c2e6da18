/** Who sent this request? (edge.md E2, E3) Trunks by address, users by digest or by the flow that a digest proved. */
import type { Configuration } from '@tandem/config/defaults.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { from } from '@tandem/sip/message/read.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ProvenFlows } from './abuse-gate.ts'
import type { Authenticator } from './authenticator.ts'
import type { AbuseGuard } from './domain/abuse-guard.ts'
import { type DoorTables, doorTables, type RegisteredAt } from './domain/door-tables.ts'
import { emergencyDialled } from './domain/emergency-number.ts'
import { identifyTrunk, isSource, sourceFacts, type TrunkIdentity } from './domain/identify-trunk.ts'
import type { Edge, Peer, Wire } from './edge.ts'
import { createRefusals, type Refusals } from './refusals.ts'

export type Respond = (status: number, headers?: readonly (readonly [string, string])[]) => void

const MAX_KNOWN = 16_384

export interface Doorkeeper extends Pick<Refusals, 'refused' | 'tellRefused'> {
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
  readonly registeredAt: RegisteredAt
  readonly guard: AbuseGuard
  readonly provenFlows: ProvenFlows
}

export function createDoorkeeper(parts: DoorkeeperParts): Doorkeeper {
  const { edge, authenticator } = parts
  let compiled: DoorTables | undefined
  const tables = (): DoorTables => (compiled ??= doorTables(edge.config(), parts.twins, parts.registeredAt))

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

  // a whole site is not shut out for one phone with an old password
  const pardoned = (wire: Wire) => spared(wire) || site(wire.remoteAddress) !== undefined
  const { refused, strike, tellRefused } = createRefusals({ edge, guard: parts.guard, pardoned })

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
