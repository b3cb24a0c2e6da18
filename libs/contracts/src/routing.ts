/** What the edge asks about a new call, and everything that may be answered (routing.md). */
import Type, { type Static } from 'typebox'
import { request } from './contract.ts'
import { JudgedTrunk } from './registration.ts'
import { Count, Foreign, Id, Instant, Milliseconds, Name, Uri } from './values.ts'

/** Who asks for the call. The edge has proven it (digest, registration, trunk address): no header is trusted here. */
export const CallSource = Type.Union([
  Type.Object({ kind: Type.Literal('user'), user: Name, site: Type.Optional(Name) }),
  Type.Object({ kind: Type.Literal('trunk'), trunk: Name }),
  /** Unregistered device: emergency calls only (location.md L7). */
  Type.Object({ kind: Type.Literal('unknown'), site: Type.Optional(Name) }),
])
export type CallSource = Static<typeof CallSource>

export const RouteQuestion = Type.Object({
  callId: Id,
  source: CallSource,
  sourceAddress: Type.String({ maxLength: 64 }),
  /** User part of the Request-URI, unescaped: what was dialled. */
  dialled: Foreign,
  requestUri: Uri,
  toUri: Type.Optional(Uri),
  calledPartyId: Type.Optional(Uri),
  from: Type.Object({ display: Type.Optional(Foreign), number: Foreign }),
  /** From P-Asserted-Identity, only when the peer is trusted to assert it. */
  assertedIdentity: Type.Optional(Uri),
  privacy: Type.Optional(Type.Boolean()),
  at: Instant,
  maxForwards: Type.Optional(Count),
  /** Set when this is a forwarded or transferred call: whose `forward` usages authorise it. */
  onBehalfOf: Type.Optional(Name),
  /** Set when a carrier has redirected the call: `dialled` is written as numbers are on this trunk. */
  redirectedBy: Type.Optional(Name),
  /** Values of Diversion (RFC 5806) that the call came with, the last diversion first; History-Info read as such (RFC 7544). */
  diversions: Type.Optional(Type.Array(Foreign, { maxItems: 16 })),
  /** The configuration revision that the asker works by: it is answered by that one, where the router still has it. */
  revision: Type.Optional(Count),
})
export type RouteQuestion = Static<typeof RouteQuestion>

/** One INVITE to one trunk. */
export const TrunkAttempt = Type.Object({
  kind: Type.Literal('trunk'),
  trunk: Name,
  route: Type.Optional(Name),
  /** Request-URI user, already translated for this trunk. */
  called: Foreign,
  /** Calling number as this trunk wants to see it. */
  calling: Foreign,
  displayName: Type.Optional(Foreign),
  /** No response at all within this: CANCEL and next (R4: 4 s, emergency 2 s). */
  noResponseMs: Milliseconds,
  /** Nothing but 100 within this: CANCEL and next (R4: 10 s, emergency 5 s). */
  onlyTryingMs: Milliseconds,
  /** Final statuses after which the next attempt follows; any other final status ends the walk. */
  retry: Type.Array(Type.Integer({ minimum: 300, maximum: 699 }), { maxItems: 100 }),
  headers: Type.Optional(Type.Array(Type.Tuple([Type.String({ maxLength: 64 }), Foreign]), { maxItems: 32 })),
})
export type TrunkAttempt = Static<typeof TrunkAttempt>

/** All registered contacts of a user, at once. */
export const UserAttempt = Type.Object({
  kind: Type.Literal('user'),
  user: Name,
  /** Ring at most this long. */
  ringMs: Milliseconds,
  headers: Type.Optional(Type.Array(Type.Tuple([Type.String({ maxLength: 64 }), Foreign]), { maxItems: 32 })),
})
export type UserAttempt = Static<typeof UserAttempt>

export const Attempt = Type.Union([TrunkAttempt, UserAttempt])
export type Attempt = Static<typeof Attempt>

/** Why nobody answered: somebody said busy or declined; somebody's phone rang; nobody's did. */
export const NoAnswerCause = Type.Union([Type.Literal('busy'), Type.Literal('no-answer'), Type.Literal('unreachable')])
export type NoAnswerCause = Static<typeof NoAnswerCause>

