/** The calls of the last days as billing has them, one of each kind: what a new configuration is tried on (routing.md R10). */
import type { Bus } from '@tandem/bus/bus.ts'
import { ListCdrs } from '@tandem/contracts/billing.ts'
import type { SampledCall } from '@tandem/contracts/routing.ts'
import { type CallSample, emptySample, takeCdr } from '../domain/call-sample.ts'

export const sampledDays = 7
/** A call has some three legs; so many pages of 1000 are looked at. */
const mostPages = 5

export type RecentCalls = { readonly calls: readonly SampledCall[]; readonly away?: string }

/** Newest first. Billing that is away is no reason not to plan: `away` says so. */
export async function recentCalls(bus: Bus, now: number): Promise<RecentCalls> {
  const sample: CallSample = emptySample()
  const from = new Date(now - sampledDays * 86_400_000).toISOString()
  let cursor: string | undefined
  for (let page = 0; page < mostPages && !sample.full; page++) {
    const asked = await bus.ask(ListCdrs, { from, limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    if (asked.kind !== 'answer') {
      const why = asked.kind === 'refused' ? `billing refused: ${asked.why}` : 'billing does not answer'
      return { calls: [...sample.calls.values()], away: why }
    }
    for (const cdr of asked.answer.cdrs) takeCdr(sample, cdr)
    cursor = asked.answer.next
    if (cursor === undefined) break
  }
  return { calls: [...sample.calls.values()] }
}
