/** Registrations of users and the state of trunks, told by the edge. */
import Type, { type Static } from 'typebox'
import { fact } from './contract.ts'
import { Count, Foreign, Id, Instant, Name, Uri } from './values.ts'

export const Binding = Type.Object({
  /** Same for all facts of one binding. */
  bindingId: Id,
  user: Name,
  contact: Uri,
  edge: Id,
  transport: Type.String({ maxLength: 8 }),
  /** Where the packets really come from, address:port. */
  source: Type.String({ maxLength: 128 }),
  site: Type.Optional(Name),
  userAgent: Type.Optional(Foreign),
  at: Instant,
  expiresAt: Instant,
})
export type Binding = Static<typeof Binding>

const phones = {
  toldBy: ['edge-proxy'],
  heardBy: ['presence', 'console', 'location'],
  // after a power cut all phones come back in the same minute
  gatherMs: 50,
} as const

export const RegistrationBound = fact({
  subject: 'registration.v1.bound',
  key: 'bindingId',
  body: Binding,
  ...phones,
})

export const RegistrationRemoved = fact({
  subject: 'registration.v1.removed',
  key: 'bindingId',
  body: Type.Intersect([
    Binding,
    Type.Object({
      why: Type.Union([Type.Literal('unregistered'), Type.Literal('expired'), Type.Literal('flow-failed')]),
    }),
  ]),
  ...phones,
})

export const TrunkState = Type.Object({
  trunk: Name,
  edge: Id,
  at: Instant,
  health: Type.Union([Type.Literal('up'), Type.Literal('probing'), Type.Literal('down'), Type.Literal('drain')]),
  /** Only for trunks that register: until when the ITSP granted it. */
  registered: Type.Optional(Type.Boolean()),
  registeredUntil: Type.Optional(Instant),
  calls: Count,
  why: Type.Optional(Foreign),
  /** OPTIONS round trip, ms. */
  roundTripMs: Type.Optional(Type.Number({ minimum: 0 })),
  /** This edge asks the carrier (the lease is its own): the other edges take its word on health. */
  prober: Type.Optional(Type.Boolean()),
  /** Addresses of the trunk that did not answer the last OPTIONS, as the configuration writes them. */
  silent: Type.Optional(Type.Array(Uri, { maxItems: 32 })),
})
export type TrunkState = Static<typeof TrunkState>

/** Keys of the KV bucket `trunk`: names may hold characters that a key may not. */
export const trunkKey = (kind: 'lease' | 'drain', trunk: string): string =>
  `${kind}.${Buffer.from(trunk).toString('base64url')}`

export function trunkOfKey(key: string): string {
  return Buffer.from(key.slice(key.indexOf('.') + 1), 'base64url').toString()
}

export const TrunkChanged = fact({
  subject: 'trunk.v1.changed',
  body: TrunkState,
  toldBy: ['edge-proxy'],
  heardBy: ['routing', 'console', 'edge-proxy'],
})

const Ratio = Type.Number({ minimum: 0, maximum: 1 })

/** How well a trunk carries its calls, over the window of its configuration. */
export const JudgedTrunk = Type.Object({
  /** Tried after the trunks of good quality. */
  demoted: Type.Boolean(),
  /** Which ratio is beyond its limit, in words. */
  why: Type.Optional(Foreign),
  /** Since when it is demoted. */
  since: Type.Optional(Instant),
  calls: Count,
  /** Answer-seizure ratio (ITU-T E.411). */
  asr: Type.Optional(Ratio),
  /** Network effectiveness ratio (ITU-T E.425). */
  ner: Type.Optional(Ratio),
  /** Mean post-dial delay, ms. */
  pddMs: Type.Optional(Type.Number({ minimum: 0 })),
})
export type JudgedTrunk = Static<typeof JudgedTrunk>

/** Told by every router, which all hear the same records: at each verdict, and every minute while calls are judged. */
export const TrunkJudged = fact({
  subject: 'trunk.v1.judged',
  body: Type.Intersect([Type.Object({ trunk: Name, at: Instant }), JudgedTrunk]),
  toldBy: ['routing'],
  heardBy: ['console'],
})