/** The branches of one stage ring in parallel; the attempts of one branch follow each other. */
export const Branch = Type.Object({
  role: Type.Union([Type.Literal('callee'), Type.Literal('mobile'), Type.Literal('forward')]),
  /** After the beginning of its stage; of a branch that follows: after that of the stage before, if it still rings. */
  delayMs: Milliseconds,
  /** The call begins with stage 0, which is also meant when none is said. */
  stage: Type.Optional(Count),
  /** It begins (with all of its stage) when that stage ends in one of these ways. */
  follows: Type.Optional(Type.Object({ stage: Count, on: Type.Array(NoAnswerCause, { minItems: 1, maxItems: 3 }) })),
  attempts: Type.Array(Attempt, { minItems: 1, maxItems: 64 }),
})
export type Branch = Static<typeof Branch>

/** Whose call it is, for facts, presence and billing. */
export const CallIdentity = Type.Object({
  user: Type.Optional(Name),
  /** E.164 of this side, if it has one. */
  number: Type.Optional(Foreign),
  display: Type.Optional(Foreign),
  site: Type.Optional(Name),
  costCentre: Type.Optional(Name),
})
export type CallIdentity = Static<typeof CallIdentity>

export const RoutePlan = Type.Object({
  kind: Type.Literal('route'),
  /** Configuration revision that decided. */
  revision: Count,
  emergency: Type.Boolean(),
  /** 933 and the like: same path, test call (location.md L17). */
  emergencyTest: Type.Optional(Type.Boolean()),
  dialled: Foreign,
  /** E.164, or undefined (emergency and internal numbers without DID). */
  normalised: Type.Optional(Foreign),
  rule: Type.Optional(Name),
  usage: Type.Optional(Name),
  caller: CallIdentity,
  callee: CallIdentity,
  branches: Type.Array(Branch, { minItems: 1, maxItems: 16 }),
})
export type RoutePlan = Static<typeof RoutePlan>

export const RouteReject = Type.Object({
  kind: Type.Literal('reject'),
  revision: Count,
  status: Type.Integer({ minimum: 400, maximum: 699 }),
  /** A sentence that a person understands: goes into the Warning header, the log and `explain`. */
  reason: Foreign,
  normalised: Type.Optional(Foreign),
  caller: Type.Optional(CallIdentity),
})
export type RouteReject = Static<typeof RouteReject>

export const RouteDecision = Type.Union([RoutePlan, RouteReject])
export type RouteDecision = Static<typeof RouteDecision>

/** Asked by edge-proxy once per initial INVITE; answered by routing (queue group) from memory. */
export const ResolveRoute = request({
  subject: 'routing.v1.resolve',
  question: RouteQuestion,
  answer: RouteDecision,
  timeoutMs: 800,
  emergencyTimeoutMs: 300,
  askedBy: ['edge-proxy'],
  answeredBy: 'routing',
})

export const ExplainQuestion = Type.Object({
  /** User name, trunk name or number. */
  from: Foreign,
  dialled: Foreign,
  at: Type.Optional(Instant),
})
export type ExplainQuestion = Static<typeof ExplainQuestion>

export const ExplainStep = Type.Object({
  stage: Type.Union([
    Type.Literal('source'),
    Type.Literal('emergency'),
    Type.Literal('normalisation'),
    Type.Literal('destination'),
    Type.Literal('authorisation'),
    Type.Literal('selection'),
    Type.Literal('translation'),
  ]),
  /** The rule, usage, route or trunk looked at. */
  item: Foreign,
  outcome: Type.Union([
    Type.Literal('matched'),
    Type.Literal('no-match'),
    Type.Literal('skipped'),
    Type.Literal('note'),
  ]),
  /** Why, in words; what came out. */
  detail: Foreign,
})
export type ExplainStep = Static<typeof ExplainStep>

