/** CDRs and their prices (billing.md). Money is an exact decimal in a string, never a float. */
import Type, { type Static } from 'typebox'
import { LegMedia, LegRole } from './call.ts'
import { fact, request } from './contract.ts'
import { Count, Decimal, Foreign, Id, Instant, Milliseconds, Name, Party } from './values.ts'

/** These legs are committed: the edge may forget their outbox rows. */
export const BillingStored = fact({
  subject: 'billing.v1.stored',
  body: Type.Object({ legIds: Type.Array(Id, { maxItems: 5000 }) }),
  toldBy: ['billing'],
  heardBy: ['edge-proxy'],
})

export const Rating = Type.Object({
  kind: Type.Union([
    Type.Literal('per-minute'),
    /** Costs nothing by itself: its bytes are in the trunk's bandwidth sample. */
    Type.Literal('bandwidth'),
    /** User legs and failed attempts. */
    Type.Literal('free'),
    /** A trunk without deck, or a number that its deck does not know. */
    Type.Literal('unrated'),
  ]),
  amount: Decimal,
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  deck: Type.Optional(Name),
  deckVersion: Type.Optional(Foreign),
  prefix: Type.Optional(Foreign),
  billedSeconds: Type.Optional(Count),
  /** How the amount came about, one line. */
  explanation: Type.Optional(Foreign),
})
export type Rating = Static<typeof Rating>

export const Cdr = Type.Object({
  callId: Id,
  legId: Id,
  role: LegRole,
  party: Party,
  user: Type.Optional(Name),
  costCentre: Type.Optional(Name),
  from: Foreign,
  dialled: Foreign,
  to: Type.Optional(Foreign),
  emergency: Type.Boolean(),
  attempt: Count,
  startedAt: Instant,
  answeredAt: Type.Optional(Instant),
  endedAt: Instant,
  ringingMs: Type.Optional(Milliseconds),
  setupMs: Type.Optional(Milliseconds),
  durationMs: Milliseconds,
  endedBy: Type.String({ maxLength: 16 }),
  sipStatus: Count,
  q850: Type.Optional(Count),
  /** The peer's own words, or ours: `no RTP or RTCP received from caller (user:alice) for 60 s …`. */
  reason: Type.Optional(Foreign),
  codec: Type.Optional(Name),
  /** Who has sent the call here by a transfer, `user:alice` or `trunk:itsp-a`. */
  referredBy: Type.Optional(Foreign),
  /** The call with which a transfer has joined this one. */
  joined: Type.Optional(Id),
  /** SHAKEN level (RFC 8588) that the call came with, proven, or that we gave it. */
  attestation: Type.Optional(Type.Union([Type.Literal('A'), Type.Literal('B'), Type.Literal('C')])),
  /** What the Identity of an incoming call proved: TN-Validation-Passed, TN-Validation-Failed, No-TN-Validation. */
  verstat: Type.Optional(Type.String({ maxLength: 32 })),
  media: Type.Optional(LegMedia),
  /** True when its end was not seen but concluded (B5). */
  estimated: Type.Boolean(),
  /** The true end came after an estimate had been priced; what was priced then is reversed in the ledger. */
  corrected: Type.Optional(Type.Boolean()),
  traceId: Type.Optional(Type.String({ maxLength: 32 })),
  /** What the carrier costs us. */
  cost: Rating,
  /** What the cost centre pays. */
  price: Type.Optional(Rating),
})
export type Cdr = Static<typeof Cdr>

export const BillingRated = fact({
  subject: 'billing.v1.rated',
  body: Type.Object({ cdrs: Type.Array(Cdr, { maxItems: 5000 }) }),
  toldBy: ['billing'],
  heardBy: ['console'],
})

export const ListCdrs = request({
  subject: 'billing.v1.list',
  question: Type.Object({
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    user: Type.Optional(Name),
    trunk: Type.Optional(Name),
    callId: Type.Optional(Id),
    /** From the last answer. */
    cursor: Type.Optional(Type.String({ maxLength: 256 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  }),
  answer: Type.Object({
    cdrs: Type.Array(Cdr, { maxItems: 1000 }),
    next: Type.Optional(Type.String({ maxLength: 256 })),
    /** Of the whole selection. */
    calls: Count,
    legs: Count,
  }),
  timeoutMs: 5000,
  askedBy: ['console'],
  answeredBy: 'billing',
})

/** 5-minute sample of wire bytes of one trunk (B12). */
export const UsageSample = Type.Object({
  trunk: Name,
  from: Instant,
  to: Instant,
  bytesIn: Count,
  bytesOut: Count,
  /** Mean of the window, kbit/s, the larger direction. */
  kbits: Type.Number({ minimum: 0 }),
  peakCalls: Type.Optional(Count),
  /** The window was still open when it was asked for. */
  partial: Type.Boolean(),
})
export type UsageSample = Static<typeof UsageSample>

export const UsageSampled = fact({
  subject: 'usage.v1.sampled',
  body: UsageSample,
  toldBy: ['billing'],
  heardBy: ['console'],
})

export const SummariseBilling = request({
  subject: 'billing.v1.summarise',
  question: Type.Object({
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    /** Close the open 5-minute windows as `partial`. */
    closePartial: Type.Optional(Type.Boolean()),
  }),
  answer: Type.Object({
    calls: Count,
    legs: Count,
    answeredLegs: Count,
    minutes: Type.String({ maxLength: 32 }),
    /** By currency. */
    cost: Type.Record(Type.String({ maxLength: 3 }), Decimal),
    price: Type.Record(Type.String({ maxLength: 3 }), Decimal),
    /** The ledger's own sums: they equal `cost`, or something is wrong. */
    ledger: Type.Record(Type.String({ maxLength: 3 }), Decimal),
    byTrunk: Type.Array(
      Type.Object({
        trunk: Name,
        legs: Count,
        minutes: Type.String({ maxLength: 32 }),
        cost: Type.Record(Type.String({ maxLength: 3 }), Decimal),
      }),
      { maxItems: 1000 },
    ),
    samples: Type.Array(UsageSample, { maxItems: 10_000 }),
    deadLetters: Count,
  }),
  timeoutMs: 10_000,
  askedBy: ['console'],
  answeredBy: 'billing',
})

/** The same real CDRs priced several ways (B14). */
export const ShowSavings = request({
  subject: 'billing.v1.savings',
  question: Type.Object({
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    inputs: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Decimal)),
  }),
  answer: Type.Object({
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    ways: Type.Array(Type.Object({ name: Name, monthly: Decimal, explanation: Foreign }), { maxItems: 16 }),
    inputs: Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 64 })),
  }),
  timeoutMs: 10_000,
  askedBy: ['console'],
  answeredBy: 'billing',
})
