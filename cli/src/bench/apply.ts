/** `tandem bench apply`: large configurations are applied and taken back while people call, and call for help. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApplyAnswer, ApplyOrder } from './apply-driver.ts'
import type { LoadResult, LoadSettings } from './call-load.ts'
import { BENCH_DOMAIN, benchUsers } from './calls-configuration.ts'
import { type CpuReading, readMemory } from './cpu-time.ts'
import { type Driver, startDriver } from './driver-process.ts'
import { writeLargeConfiguration } from './large-configuration.ts'
import { type LoadProcess, startLoad } from './load-process.ts'
import type { TableSize } from './routing-tables.ts'
import { probeHealth, readStops } from './service-health.ts'
import { inLab, type Measuring } from './side-by-side.ts'
import { checkCdrs, startTandem, type TandemSystem } from './tandem-system.ts'

export interface ApplyPlan extends Measuring, TableSize {
  /** ordinary calls a second */
  rate: number
  /** of calls before the first change, and after each of them, s */
  seconds: number
}

/** What happened while one thing was done to the configuration. */
export interface Change {
  name: 'nothing' | 'first' | 'second' | 'rollback'
  /** from POST to in force */
  ms: number
  /** ordinary calls, and calls for help */
  calls: LoadResult
  help: LoadResult
  /** longest that the console took for /healthz, ms */
  healthMs: number
  /** longest that the event loop of each service did something else, ms */
  stops: ReadonlyMap<string, number>
  /** afterwards, bytes, by process */
  pss: CpuReading
  rss: CpuReading
}

export interface ApplyFigures {
  /** of the files of one configuration */
  readMs: number
  changes: Change[]
  wrong: string[]
}

/** A call for help each second. */
const HELP: Pick<LoadSettings, 'rate' | 'dial' | 'even'> = { rate: 1, dial: '911', even: true }
/** A measurement of one change ends before, s. */
const LONGEST_S = 900
const CHANGE_MS = 300_000
const LEAD_MS = 1000
const HELPERS = 10
const MINUTE_MS = 60_000

type Applier = Driver<ApplyOrder, ApplyAnswer>
interface Lane {
  plan: ApplyPlan
  tandem: TandemSystem
  ordinary: LoadProcess
  help: LoadProcess
}

export function measureApply(plan: ApplyPlan): Promise<ApplyFigures> {
  return inLab(plan, async (lab) => {
    const { signal, say } = plan
    const ordinary = lab.keep(await startLoad(benchUsers.slice(HELPERS)))
    const help = lab.keep(await startLoad(benchUsers.slice(0, HELPERS)))
    const carrierPeer = ordinary.carrierPort
    const tandem = lab.keep(await startTandem({ folder: lab.folder, carrierPeer, signal, say, warn: say }))
    const applier: Applier = lab.keep(startDriver(fileURLToPath(new URL('./apply-driver.ts', import.meta.url))))
    const measuring = measure({ plan, tandem, ordinary, help }, applier, lab.folder)
    return await Promise.race([measuring, tandem.up.broken])
  })
}

async function measure(lane: Lane, applier: Applier, folder: string): Promise<ApplyFigures> {
  const { plan, tandem, ordinary, help } = lane
  const { ports, target, password, up } = tandem
  await Promise.all([ordinary, help].map((load) => load.register(target, BENCH_DOMAIN, password)))
  plan.say(`making two configurations of ${plan.numbers} numbers, ${plan.users} users, ${plan.prefixes} prefixes …`)
  const { users, numbers, prefixes, rules } = plan
  const [first, second] = [1, 2].map((edition) => {
    const settings = { ports, secondPeer: help.carrierPort, size: { users, numbers, prefixes, rules }, edition }
    return writeLargeConfiguration(join(folder, `large-${edition}`), settings)
  }) as [string, string]
  await applier.ask({ kind: 'open', address: up.api.address, token: up.secrets.token }, MINUTE_MS)

  const changes: Change[] = []
  const wrong: string[] = []
  const see = async (name: Change['name'], act: () => Promise<ApplyAnswer>): Promise<ApplyAnswer> => {
    const { change, answer } = await during(lane, name, act)
    changes.push(change)
    wrong.push(...faults(change, answer))
    plan.say(describe(change))
    return answer
  }
  await see('nothing', async () => ({ ms: 0, waiting: [] }))
  const { ms: readMs } = await applier.ask({ kind: 'read', file: first }, CHANGE_MS)
  const { revision = 0 } = await see('first', () => applier.ask({ kind: 'apply' }, CHANGE_MS))
  await applier.ask({ kind: 'read', file: second }, CHANGE_MS)
  await see('second', () => applier.ask({ kind: 'apply' }, CHANGE_MS))
  await see('rollback', () => applier.ask({ kind: 'rollback', revision }, CHANGE_MS))
  const answered = changes.reduce((sum, { calls, help }) => sum + calls.answered + help.answered, 0)
  if (wrong.length === 0) wrong.push(...(await checkedCdrs(tandem, answered)))
  return { readMs, changes, wrong }
}

