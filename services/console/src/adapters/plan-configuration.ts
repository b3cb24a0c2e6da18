/** What a configuration would change, in the file and in meaning: nothing is changed by it. */
import { randomUUID } from 'node:crypto'
import type { Bus } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET } from '@tandem/config/revision.ts'
import type { Answer, Question } from '@tandem/contracts/contract.ts'
import { RehearseConfiguration } from '@tandem/contracts/routing.ts'
import { callerOf } from '../domain/call-sample.ts'
import { type Asked, type Candidate, candidateOf } from './candidate.ts'
import { patienceMs } from './config-rollout.ts'
import type { ConfigStore } from './config-store.ts'
import { Problem } from './problem.ts'
import { type RecentCalls, recentCalls, sampledDays } from './recent-calls.ts'

type Rehearsal = Question<typeof RehearseConfiguration>
type Rehearsed = Answer<typeof RehearseConfiguration>
/** Beside the calls of the last days, bytes. */
const inMessage = 3_000_000

export interface MovedRow {
  from: string
  dialled: string
  /** How often in these days, and when last. */
  times: number
  last: string
  before: string
  after: string
}
export interface Planned {
  /** The first thousand; `changed`: how many there are. */
  changes: Candidate['changes']
  changed: number
  warnings: unknown[]
  tests: Answer<typeof RehearseConfiguration>['outcomes']
  /** Calls of the last days decided again: how many kinds were looked at, and those that would go elsewhere. */
  recent: { days: number; compared: number; moved: MovedRow[]; away?: string }
}

export async function planConfiguration(
  bus: Bus,
  store: ConfigStore,
  asked: Asked,
  by: string,
): Promise<{ planned: Planned; candidate: Candidate }> {
  const candidate = await candidateOf(store, asked, by)
  const { changes, changed, warnings, bytes } = candidate
  const recent = store.current() === undefined ? { calls: [] } : await recentCalls(bus, Date.now())
  const answer = await rehearse(bus, bytes, [...recent.calls])
  const planned = { changes, changed, warnings: [...warnings], tests: answer.outcomes, recent: moved(recent, answer) }
  return { planned, candidate }
}

function moved(recent: RecentCalls, { moved: found = [] }: Answer<typeof RehearseConfiguration>): Planned['recent'] {
  const rows = found.flatMap(({ index, before, after }) => {
    const call = recent.calls[index]
    if (call === undefined) return []
    return [{ from: callerOf(call), dialled: call.dialled, times: call.times, last: call.at, before, after }]
  })
  const more = recent.away === undefined ? {} : { away: recent.away }
  return { days: sampledDays, compared: recent.calls.length, moved: rows, ...more }
}

/** What does not fit into a message stands in the bucket as long as it is looked at. */
async function rehearse(bus: Bus, bytes: Uint8Array, calls: NonNullable<Rehearsal['calls']>): Promise<Rehearsed> {
  if (bytes.length <= inMessage)
    return await ask(bus, { revision: Buffer.from(bytes).toString('utf8'), calls }, bytes.length)
  const bucket = await bus.bucket(CONFIG_BUCKET)
  const key = `candidate-${randomUUID()}`
  try {
    await bucket.put(key, bytes)
    return await ask(bus, { revision: '', candidate: key, calls }, bytes.length)
  } finally {
    await bucket.remove(key)
  }
}

/**
 * While no router is there it is asked again a few times: at the very first start it may still be on its way. One that is
 * at work is not asked twice. `size` of the candidate, bytes.
 */
async function ask(bus: Bus, question: Rehearsal, size: number): Promise<Rehearsed> {
  for (let tries = 0; ; tries++) {
    const asked = await bus.ask(RehearseConfiguration, question, { timeoutMs: patienceMs(size) })
    if (asked.kind === 'answer') return asked.answer
    if (asked.kind === 'refused') throw new Problem(502, 'Test cases did not run', `routing refused: ${asked.why}`)
    if (tries === 20 || asked.kind === 'late')
      throw new Problem(
        503,
        'Test cases did not run',
        'routing does not answer, so nothing is applied; look at "tandem status"',
      )
    await new Promise((done) => setTimeout(done, 250))
  }
}
