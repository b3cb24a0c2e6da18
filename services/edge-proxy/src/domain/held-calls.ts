/** What a call that is up tells its keeper, so that another edge can go on with it (adapters/call-store.ts). */
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
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
  /**
   * False for a moment after this edge has slept: another one may have the call. Nothing is sent in it then, and what comes
   * in waits by `whenOurs`.
   */
  ours(callId: string): boolean
  whenOurs(callId: string, transaction: ServerTransaction): void
  /** The user part of our Contact in dialogs of this call. */
  keyOf(callId: string): string
}
