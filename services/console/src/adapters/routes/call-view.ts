/** Calls as the API shows them (domain/live-calls.ts), for its description and its readers. */
import { LegMedia, LegRole } from '@tandem/contracts/call.ts'
import { Count, Foreign, Id, Instant, Milliseconds, Name, Party } from '@tandem/contracts/values.ts'
import Type from 'typebox'

const State = Type.Union([Type.Literal('trying'), Type.Literal('ringing'), Type.Literal('up'), Type.Literal('ended')])
/** What is not named here is shown all the same. */
const open = { additionalProperties: true }

const Leg = Type.Object(
  {
    legId: Id,
    role: LegRole,
    party: Party,
    user: Type.Optional(Name),
    /** What its Request-URI carried. */
    sent: Type.Optional(Foreign),
    attempt: Count,
    state: State,
    startedAt: Instant,
    answeredAt: Type.Optional(Instant),
    endedAt: Type.Optional(Instant),
    sipStatus: Type.Optional(Count),
    endedBy: Type.Optional(Type.String()),
    durationMs: Type.Optional(Milliseconds),
    codec: Type.Optional(Name),
    referredBy: Type.Optional(Foreign),
    joined: Type.Optional(Id),
    attestation: Type.Optional(Type.String()),
    verstat: Type.Optional(Type.String()),
    media: Type.Optional(LegMedia),
  },
  open,
)

export const Call = Type.Object(
  {
    callId: Id,
    state: State,
    from: Foreign,
    dialled: Foreign,
    to: Type.Optional(Foreign),
    user: Type.Optional(Name),
    emergency: Type.Boolean(),
    startedAt: Instant,
    answeredAt: Type.Optional(Instant),
    endedAt: Type.Optional(Type.String()),
    durationMs: Type.Optional(Milliseconds),
    legs: Type.Array(Leg),
  },
  open,
)

export const CallPage = Type.Object({ calls: Type.Array(Call), next: Type.Optional(Type.String()) })
