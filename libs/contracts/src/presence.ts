/** Who is on the phone (presence.md). */
import Type, { type Static } from 'typebox'
import { fact, request } from './contract.ts'
import { Count, Foreign, Id, Instant, Name, Uri } from './values.ts'

export const Availability = Type.Union([
  Type.Literal('available'),
  Type.Literal('busy'),
  Type.Literal('dnd'),
  Type.Literal('away'),
  Type.Literal('offline'),
])
export type Availability = Static<typeof Availability>

export const PresenceState = Type.Object({
  user: Name,
  availability: Availability,
  /** RFC 4480 activities, e.g. `on-the-phone`, `meeting`, `away`. */
  activities: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 16 }),
  /** What the activity happens on. */
  device: Type.Optional(
    Type.Union([Type.Literal('desk'), Type.Literal('mobile'), Type.Literal('remote'), Type.Literal('unknown')]),
  ),
  since: Instant,
  /** +1 per emitted state of this user. */
  version: Count,
  /** Microsoft's number: 3500 available, 6500 busy, 9500 do not disturb … as presence.md says. */
  microsoft: Type.Optional(Count),
  /** How much of this user's mobile calls we can see. */
  coverage: Type.Optional(Type.Union([Type.Literal('full'), Type.Literal('trunk-only'), Type.Literal('none')])),
})
export type PresenceState = Static<typeof PresenceState>

export const PresenceChanged = fact({
  subject: 'presence.v1.changed',
  body: PresenceState,
  toldBy: ['presence'],
  heardBy: ['console'],
})

export const ReadPresence = request({
  subject: 'presence.v1.read',
  question: Type.Object({ user: Type.Optional(Name) }),
  answer: Type.Object({ states: Type.Array(PresenceState, { maxItems: 100_000 }) }),
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'presence',
})

/** Manual state; `availability: null` clears it. */
export const SetPresence = request({
  subject: 'presence.v1.set',
  question: Type.Object({
    user: Name,
    availability: Type.Union([Availability, Type.Literal('appear-offline'), Type.Null()]),
    note: Type.Optional(Foreign),
    until: Type.Optional(Instant),
  }),
  answer: Type.Object({ state: PresenceState }),
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'presence',
})

/** A NOTIFY body; the edge owns the dialog. */
export const NotifyBody = Type.Object({
  /** Subscription-State without parameters (RFC 6665 4.1.3). */
  state: Type.Union([Type.Literal('active'), Type.Literal('pending'), Type.Literal('terminated')]),
  /** Reason of `terminated`: deactivated, probation, rejected, timeout, giveup, noresource, invariant. */
  reason: Type.Optional(Type.String({ maxLength: 32 })),
  contentType: Type.Optional(Type.String({ maxLength: 128 })),
  body: Type.Optional(Type.String({ maxLength: 262_144 })),
})
export type NotifyBody = Static<typeof NotifyBody>

/** The edge took a SUBSCRIBE (first, refresh, or expires 0 to end it). */
export const SubscribePresence = request({
  subject: 'presence.v1.subscribe',
  question: Type.Object({
    edge: Id,
    /** The edge's id of the subscription dialog. */
    subscriptionId: Id,
    /** Authenticated user, or undefined for a stranger. */
    watcher: Type.Optional(Name),
    /** User part of the Request-URI: a user name, DID or extension. */
    presentity: Foreign,
    /** RFC 6665 event package. */
    event: Type.String({ maxLength: 64 }),
    accept: Type.Array(Type.String({ maxLength: 128 }), { maxItems: 32 }),
    expires: Count,
  }),
  answer: Type.Object({
    /** 200, 403, 404, 406, 423, 489 … */
    status: Count,
    reason: Type.Optional(Foreign),
    /** Granted, s. */
    expires: Type.Optional(Count),
    /** The immediate NOTIFY. */
    notify: Type.Optional(NotifyBody),
  }),
  timeoutMs: 800,
  askedBy: ['edge-proxy'],
  answeredBy: 'presence',
})

/** The edge took a PUBLISH (RFC 3903). */
export const PublishPresence = request({
  subject: 'presence.v1.publish',
  question: Type.Object({
    publisher: Name,
    presentity: Foreign,
    event: Type.String({ maxLength: 64 }),
    ifMatch: Type.Optional(Foreign),
    expires: Count,
    contentType: Type.Optional(Type.String({ maxLength: 128 })),
    body: Type.Optional(Type.String({ maxLength: 65_536 })),
  }),
  answer: Type.Object({
    status: Count,
    reason: Type.Optional(Foreign),
    etag: Type.Optional(Id),
    expires: Type.Optional(Count),
  }),
  timeoutMs: 800,
  askedBy: ['edge-proxy'],
  answeredBy: 'presence',
})

/** Presence hands the edge named by the key a NOTIFY to send in the dialog of `subscriptionId`. */
export const PresenceNotify = fact({
  subject: 'presence.v1.notified',
  key: 'edge',
  body: Type.Object({
    edge: Id,
    subscriptionId: Id,
    notify: NotifyBody,
    expires: Type.Optional(Count),
    uri: Type.Optional(Uri),
  }),
  toldBy: ['presence'],
  heardBy: ['edge-proxy'],
})
