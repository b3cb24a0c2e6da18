/**
 * An answered call as any edge can go on with it (edge.md, "established calls survive the loss of an edge node"): the
 * value of a key (its call id) in the KV bucket `calls`. Written and read by edges alone.
 */
import Type, { type Static } from 'typebox'
import { LegMedia, LegRole } from './call.ts'
import { Count, Foreign, Id, Instant, Milliseconds, Name, Party, Uri } from './values.ts'

export const CALLS_BUCKET = 'calls'

/** RFC 3261 12: what libs/sip keeps of a dialog. */
const HeldDialog = Type.Object({
  role: Type.Union([Type.Literal('uac'), Type.Literal('uas')]),
  state: Type.Union([Type.Literal('early'), Type.Literal('confirmed')]),
  callId: Foreign,
  localTag: Foreign,
  remoteTag: Foreign,
  localParty: Type.String({ maxLength: 8192 }),
  remoteParty: Type.String({ maxLength: 8192 }),
  remoteTarget: Uri,
  routeSet: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 }),
  localSequence: Type.Union([Count, Type.Null()]),
  remoteSequence: Type.Union([Count, Type.Null()]),
  secure: Type.Boolean(),
})

/** As in the message, or sealed (edge-proxy, domain/sealed-keys.ts): then a third longer. */
const Description = Type.String({ maxLength: 88_000 })

/** What all legs of a call share in their facts. */
const Facts = Type.Object({
  callId: Id,
  from: Foreign,
  dialled: Foreign,
  to: Type.Optional(Foreign),
  emergency: Type.Boolean(),
})

export const HeldLeg = Type.Object({
  legId: Id,
  role: LegRole,
  party: Party,
  /** `in`: the peer sent the INVITE. */
  direction: Type.Union([Type.Literal('in'), Type.Literal('out')]),
  attempt: Count,
  /** Of the last fact told. */
  seq: Count,
  identity: Type.Object({
    user: Type.Optional(Name),
    costCentre: Type.Optional(Name),
    site: Type.Optional(Name),
    sent: Type.Optional(Foreign),
  }),
  dialog: HeldDialog,
  /** Where the peer was reached, and from which of our listeners. */
  wire: Type.Object({
    listener: Name,
    transport: Type.Union([
      Type.Literal('UDP'),
      Type.Literal('TCP'),
      Type.Literal('TLS'),
      Type.Literal('WS'),
      Type.Literal('WSS'),
    ]),
    address: Type.String({ maxLength: 64 }),
    port: Count,
  }),
  behindNat: Type.Boolean(),
  /** Descriptions: the last of the peer, the last that it was sent. */
  heard: Type.Optional(Description),
  said: Type.Optional(Description),
  takesUpdate: Type.Boolean(),
  /** RFC 4028; `us` refreshes. */
  session: Type.Optional(
    Type.Object({ interval: Count, refresher: Type.Union([Type.Literal('us'), Type.Literal('peer')]) }),
  ),
  peerMinSe: Count,
  codec: Type.Optional(Name),
  startedAt: Instant,
  /** Monotonic durations since the INVITE, as in the leg's record. */
  tryingMs: Type.Optional(Milliseconds),
  ringingMs: Type.Optional(Milliseconds),
  setupMs: Type.Optional(Milliseconds),
  answeredMs: Milliseconds,
  /** Since the INVITE, when this was written. */
  ageMs: Milliseconds,
  /** As in the leg's facts: a transfer made it, or joined it with another call. */
  referredBy: Type.Optional(Foreign),
  joined: Type.Optional(Id),
  /** The call whose facts it goes by, when a transfer has brought it into this one. */
  madeIn: Type.Optional(Facts),
  /** Carried so far, by all edges. */
  media: Type.Optional(LegMedia),
})
export type HeldLeg = Static<typeof HeldLeg>

export const HeldCall = Type.Object({
  version: Type.Literal(1),
  callId: Id,
  /** The node and which of its lives; nobody's when an edge that stops has let it go. */
  owner: Type.Optional(Type.Object({ edge: Id, life: Id })),
  /** How often another life took it over. */
  takeovers: Count,
  /** When this was written: the call is proven until then. */
  at: Instant,
  from: Foreign,
  dialled: Foreign,
  to: Type.Optional(Foreign),
  emergency: Type.Boolean(),
  traceparent: Type.Optional(Type.String({ maxLength: 64 })),
  legs: Type.Array(HeldLeg, { minItems: 2, maxItems: 2 }),
})
export type HeldCall = Static<typeof HeldCall>
