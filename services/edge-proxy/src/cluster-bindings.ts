/**
 * Bindings at the other edges (docs/adr/0120): heard as they change, so that no call asks for them, and each with the way
 * to its phone:
 *
 *   inside, over UDP, no NAT between    straight from here
 *   any other, its edge lives           through that edge, by a Route with a flow token (RFC 5626 5.3)
 *   any other, its edge is gone         straight where that is UDP without NAT, else not until it registers again
 */
import { type KeyObject, randomBytes } from 'node:crypto'
import type { HeldBinding } from '@tandem/contracts/held-binding.ts'
import type { EdgeLease } from './adapters/edge-lease.ts'
import { createSharedBindings } from './adapters/shared-bindings.ts'
import { sealReturn, writeFlowToken } from './domain/flow-token.ts'
import { readBinding, udpFlow, writeBinding } from './domain/kept-binding.ts'
import { bracketed, type HopAddress, hostPort } from './domain/own-hop.ts'
import type { BoundContact } from './domain/registrar.ts'
import { RelayedWire } from './domain/relayed-wire.ts'
import type { Cluster, Edge, Timer, Wire, Wires } from './edge.ts'
import type { EdgeHops, Hop } from './edge-hops.ts'

/** What other edges left behind is looked at so often, ms. */
const LOOK_MS = 5_000
/** Clocks differ by less, ms. */
const TOLERANCE_MS = 5_000

/** What the registrar of this edge is told. */
export interface ClusterListener {
  /** Bound, refreshed or taken over at another edge. */
  heard(user: string, binding: BoundContact): void
  /** Removed by another edge, which has told it. */
  gone(bindingId: string): void
  /** Left behind by an edge that is gone, and taken away here: told by this edge and no other. */
  orphaned(user: string, binding: BoundContact, why: 'expired' | 'flow-failed'): void
}

export interface ClusterBindings {
  begin(listener: ClusterListener): void
  /** Bound here. */
  put(user: string, binding: BoundContact, wire: Wire): void
  /** Removed here, wherever it was bound. */
  remove(bindingId: string): void
  /** Of a binding elsewhere. */
  wire(bindingId: string): Wire | undefined
  /** Its edge lives, and cannot tell whether its phone has registered anew (docs/adr/0150). */
  mayBeRenewed(bindingId: string): boolean
  /** Bound here from now on, or not at all. */
  forget(bindingId: string): void
  close(): Promise<void>
}

export interface ClusterBindingsParts {
  readonly edge: Pick<Edge, 'bus' | 'clock' | 'log'>
  readonly cluster: Cluster
  readonly wires: Pick<Wires, 'to'>
  readonly hops: EdgeHops
  /** Where this edge takes what comes through others; undefined: it has no such listener. */
  readonly ownHop: () => HopAddress | undefined
  /** In the network of a site. */
  readonly inside: (address: string) => boolean
  /** Requests that wait on it have failed. */
  readonly failed: (wire: Wire, why: string) => void
}

/** A binding elsewhere. */
interface Elsewhere {
  readonly held: HeldBinding
  readonly binding: BoundContact
  /** Straight from here; undefined where that is not possible. */
  direct: Wire | undefined
  relayed: { readonly wire: RelayedWire; readonly secret: KeyObject; readonly forget: () => void } | undefined
}

