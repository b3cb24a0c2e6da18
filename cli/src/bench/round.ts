/** One round: calls at a rate through one system, until each has its CDR, and what that cost. */
import { type CpuReading, readCpu, spent, total } from './cpu-time.ts'
import type { LoadProcess } from './load-process.ts'
import type { System } from './system.ts'

export interface Round {
  rate: number
  calls: number
  answered: number
  failed: Record<string, number>
  retransmissions: number
  /** answered calls whose CDR did not come */
  missing: number
  setupP50Us: number
  setupP99Us: number
  /** CPU of all processes, µs a call, and by process */
  cpuUs: number
  cpuByPartUs: ReadonlyMap<string, number>
}

const RECORDS_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 100
/** What a system does after the last CDR belongs to the calls as well: acknowledgements, state that is let go. */
const SETTLE_MS = 300

export async function playRound(
  load: LoadProcess,
  system: System,
  domain: string,
  plan: { rate: number; calls: number },
) {
  const recordedBefore = (await system.recorded()) ?? 0
  const before = readCpu(system.roots())
  const result = await load.run({ target: system.target, domain, ...plan })
  const missing = await untilRecorded(system, recordedBefore + result.answered)
  await pause(SETTLE_MS)
  const cost = spent(before, readCpu(system.roots()))
  const each = Math.max(1, result.answered)
  const round: Round = {
    ...plan,
    answered: result.answered,
    failed: result.failed,
    retransmissions: result.retransmissions,
    missing,
    setupP50Us: quantile(result.setupUs, 0.5),
    setupP99Us: quantile(result.setupUs, 0.99),
    cpuUs: total(cost) / each,
    cpuByPartUs: new Map([...cost].map(([name, us]) => [name, us / each])),
  }
  return round
}

/** Gives how many are missing when the time is up: 0 when all came. */
async function untilRecorded(system: System, wanted: number): Promise<number> {
  const until = performance.now() + RECORDS_WITHIN_MS
  for (;;) {
    const recorded = await system.recorded()
    if (recorded !== undefined && recorded >= wanted) return 0
    if (performance.now() > until) return wanted - (recorded ?? 0)
    await pause(LOOK_EVERY_MS)
  }
}

/** CPU that each system takes when nobody calls, in % of a core, by process. */
export async function idleShare(systems: readonly System[], ms: number): Promise<CpuReading[]> {
  const before = systems.map((system) => readCpu(system.roots()))
  const began = performance.now()
  await pause(ms)
  const took = (performance.now() - began) * 1000
  return systems.map((system, i) => {
    const used = spent(before[i] as CpuReading, readCpu(system.roots()))
    return new Map([...used].map(([name, us]) => [name, (100 * us) / took]))
  })
}

/** Of ascending values. */
export function quantile(values: ArrayLike<number>, share: number): number {
  return values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
