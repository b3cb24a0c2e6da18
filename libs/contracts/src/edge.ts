/** What may be asked of an edge. */
import Type from 'typebox'
import { fact, request } from './contract.ts'
import { Count, Foreign, Id, Instant, Name, Uri } from './values.ts'

/** A test call: rings the user, then dials `to` in this user's name. */
export const PlaceCall = request({
  subject: 'edge.v1.place-call',
  question: Type.Object({ from: Name, to: Foreign }),
  answer: Type.Union([
    Type.Object({ kind: Type.Literal('placed'), callId: Id }),
    Type.Object({ kind: Type.Literal('refused'), status: Count, reason: Foreign }),
  ]),
  timeoutMs: 5000,
  askedBy: ['console'],
  answeredBy: 'edge-proxy',
})

export const HangUp = request({
  subject: 'edge.v1.hang-up',
  question: Type.Object({ callId: Id, reason: Type.Optional(Foreign) }),
  answer: Type.Object({ found: Type.Boolean() }),
  timeoutMs: 2000,
  askedBy: ['console', 'billing'],
  answeredBy: 'edge-proxy',
})

/** No new calls but emergency calls; running ones go on. */
export const Drain = request({
  subject: 'edge.v1.drain',
  question: Type.Object({ draining: Type.Boolean() }),
  answer: Type.Object({ calls: Count }),
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'edge-proxy',
})

/** SIP MESSAGE (RFC 3428) to a registered user or a SIP URI: the emergency desk. */
export const SendMessage = request({
  subject: 'edge.v1.send-message',
  question: Type.Object({
    to: Uri,
    contentType: Type.String({ maxLength: 128 }),
    body: Type.String({ maxLength: 65_536 }),
  }),
  answer: Type.Object({
    delivered: Type.Boolean(),
    /** Best final status of all contacts, 0 when nobody answered. */
    status: Count,
    detail: Type.Optional(Foreign),
  }),
  timeoutMs: 5000,
  askedBy: ['location'],
  answeredBy: 'edge-proxy',
})

/** What this edge carries just now; console sums over edges. */
export const EdgeStatus = request({
  subject: 'edge.v1.status',
  question: Type.Object({}),
  answer: Type.Object({
    edge: Id,
    calls: Count,
    legs: Count,
    registrations: Count,
    subscriptions: Count,
    outbox: Count,
    draining: Type.Boolean(),
    listeners: Type.Array(Type.Object({ name: Name, url: Uri }), { maxItems: 64 }),
    revision: Count,
  }),
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'edge-proxy',
})

/**
 * The lease of an edge, told every second: an edge that was not heard for two and a half seconds is gone, and its calls
 * are anybody's. `life` is another one at each start; `leaving`: this life is over, and its calls are let go. `hop`: where
 * it takes SIP of other edges, who ask it there before they give it up.
 */
export const EdgeAlive = fact({
  subject: 'edge.v1.alive',
  body: Type.Object({
    edge: Id,
    life: Id,
    at: Instant,
    leaving: Type.Optional(Type.Boolean()),
    hop: Type.Optional(
      Type.Object({
        listener: Name,
        transport: Type.Union([Type.Literal('UDP'), Type.Literal('TCP')]),
        address: Type.String({ maxLength: 256 }),
        port: Count,
      }),
    ),
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['edge-proxy'],
})

/**
 * A digest nonce (RFC 7616 3.3) of any edge was used with this count here: the others take the same use for a replay. Core
 * NATS only: it is worth nothing a few minutes later.
 */
export const NonceUsed = fact({
  subject: 'edge.v1.nonce-used',
  body: Type.Object({ edge: Id, nonce: Id, count: Count }),
  toldBy: ['edge-proxy'],
  heardBy: ['edge-proxy'],
})
