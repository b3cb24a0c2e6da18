/** What the edge tells of every leg (edge.md E14, billing.md B2–B4). A leg is one SIP dialog of the edge with one peer. */
import Type, { type Static } from 'typebox'
import { fact } from './contract.ts'
import { Count, Decimal, Foreign, Id, Instant, Milliseconds, Mos, Name, Party, Percent } from './values.ts'

export const LegRole = Type.Union([
  Type.Literal('caller'),
  Type.Literal('callee'),
  /** Simultaneous ring or forwarding of a user's call to the mobile of this user. */
  Type.Literal('mobile'),
  Type.Literal('forward'),
])
export type LegRole = Static<typeof LegRole>

/** What every fact of a leg says. */
export const Leg = Type.Object({
  callId: Id,
  legId: Id,
  /** Counts the facts of this leg from 1; (leg, seq) is the message id. */
  seq: Count,
  /** The edge node that owns the leg. */
  edge: Id,
  at: Instant,
  role: LegRole,
  party: Party,
  /** Whose call it is on this side: the calling user, the called user; with role mobile, the user whose mobile it is. */
  user: Type.Optional(Name),
  costCentre: Type.Optional(Name),
  site: Type.Optional(Name),
  /** Caller's number, E.164 where known. */
  from: Foreign,
  /** As dialled. */
  dialled: Foreign,
  /** E.164 after normalisation. */
  to: Type.Optional(Foreign),
  /** What this leg's Request-URI carries, after translation. */
  sent: Type.Optional(Foreign),
  emergency: Type.Boolean(),
  /** 1 for the caller's leg and the first INVITE of a branch, 2 after a failover … */
  attempt: Count,
  sipCallId: Foreign,
  /** Who has sent the call here by a transfer (RFC 3892), `user:alice` or `trunk:itsp-a`: this leg was made for it. */
  referredBy: Type.Optional(Foreign),
  /** SHAKEN (RFC 8588) level that the call came with, proven, or that we gave it. */
  attestation: Type.Optional(Type.Union([Type.Literal('A'), Type.Literal('B'), Type.Literal('C')])),
  /** What the Identity of an incoming call proved: TN-Validation-Passed, TN-Validation-Failed, No-TN-Validation. */
  verstat: Type.Optional(Type.String({ maxLength: 32 })),
  /** The call with which a transfer has joined the one of this leg. */
  joined: Type.Optional(Id),
})
export type Leg = Static<typeof Leg>

const parties = {
  toldBy: ['edge-proxy'],
  heardBy: ['presence', 'console', 'billing', 'location'],
  key: 'legId',
  // 200 calls a second tell some 1,500 facts a second
  gatherMs: 50,
} as const

export const CallStarted = fact({ subject: 'call.v1.started', body: Leg, ...parties })

export const CallRinging = fact({
  subject: 'call.v1.ringing',
  body: Type.Intersect([Leg, Type.Object({ status: Count, earlyMedia: Type.Boolean() })]),
  ...parties,
})

/** An interim fact is due within this time from now, ms; left out: 60,000. */
const NextMs = Type.Optional(Milliseconds)

export const CallAnswered = fact({
  subject: 'call.v1.answered',
  body: Type.Intersect([
    Leg,
    Type.Object({
      nextMs: NextMs,
      /** From INVITE to 200 on this leg. */
      setupMs: Milliseconds,
      codec: Type.Optional(Name),
    }),
  ]),
  ...parties,
})

/** What the far end itself measures of what it hears (RFC 3611 4.7, VoIP metrics), as it said last. */
export const VoipMetrics = Type.Object({
  lossPercent: Type.Optional(Percent),
  /** Came too late for its jitter buffer. */
  discardPercent: Type.Optional(Percent),
  /** Between the two far ends, not the edge. */
  roundTripMs: Type.Optional(Milliseconds),
  endSystemDelayMs: Type.Optional(Milliseconds),
  /** ITU-T G.107, 0 to 100. */
  rFactor: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  /** Listening and conversational quality, 1 to 5. */
  mosLq: Type.Optional(Mos),
  mosCq: Type.Optional(Mos),
})
export type VoipMetrics = Static<typeof VoipMetrics>

/** Packets and bytes as they crossed the wire of one direction, IP and UDP headers counted (28 bytes on IPv4). */
export const MediaCount = Type.Object({
  packets: Count,
  bytes: Count,
  /**
   * Received: gaps in the sequence, counted here (RFC 3550 A.3). Sent: as the far end reports (RFC 3550 6.4.1); it counts
   * from the source on, so what was lost on the way to us is in it.
   */
  lost: Type.Optional(Count),
  /** `lost` of what was expected. */
  lossPercent: Type.Optional(Percent),
  /** Sent: the most that one report of the far end said of the time since the one before. */
  lossPeakPercent: Type.Optional(Percent),
  /** RFC 3550 6.4.1, ms. Received: as it was last; sent: mean of the far end's reports. */
  jitterMs: Type.Optional(Milliseconds),
  /** Mean opinion score of this direction, 1 to 4.5, by `mosModel`; absent where the model knows nothing of the codec. */
  mos: Type.Optional(Mos),
  /** `g107-simplified-cq` with the delay of this leg; `-lq` without, where no round trip is known. */
  mosModel: Type.Optional(Type.String({ maxLength: 32 })),
  /** Sent only. */
  farEnd: Type.Optional(VoipMetrics),
})
export type MediaCount = Static<typeof MediaCount>

