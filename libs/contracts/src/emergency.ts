/** The story of an emergency call (location.md L16, L18). */
import Type, { type Static } from 'typebox'
import { fact, request } from './contract.ts'
import { Count, Foreign, Id, Instant, Milliseconds, Name, Place } from './values.ts'

const story = {
  callId: Id,
  at: Instant,
}

export const EmergencyStarted = fact({
  subject: 'emergency.v1.started',
  body: Type.Object({
    ...story,
    legId: Id,
    /** 933 and the like. */
    test: Type.Boolean(),
    dialled: Foreign,
    user: Type.Optional(Name),
    display: Type.Optional(Foreign),
    callback: Type.Optional(Foreign),
    site: Type.Optional(Name),
    sourceAddress: Type.String({ maxLength: 64 }),
    sourcePort: Type.Optional(Count),
    /** The phone, if it has told its +sip.instance (RFC 5626 4.1): it is the one that is called back. */
    instance: Type.Optional(Foreign),
    /** The same place that the PSAP is sent. */
    place: Type.Optional(Place),
    source: Type.Optional(Type.String({ maxLength: 32 })),
    routeClass: Type.Union([Type.Literal('direct'), Type.Literal('screened')]),
    /** Which part came from the standing order because a service was late. */
    standingOrder: Type.Array(Type.Union([Type.Literal('routing'), Type.Literal('location')]), { maxItems: 2 }),
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['location', 'console', 'edge-proxy'],
})
export type EmergencyStartedBody = Static<typeof EmergencyStarted.body>

/** One rung of the ladder (L2). */
export const EmergencyAttempted = fact({
  subject: 'emergency.v1.attempted',
  body: Type.Object({
    ...story,
    rung: Count,
    trunk: Name,
    called: Foreign,
    outcome: Type.Union([Type.Literal('sent'), Type.Literal('answered'), Type.Literal('failed')]),
    sipStatus: Type.Optional(Count),
    afterMs: Milliseconds,
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['location', 'console'],
})

export const EmergencyEnded = fact({
  subject: 'emergency.v1.ended',
  body: Type.Object({ ...story, answered: Type.Boolean(), durationMs: Milliseconds }),
  toldBy: ['edge-proxy'],
  heardBy: ['location', 'console', 'edge-proxy'],
})

export const EmergencyNotified = fact({
  subject: 'emergency.v1.notified',
  body: Type.Object({
    ...story,
    channel: Type.Union([Type.Literal('sip-message'), Type.Literal('webhook')]),
    target: Foreign,
    delivered: Type.Boolean(),
    detail: Type.Optional(Foreign),
    afterMs: Milliseconds,
  }),
  toldBy: ['location'],
  heardBy: ['console'],
})

export const Incident = Type.Object({
  callId: Id,
  startedAt: Instant,
  test: Type.Boolean(),
  user: Type.Optional(Name),
  callback: Type.Optional(Foreign),
  place: Type.Optional(Place),
  /** Hash-chained entries in order (L18). */
  entries: Type.Array(Type.Object({ at: Instant, what: Foreign, hash: Type.String({ maxLength: 128 }) }), {
    maxItems: 1000,
  }),
})
export type Incident = Static<typeof Incident>

export const ListIncidents = request({
  subject: 'emergency.v1.list',
  question: Type.Object({ limit: Type.Optional(Count), reader: Type.Optional(Name) }),
  answer: Type.Object({ incidents: Type.Array(Incident, { maxItems: 1000 }) }),
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'location',
})
