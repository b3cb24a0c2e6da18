import type { ExplainStep, TrunkAttempt } from '@tandem/contracts/routing.ts'
import type { NumberFacts } from './number-facts.ts'
import type { Pick } from './select-trunks.ts'

/** Hears of everything that was looked at; only `explain` listens, and nothing is worded when nobody does. */
export type Note = (stage: ExplainStep['stage'], item: string, outcome: ExplainStep['outcome'], detail: string) => void

/** A trunk that was demoted: why, and the share of calls (0 to 1) that tries it in its ordinary place all the same. */
export type Poor = { readonly why: string; readonly probe: number }

/** What a decision depends on beside the question and the table. */
export type Circumstances = {
  /** Epoch ms. */
  readonly now: number
  /** Trunks that do not answer or are drained: tried last, never left out. */
  readonly down: ReadonlySet<string>
  /** Trunks of bad quality: tried after the good ones and before those that are down. */
  readonly poor: ReadonlyMap<string, Poor>
  readonly note: Note | undefined
  /** What is known of numbers that are not ours. */
  readonly facts?: NumberFacts | undefined
  /** Hears which route and usage an attempt stands on; only `explain` listens. */
  readonly placed?: ((attempt: TrunkAttempt, pick: Pick, number: string) => void) | undefined
}

/** What strangers sent is shown, but not at length. */
export const brief = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text)
