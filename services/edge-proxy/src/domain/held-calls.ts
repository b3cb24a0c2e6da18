/** What a call that is up tells its keeper, so that another edge can go on with it (adapters/call-store.ts). */
import type { CallFacts } from './call-facts.ts'
import type { CallLeg } from './call-leg.ts'

export interface HeldSession {
  readonly facts: CallFacts
  readonly legs: readonly CallLeg[]
  /** How often another edge has taken it over. */
  readonly takeovers: number
  /** Another edge has it now. */
  abandon(): void
}

/** None of these waits for anything. */
export interface HeldCalls {
  up(session: HeldSession): void
  changed(callId: string): void
  over(callId: string): void
  /** The user part of our Contact in dialogs of this call. */
  keyOf(callId: string): string
}