/** What cannot be known (audio that goes past the edge, a far end without RTCP) is absent. */
export const LegMedia = Type.Object({
  /** From the peer to us. */
  received: MediaCount,
  /** From us to the peer. */
  sent: MediaCount,
  rtcpReceived: Count,
  rtcpSent: Count,
  /** From the edge to this leg's peer and back (RFC 3550 6.4.1), mean. The way between the two peers is the sum of both legs. */
  roundTripMs: Type.Optional(Milliseconds),
})
export type LegMedia = Static<typeof LegMedia>

/** Every 60 s (`edge.interim`) while the leg is up; three missing ones mean that it is gone (billing.md B5). */
export const CallInterim = fact({
  subject: 'call.v1.interim',
  body: Type.Intersect([
    Leg,
    Type.Object({ nextMs: NextMs, durationMs: Milliseconds, media: Type.Optional(LegMedia) }),
  ]),
  ...parties,
})

/** The final record of a leg: what becomes the CDR. Failed attempts have one too, with durationMs 0. */
export const LegRecord = Type.Intersect([
  Leg,
  Type.Object({
    startedAt: Instant,
    answeredAt: Type.Optional(Instant),
    endedAt: Instant,
    /** Monotonic durations since the INVITE of this leg. */
    tryingMs: Type.Optional(Milliseconds),
    /** Post-dial delay: INVITE to the first 18x or 2xx. */
    ringingMs: Type.Optional(Milliseconds),
    setupMs: Type.Optional(Milliseconds),
    /** Answer to BYE; 0 when not answered. */
    durationMs: Milliseconds,
    endedBy: Type.Union([
      Type.Literal('caller'),
      Type.Literal('callee'),
      /** Limits, timers, shutdown, an operator. */
      Type.Literal('tandem'),
    ]),
    /** Final status of the INVITE (200 when answered; 487 after CANCEL; 408 for silence). */
    sipStatus: Count,
    /** ITU-T Q.850 cause (RFC 3398 8.2.6 mapping, or the peer's own Reason header). */
    q850: Type.Optional(Count),
    reason: Type.Optional(Foreign),
    codec: Type.Optional(Name),
    media: Type.Optional(LegMedia),
    /** True when the end was not seen but concluded (B5). */
    estimated: Type.Boolean(),
    /**
     * How often another edge went on with the call after its own was lost: `media` lacks what passed between the last
     * proof of it and the loss, a minute at most each time.
     */
    takeovers: Type.Optional(Count),
  }),
])
export type LegRecord = Static<typeof LegRecord>

export const CallEnded = fact({
  subject: 'call.v1.ended',
  body: LegRecord,
  ...parties,
  // billing concludes the end of a leg that no edge speaks of any more (billing.md B5)
  toldBy: ['edge-proxy', 'billing'],
  // routing judges trunks by it
  heardBy: [...parties.heardBy, 'routing'],
})

/**
 * A late truth about a leg: its subject of ended records was taken already. It counts where the record that is there was
 * estimated, and is nothing new otherwise.
 */
export const CallCorrected = fact({
  subject: 'call.v1.corrected',
  body: LegRecord,
  ...parties,
  heardBy: ['billing', 'presence'],
})

/** A failover: this attempt is over and the walk goes on. The attempt's own record follows as `ended`. */
export const CallAttemptFailed = fact({
  subject: 'call.v1.attempt-failed',
  body: Type.Intersect([Leg, Type.Object({ sipStatus: Count, why: Foreign, next: Type.Optional(Name) })]),
  ...parties,
})

/** One SIP message as it crossed a socket, for the ladder. Credentials are blanked, locations left out. */
export const CapturedMessage = Type.Object({
  callId: Id,
  legId: Id,
  at: Instant,
  /** µs since the call's first message, monotonic. */
  offsetUs: Type.Number({ minimum: 0 }),
  direction: Type.Union([Type.Literal('received'), Type.Literal('sent')]),
  /** user:alice, trunk:itsp-a or an address. */
  peer: Foreign,
  transport: Type.String({ maxLength: 8 }),
  local: Type.String({ maxLength: 128 }),
  remote: Type.String({ maxLength: 128 }),
  text: Type.String({ maxLength: 16_384 }),
})
export type CapturedMessage = Static<typeof CapturedMessage>

/** Gathered over all calls of an edge for some 100 ms: one message on the bus for many on the wire. */
export const SipCaptured = fact({
  subject: 'sip.v1.captured',
  body: Type.Object({ edge: Id, messages: Type.Array(CapturedMessage, { maxItems: 2000 }) }),
  // of which calls
  about: ({ messages }) => [...new Set(messages.map((m) => m.callId))],
  toldBy: ['edge-proxy'],
  heardBy: ['console'],
})

/** Priced in billing; here only because the CDR carries it on. */
export const Price = Type.Object({ amount: Decimal, currency: Type.String({ pattern: '^[A-Z]{3}$' }) })
