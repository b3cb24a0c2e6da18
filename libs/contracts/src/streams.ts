/**
 * The JetStream streams and buckets of the platform, made by console at its start.
 *
 * A stream lists exact fact subjects, never `<domain>.v1.>`: one that catches an ask would answer it with a PubAck.
 * Retention is always `limits`; work-queue and interest forget after the ack (billing.md B2).
 */

import { BillingRated, BillingStored, UsageSampled } from './billing.ts'
import {
  CallAnswered,
  CallAttemptFailed,
  CallCorrected,
  CallEnded,
  CallInterim,
  CallRinging,
  CallStarted,
  SipCaptured,
} from './call.ts'
import { ConfigApplied } from './config.ts'
import { type FactContract, subjectPattern } from './contract.ts'
import { EmergencyAttempted, EmergencyEnded, EmergencyNotified, EmergencyStarted } from './emergency.ts'
import { BINDINGS_BUCKET } from './held-binding.ts'
import { CALLS_BUCKET } from './held-call.ts'
import { PresenceChanged } from './presence.ts'
import { RegistrationBound, RegistrationRemoved, TrunkChanged, TrunkJudged } from './registration.ts'
import { SecurityCredentialChanged, SecurityRefused } from './security.ts'

const hour = 3_600_000
const day = 24 * hour
const MiB = 1024 * 1024

export interface StreamPlan {
  readonly name: string
  readonly facts: readonly FactContract[]
  readonly maxAgeMs: number
  readonly maxBytes: number
  /** At most one message per subject, a second one is refused: a final record cannot be overwritten or doubled. */
  readonly onePerSubject?: boolean
}

export const streams: readonly StreamPlan[] = [
  { name: 'CALL_ENDED', facts: [CallEnded], maxAgeMs: 7 * day, maxBytes: 8192 * MiB, onePerSubject: true },
  { name: 'CALL_CORRECTED', facts: [CallCorrected], maxAgeMs: 7 * day, maxBytes: 512 * MiB },
  {
    name: 'CALL_PROGRESS',
    facts: [CallStarted, CallRinging, CallAnswered, CallInterim, CallAttemptFailed],
    maxAgeMs: day,
    maxBytes: 2048 * MiB,
  },
  { name: 'SIP_TRACE', facts: [SipCaptured], maxAgeMs: hour, maxBytes: 512 * MiB },
  {
    name: 'REGISTRATION',
    facts: [RegistrationBound, RegistrationRemoved, TrunkChanged, TrunkJudged],
    maxAgeMs: day,
    maxBytes: 256 * MiB,
  },
  { name: 'PRESENCE', facts: [PresenceChanged], maxAgeMs: day, maxBytes: 256 * MiB },
  {
    name: 'EMERGENCY',
    facts: [EmergencyStarted, EmergencyAttempted, EmergencyNotified, EmergencyEnded],
    maxAgeMs: 400 * day,
    maxBytes: 1024 * MiB,
  },
  { name: 'BILLING', facts: [BillingStored, BillingRated, UsageSampled], maxAgeMs: day, maxBytes: 1024 * MiB },
  {
    name: 'PLATFORM',
    facts: [ConfigApplied, SecurityRefused, SecurityCredentialChanged],
    maxAgeMs: 30 * day,
    maxBytes: 256 * MiB,
  },
]

/** Subjects of a stream as JetStream wants them. */
export function streamSubjects(plan: StreamPlan): string[] {
  return plan.facts.map(subjectPattern)
}

export interface BucketPlan {
  readonly name: string
  /** Revisions kept per key. */
  readonly history: number
  readonly maxBytes: number
  readonly writtenBy: readonly string[]
  /** Left out: every service. */
  readonly readBy?: readonly string[]
  /** Values that nobody wrote again for so long are forgotten. */
  readonly maxAgeMs?: number
}

/** `allow_direct: false` is set on every bucket: a direct read after a write was stale on a cluster. */
export const buckets: readonly BucketPlan[] = [
  { name: 'config', history: 1, maxBytes: 512 * MiB, writtenBy: ['console'] },
  // `lease.<trunk>`: the edge that probes it; `drain.<trunk>`: an operator takes it out of service
  { name: 'trunk', history: 1, maxBytes: 16 * MiB, writtenBy: ['edge-proxy', 'console'] },
  // who holds how many places of which trunk or link; and a beat of every edge
  { name: 'admission', history: 1, maxBytes: 64 * MiB, writtenBy: ['edge-proxy'] },
  // each call that is up, written again every minute: what is older than a day belongs to nobody
  {
    name: CALLS_BUCKET,
    history: 1,
    maxBytes: 1024 * MiB,
    writtenBy: ['edge-proxy'],
    // descriptions may hold the keys of the media
    readBy: ['edge-proxy'],
    maxAgeMs: day,
  },
  // written again at each REGISTER, and taken away with the binding
  {
    name: BINDINGS_BUCKET,
    history: 1,
    maxBytes: 512 * MiB,
    writtenBy: ['edge-proxy'],
    readBy: ['edge-proxy'],
    maxAgeMs: 7 * day,
  },
]
