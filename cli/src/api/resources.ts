/** The resources of the API as the commands read them; fields of the bus contracts keep their types. */
import type { Problem } from '@tandem/config/source.ts'
import type { Cdr } from '@tandem/contracts/billing.ts'
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { ConfigFollower } from '@tandem/contracts/config.ts'
import type { PresenceState } from '@tandem/contracts/presence.ts'
import type { Binding, JudgedTrunk, TrunkState } from '@tandem/contracts/registration.ts'

export interface Planned {
  changes: { path: string; kind: 'added' | 'removed' | 'changed'; before?: string; after?: string }[]
  /** how many there are, of which the first thousand are listed */
  changed?: number
  warnings: Problem[]
  tests: { index: number; passed: boolean; detail: string; before?: string; after?: string }[]
  /** Calls of the last days decided again by both configurations. */
  recent: {
    days: number
    compared: number
    moved: { from: string; dialled: string; times: number; last: string; before: string; after: string }[]
    away?: string
  }
}
/** A change that was made: in which instances it is in force, and which have not said so. */
export interface Changed {
  applied: boolean
  revision: number
  inForce?: ConfigFollower[]
  waiting?: ConfigFollower[]
}
export type Applied = Planned & Changed
export interface HistoryPage {
  running?: number
  revisions: { revision: number; by: string; at: string; why: string }[]
  next?: string
}
export interface CurrentConfiguration {
  revision: number
  by: string
  at: string
  why: string
  source: { path: string; text: string }[]
  history: { revision: number; by: string; at: string; why: string }[]
}

export type LegState = 'trying' | 'ringing' | 'up' | 'ended'
export interface LegView {
  legId: string
  role: string
  party: Cdr['party']
  user?: string
  sent?: string
  attempt: number
  state: LegState
  startedAt: string
  answeredAt?: string
  sipStatus?: number
  durationMs?: number
  codec?: string
  referredBy?: string
  joined?: string
  attestation?: 'A' | 'B' | 'C'
  verstat?: string
  media?: LegMedia
}
export interface CallView {
  callId: string
  state: LegState
  from: string
  dialled: string
  to?: string
  user?: string
  emergency: boolean
  startedAt: string
  answeredAt?: string
  endedAt?: string
  durationMs?: number
  legs: LegView[]
}
export interface CallPage {
  calls: CallView[]
  next?: string
}
export interface CdrPage {
  cdrs: Cdr[]
  next?: string
  calls: number
  legs: number
}
export interface TrunkView {
  name: string
  to: string[]
  from: string[]
  emergency: boolean
  limits: { calls: number | null; callsPerSecond: number | null; bandwidthKbps: number | null }
  /** of trunks that are judged by quality */
  quality?: JudgedTrunk
  state: Partial<TrunkState> & { health: string }
}
export interface UserView {
  name: string
  did: string | null
  registrations: Binding[]
}
export interface PresenceList {
  states: PresenceState[]
}
