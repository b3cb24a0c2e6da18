/** Where a caller is (location.md). Places travel on these subjects only; logs and traces carry `ref`. */
import Type, { type Static } from 'typebox'
import { request } from './contract.ts'
import { Foreign, Instant, Name, Place } from './values.ts'

/** What the device or its network says about where it is plugged in (L8). */
export const WireReport = Type.Object({
  bssid: Type.Optional(Type.String({ maxLength: 64 })),
  chassis: Type.Optional(Type.String({ maxLength: 128 })),
  port: Type.Optional(Type.String({ maxLength: 128 })),
  mac: Type.Optional(Type.String({ maxLength: 64 })),
})
export type WireReport = Static<typeof WireReport>

export const LocateQuestion = Type.Object({
  /** E.164, DID or ELIN: the only thing that the answering agency has. */
  number: Type.Optional(Foreign),
  user: Type.Optional(Name),
  /** Where the INVITE came from; without it the last known source of the user's registration counts. */
  sourceAddress: Type.Optional(Type.String({ maxLength: 64 })),
  wire: Type.Optional(WireReport),
  /** A location that the phone sent itself: PIDF-LO text. */
  pidfLo: Type.Optional(Type.String({ maxLength: 65_536 })),
  purpose: Type.Union([Type.Literal('emergency'), Type.Literal('query')]),
  /** Who reads and why, for the audit (L18); the edge leaves it out for its own call. */
  reader: Type.Optional(Name),
})
export type LocateQuestion = Static<typeof LocateQuestion>

export const LocationSource = Type.Union([
  Type.Literal('bssid'),
  Type.Literal('port'),
  Type.Literal('chassis'),
  Type.Literal('subnet'),
  Type.Literal('mac'),
  Type.Literal('user-confirmed'),
  Type.Literal('os-fix'),
  Type.Literal('pidf-lo'),
  Type.Literal('static'),
  Type.Literal('site'),
])

export const Located = Type.Object({
  kind: Type.Literal('found'),
  place: Place,
  source: LocationSource,
  /** 0–1. */
  confidence: Type.Number({ minimum: 0, maximum: 1 }),
  determinedAt: Instant,
  /** `direct`: straight to the PSAP; `screened`: through the relay centre. */
  routeClass: Type.Union([Type.Literal('direct'), Type.Literal('screened')]),
  user: Type.Optional(Name),
  site: Type.Optional(Name),
  /** E.164 to call back. */
  callback: Type.Optional(Foreign),
})
export type Located = Static<typeof Located>

export const NotLocated = Type.Object({
  kind: Type.Literal('unknown'),
  why: Foreign,
  routeClass: Type.Literal('screened'),
  user: Type.Optional(Name),
  callback: Type.Optional(Foreign),
})

export const LocateAnswer = Type.Union([Located, NotLocated])
export type LocateAnswer = Static<typeof LocateAnswer>

/** Asked by the edge in parallel with routing on an emergency call, and by console for `tandem locate`. */
export const Locate = request({
  subject: 'location.v1.locate',
  question: LocateQuestion,
  answer: LocateAnswer,
  timeoutMs: 1000,
  emergencyTimeoutMs: 300,
  askedBy: ['edge-proxy', 'console'],
  answeredBy: 'location',
})
