/** `tandem bench calls`: calls through a Tandem of its own, and through Kamailio in turns with it. */
import { BENCH_DOMAIN } from './calls-configuration.ts'
import type { CpuReading } from './cpu-time.ts'
import { startKamailio } from './kamailio-system.ts'
import { idleShare, playRound, type Round } from './round.ts'
import { type Measuring, type Sides, sideBySide } from './side-by-side.ts'
import type { System } from './system.ts'
import { checkCdrs } from './tandem-system.ts'

export interface CallsPlan extends Measuring {
  /** calls a second */
  rate: number
  /** in each round */
  calls: number
  /** rounds of each system */
  runs: number
  /** finds the highest clean rate, too */
  ramp: boolean
  peer: boolean
}

/** What one system did. */
export interface SystemFigures {
  name: string
  rounds: Round[]
  /** % of a core while nobody calls, by process */
  idle: CpuReading
  /** the climb, when the highest rate was looked for */
  steps: Round[]
}

export interface CallsFigures {
  tandem: SystemFigures
  peer: SystemFigures | null
  /** why there is no peer */
  noPeer: string | null
  /** in words; empty when every call was answered and has its CDRs */
  wrong: string[]
}

const RAMP = [50, 100, 200, 300, 400, 500, 600, 800, 1000, 1250, 1500, 2000, 2500, 3000, 4000, 5000, 6000]
const RAMP_SECONDS = 3
const IDLE_MS = 2000
/** 99 of 100 calls are set up within this: a caller does not notice it, µs */
const PROMPT_US = 50_000

export function measureCalls(plan: CallsPlan): Promise<CallsFigures> {
  return sideBySide(
    plan,
    (found, { folder }, { load }) => startKamailio(found, folder, load.carrierPort),
    async (sides) => {
      await sides.load.register(sides.tandem.target, BENCH_DOMAIN, sides.tandem.password)
      return await measure(plan, sides)
    },
  )
}

async function measure(plan: CallsPlan, { load, tandem, peer, noPeer }: Sides): Promise<CallsFigures> {
  const systems: System[] = peer ? [tandem, peer] : [tandem]
  const figures = systems.map(({ name }): SystemFigures => ({ name, rounds: [], idle: new Map(), steps: [] }))
  const wrong: string[] = []
  const play = async (i: number, rate: number, calls: number): Promise<Round> => {
    const round = await playRound(load, systems[i] as System, BENCH_DOMAIN, { rate, calls })
    plan.say(describe(systems[i] as System, round))
    return round
  }
  const judge = (i: number, round: Round): Round => {
    wrong.push(...faults(systems[i] as System, round))
    return round
  }

  let answered = 0
  for (const i of figures.keys()) {
    // a round that does not count: code is compiled, decks and tables are read
    const warmUp = judge(i, await play(i, plan.rate, plan.calls))
    if (i === 0) answered += warmUp.answered
  }
  const idle = await idleShare(systems, plan.calls < 100 ? 200 : IDLE_MS)
  for (let run = 0; run < plan.runs; run++) {
    for (const [i, of] of figures.entries()) {
      const round = judge(i, await play(i, plan.rate, plan.calls))
      of.rounds.push(round)
      if (i === 0) answered += round.answered
    }
  }
  // a call that failed was reported above, and has other records
  if (wrong.length === 0) wrong.push(...(await checkCdrs(tandem.up, answered)))
  if (plan.ramp) for (const [i, of] of figures.entries()) await climb(of, (rate, calls) => play(i, rate, calls))
  for (const [i, of] of figures.entries()) of.idle = idle[i] ?? of.idle
  return { tandem: figures[0] as SystemFigures, peer: figures[1] ?? null, noPeer, wrong }
}

/** Step by step until a rate is not clean twice. */
async function climb(of: SystemFigures, play: (rate: number, calls: number) => Promise<Round>): Promise<void> {
  for (const rate of RAMP) {
    let clean = false
    for (let attempt = 0; attempt < 2 && !clean; attempt++) {
      const round = await play(rate, rate * RAMP_SECONDS)
      of.steps.push(round)
      clean = isClean(round)
    }
    if (!clean) return
  }
}

/** Nothing failed, was lost or had to be sent again. */
function isClean(round: Round): boolean {
  return round.answered === round.calls && round.missing === 0 && round.retransmissions <= round.calls / 1000
}

/** The clean step with the highest rate; `prompt`: of those whose calls were set up promptly, too. */
export function highestStep(of: SystemFigures, prompt: boolean): Round | undefined {
  return of.steps.findLast((round) => isClean(round) && (!prompt || round.setupP99Us <= PROMPT_US))
}

function faults(system: System, round: Round): string[] {
  const failed = Object.entries(round.failed).map(([why, n]) => `${n} × ${why}`)
  return [
    ...(failed.length > 0 ? [`${system.name}: of ${round.calls} calls failed: ${failed.join(', ')}`] : []),
    ...(round.missing > 0 ? [`${system.name}: ${round.missing} of ${round.answered} calls have no CDR`] : []),
  ]
}

function describe(system: System, r: Round): string {
  const failed = Object.entries(r.failed).map(([why, n]) => `, ${n} × ${why}`)
  const ms = (us: number) => (us / 1000).toFixed(2)
  return `${system.name}: ${r.answered} of ${r.calls} calls answered at ${r.rate}/s, ${r.cpuUs.toFixed(0)} µs CPU a call, set-up p50 ${ms(r.setupP50Us)} ms, p99 ${ms(r.setupP99Us)} ms, ${r.retransmissions} sent again${failed.join('')}${r.missing > 0 ? `, ${r.missing} without CDR` : ''}`
}
