/** One call of each kind: who dialled what. A thousand of them say more than the same call a thousand times. */
import type { Cdr } from '@tandem/contracts/billing.ts'
import type { SampledCall } from '@tandem/contracts/routing.ts'

/** The contract's bound for one rehearsal. */
const most = 1000

export interface CallSample {
  readonly calls: Map<string, SampledCall>
  full: boolean
}

export function emptySample(): CallSample {
  return { calls: new Map(), full: false }
}

/** Only the leg of the caller says what was dialled; the newest of each kind gives the time. */
export function takeCdr(sample: CallSample, cdr: Pick<Cdr, 'role' | 'party' | 'from' | 'dialled' | 'startedAt'>): void {
  if (cdr.role !== 'caller') return
  const source = sourceOf(cdr.party)
  const key = JSON.stringify([source, cdr.from, cdr.dialled])
  const known = sample.calls.get(key)
  if (known !== undefined) known.times++
  else if (sample.calls.size < most) {
    sample.calls.set(key, { source, number: cdr.from, dialled: cdr.dialled, at: cdr.startedAt, times: 1 })
  } else sample.full = true
}

function sourceOf(party: Cdr['party']): SampledCall['source'] {
  if (party.kind === 'user') return { kind: 'user', user: party.user }
  return party.kind === 'trunk' ? { kind: 'trunk', trunk: party.trunk } : { kind: 'unknown' }
}

/** Whom a person would name as the caller. */
export function callerOf({ source, number }: SampledCall): string {
  if (source.kind === 'user') return source.user
  return source.kind === 'trunk' ? `${number || 'anonymous'} (${source.trunk})` : number || 'unknown device'
}
