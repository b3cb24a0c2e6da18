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

export const RegistrationBound = fact({
  subject: 'registration.v1.bound',
  key: 'bindingId',
  body: Binding,
  toldBy: ['edge-proxy'],
  heardBy: ['presence', 'console', 'location'],
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
  toldBy: ['edge-proxy'],
  heardBy: ['presence', 'console', 'location'],
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
})
export type TrunkState = Static<typeof TrunkState>

export const TrunkChanged = fact({
  subject: 'trunk.v1.changed',
  body: TrunkState,
  toldBy: ['edge-proxy'],
  heardBy: ['routing', 'console'],
})