export function createClusterBindings(parts: ClusterBindingsParts): ClusterBindings {
  const { cluster } = parts
  const { bus, clock, log } = parts.edge
  const { lease, self } = cluster
  const known = new Map<string, Elsewhere>()
  let listener: ClusterListener | undefined
  let looking: Timer | undefined
  let closed = false

  const forget = (bindingId: string) => {
    const found = known.get(bindingId)
    known.delete(bindingId)
    if (!found?.relayed) return
    found.relayed.forget()
    parts.failed(found.relayed.wire, 'its phone has left that edge')
  }

  const hear = (held: HeldBinding) => {
    const binding = readBinding(held.binding)
    if (!binding || binding.bindingId !== held.bindingId) return
    const before = known.get(held.bindingId)
    // a refresh over the same flow: calls to it go on
    if (before && sameFlow(before.held, held)) known.set(held.bindingId, { ...before, held, binding })
    else {
      forget(held.bindingId)
      const entry: Elsewhere = { held, binding, direct: undefined, relayed: undefined }
      known.set(held.bindingId, entry)
      void straight(entry, binding)
    }
    listener?.heard(held.user, binding)
  }

  const straight = async (entry: Elsewhere, binding: BoundContact) => {
    const flow = udpFlow(binding.flow)
    if (!flow || binding.path.length > 0 || behindNat(binding)) return
    entry.direct = await parts.wires.to(flow.listener, 'UDP', flow.address, flow.port).catch(() => undefined)
  }

  let told = false
  const unreachable = ({ user, owner, hop }: HeldBinding) => {
    if (told) return
    told = true
    const missing = cluster.secret() === undefined ? 'edge.cluster.secret' : 'a listener with an address of its own'
    const at = hop === undefined && cluster.secret() !== undefined ? owner.edge : self.edge
    log.warn({ user, edge: at, missing }, 'phones cannot be rung through the edge that they are registered at')
  }

  const relayed = (entry: Elsewhere): RelayedWire | undefined => {
    if (entry.relayed && entry.relayed.secret === cluster.secret()) return entry.relayed.wire
    const own = parts.ownHop()
    const secret = cluster.secret()
    if (secret === undefined || own === undefined || entry.held.hop === undefined) {
      return void unreachable(entry.held)
    }
    const made = relay(parts, entry.held, own, secret, () => known.get(entry.held.bindingId)?.relayed === entry.relayed)
    entry.relayed = made
    return made.wire
  }

  const shared = createSharedBindings({
    ...{ bus, clock, log, life: self.life },
    heard: hear,
    gone(bindingId) {
      forget(bindingId)
      listener?.gone(bindingId)
    },
  })

  const look = () => {
    for (const { held, binding, direct } of known.values()) {
      if (!lease.gone(held.owner)) continue
      const why = held.expiresAt + TOLERANCE_MS < clock.wall() ? 'expired' : direct ? undefined : 'flow-failed'
      if (why) void bury(held.user, binding, why)
    }
    looking = clock.setTimer(LOOK_MS, look)
  }

  const bury = async (user: string, binding: BoundContact, why: 'expired' | 'flow-failed') => {
    if (closed || !(await shared.claim(binding.bindingId))) return
    forget(binding.bindingId)
    listener?.orphaned(user, binding, why)
  }

  // what waits for an answer through an edge that is gone need not wait any longer
  lease.onGone(() => {
    for (const { held, relayed } of known.values()) {
      if (relayed && lease.gone(held.owner)) parts.failed(relayed.wire, `edge ${held.owner.edge} is gone`)
    }
  })

  return {
    begin(given) {
      listener = given
      looking = clock.setTimer(LOOK_MS, look)
    },
    put(user, binding, wire) {
      const { bindingId, boundAt, expiresAt } = binding
      const hop = parts.ownHop()
      const { listener: name, transport, remoteAddress: address, remotePort: port, sentBy } = wire
      const flow = { listener: name, transport, address, port, sentBy }
      const body = writeBinding(binding)
      const held: HeldBinding = {
        ...{ version: 1, bindingId, user, owner: self, binding: body, boundAt, expiresAt: Math.round(expiresAt), flow },
        ...(hop ? { hop } : {}),
      }
      shared.put(held)
    },
    remove(bindingId) {
      shared.remove(bindingId)
      forget(bindingId)
    },
    wire(bindingId) {
      const entry = known.get(bindingId)
      if (entry === undefined) return undefined
      const { held, direct } = entry
      if (direct && parts.inside(held.flow.address)) return direct
      return lives(lease, held) ? (relayed(entry) ?? direct) : direct
    },
    mayBeRenewed(bindingId) {
      const owner = known.get(bindingId)?.held.owner
      return owner !== undefined && lease.cutOff(owner)
    },
    forget,
    async close() {
      closed = true
      if (looking) clock.clearTimer(looking)
      await shared.close()
    },
  }
}

function relay(
  parts: ClusterBindingsParts,
  held: HeldBinding,
  own: HopAddress,
  secret: KeyObject,
  current: () => boolean,
) {
  const { cluster, hops } = parts
  const { flow, owner, bindingId } = held
  const to = held.hop as HopAddress
  const hop: Hop = hops.to(to)
  const host = hostPort(to)
  const route = `<sip:${writeFlowToken(bindingId, owner.life, secret)}@${host};lr>`
  const back = { edge: cluster.self.edge, transport: own.transport, address: own.address, port: own.port }
  const failed = (why: string) => parts.failed(wire, why)
  const wire: RelayedWire = new RelayedWire({
    listener: flow.listener,
    remoteAddress: flow.address,
    remotePort: flow.port,
    through: {
      edge: owner.edge,
      transport: flow.transport,
      sentBy: flow.sentBy,
      back: (callKey) => `${callKey}.${sealReturn(back, callKey.split('.', 1)[0] ?? '', randomBytes(12), secret)}`,
    },
    route,
    transport: to.transport,
    own: { localAddress: bracketed(own.address), localPort: own.port },
    name: `${flow.transport.toLowerCase()} ${flow.address}:${flow.port} through ${owner.edge}`,
    alive: () => current() && lives(cluster.lease, held),
    send: (bytes) => hop.send(bytes, failed),
    keepUntil: (ms) => hop.keepUntil(ms),
  })
  return { wire, secret, forget: () => hop.forget(failed) }
}

const lives = (lease: EdgeLease, { owner }: HeldBinding): boolean => !lease.gone(owner)

function sameFlow(a: HeldBinding, b: HeldBinding): boolean {
  return a.owner.life === b.owner.life && JSON.stringify([a.flow, a.hop]) === JSON.stringify([b.flow, b.hop])
}

/** The Contact is not where the packets come from: only who has the flow gets through. */
function behindNat({ contact, source }: BoundContact): boolean {
  const { host, port } = contact.uri
  return `${host}:${port ?? 5060}` !== source
}