/** One place of the plan with what is known about it: where the call would be tried, and what would be sent there. */
export const ExplainPlace = Type.Object({
  /** Branches ring in parallel; the places of one branch follow each other. From 0. */
  branch: Count,
  role: Type.Union([Type.Literal('callee'), Type.Literal('mobile'), Type.Literal('forward')]),
  delayMs: Milliseconds,
  /** It begins when the branches before end in this way. */
  on: Type.Optional(Type.Array(NoAnswerCause, { maxItems: 3 })),
  trunk: Type.Optional(Name),
  user: Type.Optional(Name),
  route: Type.Optional(Name),
  usage: Type.Optional(Name),
  health: Type.Optional(
    Type.Union([
      Type.Literal('up'),
      Type.Literal('probing'),
      Type.Literal('down'),
      Type.Literal('drain'),
      Type.Literal('unknown'),
    ]),
  ),
  /** Of trunks that are judged by quality. */
  quality: Type.Optional(JudgedTrunk),
  /** Of trunks with limits: what they carry as far as it is told, and what they may. Emergency calls are not counted. */
  admission: Type.Optional(
    Type.Object({
      calls: Type.Optional(Count),
      maxCalls: Type.Optional(Count),
      maxCallsPerSecond: Type.Optional(Type.Number({ minimum: 0 })),
      maxKbps: Type.Optional(Type.Number({ minimum: 0 })),
      /** The calls are as many as there may be: the next place is tried. */
      full: Type.Boolean(),
    }),
  ),
  /** Price of a further minute by the trunk's rate deck, decimal text; none for bandwidth, or when no row fits. */
  cost: Type.Optional(Type.Object({ deck: Name, currency: Type.Optional(Foreign), perMinute: Type.Optional(Foreign) })),
  called: Type.Optional(Foreign),
  calling: Type.Optional(Foreign),
  /** From and what the router adds, as they would stand in the INVITE. */
  headers: Type.Optional(Type.Array(Type.Tuple([Type.String({ maxLength: 64 }), Foreign]), { maxItems: 32 })),
})
export type ExplainPlace = Static<typeof ExplainPlace>

export const Explanation = Type.Object({
  steps: Type.Array(ExplainStep, { maxItems: 5000 }),
  decision: RouteDecision,
  /** Time that was asked about, and the same in the enterprise's time zone. */
  at: Type.Optional(Instant),
  localTime: Type.Optional(Foreign),
  emergency: Type.Optional(Type.Boolean()),
  places: Type.Optional(Type.Array(ExplainPlace, { maxItems: 1024 })),
})
export type Explanation = Static<typeof Explanation>

/** Asked by console for `tandem explain` and the what-if page. */
export const ExplainRoute = request({
  subject: 'routing.v1.explain',
  question: ExplainQuestion,
  answer: Explanation,
  timeoutMs: 2000,
  askedBy: ['console'],
  answeredBy: 'routing',
})

export const TestOutcome = Type.Object({
  index: Count,
  passed: Type.Boolean(),
  /** What was expected and what came instead, in words. */
  detail: Foreign,
  /** What becomes of the call by the running configuration, and by the one that is rehearsed. */
  before: Type.Optional(Foreign),
  after: Type.Optional(Foreign),
})

/** A call of the last days, to be decided again. */
export const SampledCall = Type.Object({
  source: CallSource,
  /** Calling number as it was. */
  number: Foreign,
  dialled: Foreign,
  /** When it was last dialled. */
  at: Instant,
  /** How often. */
  times: Count,
})
export type SampledCall = Static<typeof SampledCall>

/** A sampled call that would go elsewhere. */
export const MovedCall = Type.Object({ index: Count, before: Foreign, after: Foreign })
export type MovedCall = Static<typeof MovedCall>

/** Runs the stored test cases of a configuration that is not applied yet, and recent calls by it and the running one (R10). */
export const RehearseConfiguration = request({
  subject: 'routing.v1.rehearse',
  question: Type.Object({
    revision: Type.String({ maxLength: 4_000_000 }),
    /** Key in bucket `config` where it stands, when it is too large for a message; `revision` is empty then. */
    candidate: Type.Optional(Id),
    calls: Type.Optional(Type.Array(SampledCall, { maxItems: 1000 })),
  }),
  answer: Type.Object({
    outcomes: Type.Array(TestOutcome, { maxItems: 10_000 }),
    /** Which of `calls` would go elsewhere; left out when there is no running configuration to compare with. */
    moved: Type.Optional(Type.Array(MovedCall, { maxItems: 1000 })),
  }),
  timeoutMs: 10_000,
  askedBy: ['console'],
  answeredBy: 'routing',
})