/** Calls from a moment before until `seconds` after `act`. */
async function during(
  { plan, tandem, ordinary, help }: Lane,
  name: Change['name'],
  act: () => Promise<ApplyAnswer>,
): Promise<{ change: Change; answer: ApplyAnswer }> {
  await readStops(tandem.up)
  const call = (load: LoadProcess, settings: Pick<LoadSettings, 'rate'>) => {
    const round = load.run({
      ...{ target: tandem.target, domain: BENCH_DOMAIN, calls: Math.ceil(settings.rate * LONGEST_S) },
      ...settings,
    })
    round.catch(() => {}) // told below, unless `act` fails before
    return round
  }
  const [calls, calledForHelp] = [call(ordinary, { rate: plan.rate }), call(help, HELP)]
  const health = probeHealth(`${tandem.up.api.address}/healthz`)
  try {
    await pause(LEAD_MS)
    const answer = await act()
    plan.signal.throwIfAborted()
    await pause(plan.seconds * 1000)
    await Promise.all([ordinary.enough(), help.enough()])
    const [normal, urgent] = await Promise.all([calls, calledForHelp])
    const [healthMs, stops] = [await health.stop(), await readStops(tandem.up)]
    const [pss, rss] = [readMemory(tandem.roots()), readMemory(tandem.roots(), 'Rss')]
    return { change: { name, ms: answer.ms, calls: normal, help: urgent, healthMs, stops, pss, rss }, answer }
  } finally {
    await health.stop()
  }
}

/** Billing is a moment behind the calls. */
async function checkedCdrs({ up, recorded }: TandemSystem, calls: number): Promise<string[]> {
  for (const until = Date.now() + MINUTE_MS / 2; Date.now() < until && ((await recorded()) ?? 0) < calls; )
    await pause(200)
  return await checkCdrs(up, calls)
}

function faults({ name, calls, help, healthMs }: Change, { waiting }: ApplyAnswer): string[] {
  const unanswered = (what: string, load: LoadResult) =>
    load.answered < load.calls
      ? [`${name}: ${load.answered} of ${load.calls} ${what} were answered: ${whyNot(load)}`]
      : []
  return [
    ...unanswered('calls', calls),
    ...unanswered('calls for help', help),
    ...(help.calls === 0 ? [`${name}: nobody called for help`] : []),
    ...(Number.isFinite(healthMs) ? [] : [`${name}: /healthz of the console failed`]),
    ...(waiting.length > 0
      ? [`${name}: not in force yet in ${waiting.join(', ')} when it was said to be applied`]
      : []),
  ]
}

const whyNot = ({ failed }: LoadResult) =>
  Object.entries(failed)
    .map(([why, n]) => `${n} × ${why}`)
    .join(', ')

export const slowestMs = ({ setupUs }: LoadResult): number => (setupUs.at(-1) ?? Number.NaN) / 1000

function describe({ name, ms, calls, help, healthMs }: Change): string {
  const of = (load: LoadResult) =>
    `${load.answered} of ${load.calls}, slowest ${slowestMs(load).toFixed(0)} ms ${whyNot(load)}`.trimEnd()
  const inForce = name === 'nothing' ? '' : ` in force after ${(ms / 1000).toFixed(1)} s;`
  return `${name}:${inForce} calls answered ${of(calls)}; for help ${of(help)}; health at most ${healthMs.toFixed(0)} ms`
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
