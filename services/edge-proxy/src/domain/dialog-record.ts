/**
 * An answered call as a value and back (contracts/held-call.ts): what the next edge needs to go on with both dialogs, the
 * audio and the record. Pure: times come in, and the monotonic ones of another machine are carried as durations.
 */
import type { HeldCall, HeldLeg } from '@tandem/contracts/held-call.ts'
import type { Wire } from '../edge.ts'
import { type CallFacts, rounded } from './call-facts.ts'
import { CallLeg, type LegParts } from './call-leg.ts'
import type { HeldSession } from './held-calls.ts'
import { instant } from './instant.ts'
import { mediaOf } from './leg-media.ts'
import { traceparentOf } from './trace-of.ts'

export interface Now {
  /** Monotonic, ms. */
  readonly ms: number
  /** Wall clock, ms since 1970. */
  readonly wall: number
}

/**
 * RFC 3261 12.2.2: a CSeq may rise by more than one. The last requests of a lost edge may not have been written down, so
 * the next one begins that far above; the same for the count of facts.
 */
const SEQUENCE_GAP = 100

/** Undefined: not (or no longer) two confirmed dialogs. */
export function recordOf(session: HeldSession, owner: HeldCall['owner'], now: Now): HeldCall | undefined {
  const { facts, takeovers } = session
  const legs: HeldLeg[] = []
  for (const leg of session.legs) {
    const held = heldLeg(leg, now.ms)
    if (held !== undefined) legs.push(held)
  }
  if (legs.length !== 2) return undefined
  const [first] = session.legs
  const traceparent = first && traceparentOf(first)
  return {
    version: 1,
    ...heldFacts(facts),
    ...(owner === undefined ? {} : { owner }),
    takeovers,
    at: instant(now.wall),
    ...(traceparent === undefined ? {} : { traceparent }),
    legs: legs as [HeldLeg, HeldLeg],
  }
}

function heldLeg(leg: CallLeg, nowMs: number): HeldLeg | undefined {
  const { dialog, wire, session } = leg
  const { transport } = wire.through ?? wire
  if (leg.ended || dialog === undefined || leg.answeredAtMs === undefined) return undefined
  const media = mediaOf(leg)
  return {
    legId: leg.legId,
    role: leg.role,
    party: leg.party,
    direction: leg.direction,
    attempt: leg.attempt,
    seq: leg.seq,
    identity: defined(leg.identity),
    dialog: { ...dialog, routeSet: [...dialog.routeSet] },
    wire: { listener: wire.listener, transport, address: wire.remoteAddress, port: wire.remotePort },
    behindNat: leg.peer.behindNat,
    ...defined({ heard: leg.heard, said: leg.said, codec: leg.codec }),
    takesUpdate: leg.takesUpdate,
    ...(session === undefined ? {} : { session: { ...session } }),
    peerMinSe: leg.peerMinSe,
    startedAt: instant(leg.startedWall),
    ...defined({ tryingMs: leg.tryingMs, ringingMs: leg.ringingMs, setupMs: leg.setupMs }),
    answeredMs: rounded(leg.answeredAtMs - leg.startedMs),
    ageMs: rounded(nowMs - leg.startedMs),
    ...defined({ referredBy: leg.referredBy, joined: leg.joined }),
    ...(leg.madeIn === undefined ? {} : { madeIn: heldFacts(leg.madeIn) }),
    ...(media === undefined ? {} : { media }),
  }
}

function heldFacts({ callId, from, dialled, to, emergency }: CallFacts): NonNullable<HeldLeg['madeIn']> {
  return { callId, from, dialled, ...(to === undefined ? {} : { to }), emergency }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}

/** The leg as the edge that takes it over has it. Its last proof is the record's own time. */
export function legOf(
  call: HeldCall,
  held: HeldLeg,
  given: Pick<LegParts, 'wire' | 'media' | 'contact'>,
  now: Now,
): CallLeg {
  const sinceMs = Math.max(0, now.wall - Date.parse(call.at))
  const startedMs = now.ms - sinceMs - held.ageMs
  const { dialog } = held
  const leg = new CallLeg({
    ...given,
    legId: held.legId,
    role: held.role,
    party: held.party,
    direction: held.direction,
    peer: { address: held.wire.address, behindNat: held.behindNat },
    sipCallId: dialog.callId,
    localTag: dialog.localTag,
    attempt: held.attempt,
    startedMs,
    startedWall: Date.parse(held.startedAt),
  })
  leg.identity = held.identity
  leg.dialog = { ...dialog, localSequence: (dialog.localSequence ?? 0) + SEQUENCE_GAP }
  leg.heard = held.heard
  leg.said = held.said
  leg.takesUpdate = held.takesUpdate
  leg.session = held.session
  leg.peerMinSe = held.peerMinSe
  leg.codec = held.codec
  leg.tryingMs = held.tryingMs
  leg.ringingMs = held.ringingMs
  leg.setupMs = held.setupMs
  leg.answeredAtMs = startedMs + held.answeredMs
  leg.seq = held.seq + SEQUENCE_GAP
  leg.referredBy = held.referredBy
  leg.joined = held.joined
  leg.counted = held.media
  leg.takeovers = call.takeovers
  leg.provenMs = now.ms - sinceMs
  leg.moved = true
  return leg
}

/** A way that is gone with the edge that had it: the connection of a phone, until it comes back over another. */
export function lostWire(held: HeldLeg['wire'], own: Pick<Wire, 'localAddress' | 'localPort' | 'sentBy'>): Wire {
  return {
    ...own,
    reliable: held.transport !== 'UDP',
    transport: held.transport,
    listener: held.listener,
    remoteAddress: held.address,
    remotePort: held.port,
    name: `lost ${held.transport} ${held.address}:${held.port}`,
    flow: `lost/${held.transport}/${held.address}/${held.port}`,
    alive: false,
    send() {},
    keepUntil() {},
  }
}
