/** `tandem bench held`: what calls that are up take, through a Tandem of its own and through Kamailio. */
import { Failure } from '../failure.ts'
import { BENCH_DOMAIN } from './calls-configuration.ts'
import { type CpuReading, readMemory, total } from './cpu-time.ts'
import { type Figure, figure, machine } from './figures.ts'
import { startKamailio } from './kamailio-system.ts'
import { idleShare, playRound } from './round.ts'
import { type Measuring, type Sides, sideBySide } from './side-by-side.ts'
import type { System } from './system.ts'
import { checkCdrs } from './tandem-system.ts'

export interface HeldPlan extends Measuring {
  /** at a time */
  calls: number
  /** calls a second */
  rate: number
  /** s */
  hold: number
  peer: boolean
}

/** Memory in bytes, CPU in % of a core, by process. */
interface Held {
  name: string
  before: CpuReading
  up: CpuReading
  after: CpuReading
  idle: CpuReading
  cpu: CpuReading
}

export interface HeldFigures {
  tandem: Held
  peer: Held | null
  noPeer: string | null
  wrong: string[]
}

/** A system has settled this long after its last call came up, ms. */
const SETTLE_MS = 2000
const CPU_MS = 4000
/** Between the measurement and the first call that ends, ms. */
const SPARE_MS = 1000
/** s; calls-configuration.ts lets calls be silent for longer. */
const MOST_HOLD = 250
/** RFC 3261 17: transactions are let go within 32 s of a call's end. */
const TRANSACTIONS_MS = 33_000
/** Four each, and what the relay keeps for calls for help (2 %). */
const PORTS_PER_CALL = 4.2

export function measureHeld(plan: HeldPlan): Promise<HeldFigures> {
  const least = Math.ceil((upAfterMs(plan) + CPU_MS + SPARE_MS) / 1000)
  if (plan.hold < least || plan.hold > MOST_HOLD)
    throw new Failure(
      `calls of ${plan.hold} s cannot be measured`,
      `Write --hold ${least} to ${MOST_HOLD}: all are up together then, and none is hung up for its silence.`,
    )
  const mediaPorts = Math.max(4000, Math.ceil(PORTS_PER_CALL * plan.calls) + 200)
  return sideBySide(
    { ...plan, mediaPorts },
    (found, { folder }, { load }) => startKamailio(found, folder, load.carrierPort),
    (sides) => measure(plan, sides),
  )
}

/** From the first call to where all are up and the system has settled, ms. */
const upAfterMs = ({ calls, rate }: Pick<HeldPlan, 'calls' | 'rate'>) => (1000 * calls) / rate + SETTLE_MS

/** As late as the calls allow: what lingers of their beginning is over by then when they are held for long. */
const measuredAfterMs = (plan: Pick<HeldPlan, 'calls' | 'rate' | 'hold'>) =>
  Math.max(upAfterMs(plan), plan.hold * 1000 - CPU_MS - SPARE_MS)

async function measure(plan: HeldPlan, { load, tandem, peer, noPeer }: Sides): Promise<HeldFigures> {
  await load.register(tandem.target, BENCH_DOMAIN, tandem.password)
  const wrong: string[] = []
  const { calls, rate } = plan
  const few = Math.max(1, Math.round(calls / 10))
  const one = async (system: System): Promise<Held> => {
    // code is compiled, tables are read, pools have their size
    const warmUp = await playRound(load, system, BENCH_DOMAIN, { rate, calls: few })
    await pause(SETTLE_MS)
    const before = readMemory(system.roots())
    const [idle] = await idleShare([system], CPU_MS)
    const running = load.run({ target: system.target, domain: BENCH_DOMAIN, rate, calls, holdMs: plan.hold * 1000 })
    await pause(measuredAfterMs(plan))
    const up = readMemory(system.roots())
    const [cpu] = await idleShare([system], CPU_MS)
    const round = await running
    const failed = Object.entries(round.failed).map(([why, n]) => `${n} × ${why}`)
    if (round.answered < calls)
      wrong.push(`${system.name}: ${round.answered} of ${calls} calls were answered: ${failed}`)
    if (warmUp.answered < few) wrong.push(`${system.name}: ${warmUp.answered} of the first ${few} calls were answered`)
    await pause(Math.min(TRANSACTIONS_MS, calls * 50))
    const after = readMemory(system.roots())
    plan.say(`${system.name}: ${kilobytes({ before, up }, calls).toFixed(1)} kB a call`)
    return { name: system.name, before, up, after, idle: idle ?? new Map(), cpu: cpu ?? new Map() }
  }
  const own = await one(tandem)
  const other = peer ? await one(peer) : null
  if (wrong.length === 0) wrong.push(...(await checkCdrs(tandem.up, calls + few)))
  return { tandem: own, peer: other, noPeer, wrong }
}

const kilobytes = ({ before, up }: Pick<Held, 'before' | 'up'>, calls: number) =>
  (total(up) - total(before)) / 1024 / calls
const edge = (reading: CpuReading) => reading.get('edge-proxy') ?? Number.NaN

export function heldFigures({ tandem, peer }: HeldFigures, { calls }: Pick<HeldPlan, 'calls'>): Figure[] {
  const pair = (name: string, unit: string, of: (held: Held) => number) =>
    figure(`held: ${name}`, unit, 1, of(tandem), peer ? of(peer) : null)
  const alone = (name: string, unit: string, value: number) => figure(`held: ${name}`, unit, 1, value, null)
  const MiB = 2 ** 20
  return [
    pair(`memory of all processes per call, ${calls} are up`, 'kB', (h) => kilobytes(h, calls)),
    alone('memory of the edge per call', 'kB', (edge(tandem.up) - edge(tandem.before)) / 1024 / calls),
    pair('memory of all processes before', 'MB', (h) => total(h.before) / MiB),
    pair('memory of all processes afterwards', 'MB', (h) => total(h.after) / MiB),
    alone('memory of the edge before', 'MB', edge(tandem.before) / MiB),
    alone('memory of the edge afterwards', 'MB', edge(tandem.after) / MiB),
    pair(`CPU while ${calls} are up`, '% of a core', (h) => total(h.cpu)),
    pair('CPU while nobody calls', '% of a core', (h) => total(h.idle)),
    alone(`CPU of the edge while ${calls} are up`, '% of a core', edge(tandem.cpu)),
  ]
}

export function describeHeld(told: HeldFigures, plan: Pick<HeldPlan, 'calls' | 'rate' | 'hold'>): string {
  const { tandem, peer, noPeer, wrong } = told
  const lines = heldFigures(told, plan).map(
    ({ name, value, unit, peer: other }) =>
      `${name.replace('held: ', '')}: ${value ?? 'none'} ${unit}${other === null ? '' : ` (${peer?.name} ${other})`}`,
  )
  const parts = [...tandem.cpu].sort(([, a], [, b]) => b - a).map(([name, value]) => `${name} ${value.toFixed(1)}`)
  return [
    `${plan.calls} calls at ${plan.rate}/s, each up for ${plan.hold} s without audio; memory is PSS, ${Math.round((measuredAfterMs(plan) - (1000 * plan.calls) / plan.rate) / 1000)} s after the last one came up.`,
    `Machine: ${machine()}`,
    '',
    ...lines,
    '',
    `Tandem by process while they are up, % of a core: ${parts.join(', ')}`,
    ...(peer
      ? [`${peer.name} keeps a dialog; it has no ports, no bucket of calls and no records to come.`]
      : [`No peer: ${noPeer}.`]),
    ...wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
