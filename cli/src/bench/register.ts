/** `tandem bench register`: registrations with digest at a Tandem of its own, and at Kamailio in turns with it. */
import { BENCH_DOMAIN } from './calls-configuration.ts'
import { byPart } from './calls-report.ts'
import { readCpu, spent, total } from './cpu-time.ts'
import { compared, type Figure, figure, type Measure, machine, middle } from './figures.ts'
import { startRegistrar } from './kamailio-system.ts'
import type { LoadProcess } from './load-process.ts'
import { quantile } from './round.ts'
import { type Measuring, sideBySide } from './side-by-side.ts'
import type { System } from './system.ts'

export interface RegisterPlan extends Measuring {
  /** registrations a second */
  rate: number
  /** in each round */
  registrations: number
  /** rounds of each system */
  runs: number
  peer: boolean
}

interface Round {
  registered: number
  failed: Record<string, number>
  /** CPU of all processes, µs a registration */
  cpuUs: number
  cpuByPartUs: ReadonlyMap<string, number>
  p50Us: number
  p99Us: number
}

export interface RegisterFigures {
  figures: Figure[]
  tandem: { name: string; rounds: Round[] }
  peer: { name: string; rounds: Round[] } | null
  /** why there is no peer */
  noPeer: string | null
  /** in words; empty when every registration was granted */
  wrong: string[]
}

/** What follows a registration belongs to it: the fact on the bus, the row on the disk. */
const SETTLE_MS = 500

export function measureRegistrations(plan: RegisterPlan): Promise<RegisterFigures> {
  return sideBySide(
    plan,
    (found, { folder }, { tandem }) => startRegistrar(found, folder, tandem.password),
    async ({ load, tandem, peer, noPeer }) => {
      const systems = peer ? [tandem, peer] : [tandem]
      return report(plan, systems, await measure(plan, load, systems, tandem.password), noPeer)
    },
  )
}

/** Rounds of each system, in turns; the first of each does not count. */
async function measure(plan: RegisterPlan, load: LoadProcess, systems: readonly System[], password: string) {
  const rounds: Round[][] = systems.map(() => [])
  for (let run = 0; run <= plan.runs; run++) {
    for (const [i, system] of systems.entries()) {
      const round = await playRound(plan, load, system, password)
      plan.say(
        `${system.name}: ${round.registered} of ${plan.registrations} registered at ${plan.rate}/s, ${round.cpuUs.toFixed(0)} µs CPU each, p50 ${ms(round.p50Us)} ms, p99 ${ms(round.p99Us)} ms${faultsOf(round)}`,
      )
      if (run > 0) rounds[i]?.push(round)
    }
  }
  return rounds
}

async function playRound(plan: RegisterPlan, load: LoadProcess, system: System, password: string): Promise<Round> {
  const { rate, registrations } = plan
  const before = readCpu(system.roots())
  const { target } = system
  const result = await load.runRegistrations({ target, domain: BENCH_DOMAIN, password, rate, registrations })
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  const cost = spent(before, readCpu(system.roots()))
  const each = Math.max(1, result.registered)
  return {
    registered: result.registered,
    failed: result.failed,
    cpuUs: total(cost) / each,
    cpuByPartUs: new Map([...cost].map(([name, us]) => [name, us / each])),
    p50Us: quantile(result.tookUs, 0.5),
    p99Us: quantile(result.tookUs, 0.99),
  }
}

const MEASURES: readonly Measure<Round>[] = [
  { name: 'CPU of all processes per registration', unit: 'µs', digits: 0, of: (r) => r.cpuUs },
  { name: 'REGISTER to 200 p50', unit: 'ms', digits: 2, of: (r) => r.p50Us / 1000 },
  { name: 'REGISTER to 200 p99', unit: 'ms', digits: 2, of: (r) => r.p99Us / 1000 },
]

function report(
  plan: RegisterPlan,
  systems: readonly System[],
  rounds: readonly Round[][],
  noPeer: string | null,
): RegisterFigures {
  const [tandem = [], peer = []] = rounds
  const failed = (of: readonly Round[]) => of.reduce((sum, r) => sum + plan.registrations - r.registered, 0)
  const at = `at ${plan.rate}/s`
  const [, other] = systems
  return {
    figures: [
      ...MEASURES.map((m) =>
        figure(`register: ${m.name}, ${at}`, m.unit, m.digits, middle(m, tandem), middle(m, peer)),
      ),
      figure(`register: refused or unanswered, ${at}`, 'registrations', 0, failed(tandem), other ? failed(peer) : null),
    ],
    tandem: { name: 'Tandem', rounds: tandem },
    peer: other ? { name: other.name, rounds: peer } : null,
    noPeer,
    wrong: systems.flatMap((system, i) =>
      (rounds[i] ?? [])
        .filter((r) => r.registered < plan.registrations)
        .map((r) => `${system.name}: ${r.registered} of ${plan.registrations} were registered${faultsOf(r)}`),
    ),
  }
}

export function describeRegistrations(told: RegisterFigures, plan: RegisterPlan): string {
  return [
    `A registration: REGISTER, 401, REGISTER with digest, 200 over UDP; ${plan.runs} rounds of ${plan.registrations} at ${plan.rate}/s${told.peer ? ', the systems in turns' : ''}; medians.`,
    'CPU: every process of the system. Tandem keeps the binding over a restart and tells it to the other services; Kamailio has it in memory.',
    `Machine: ${machine()}`,
    '',
    compared(told.figures, MEASURES, [told.tandem, told.peer]),
    '',
    `Tandem by process, µs a registration: ${byPart(told.tandem.rounds)}`,
    ...(told.peer === null ? [`No peer: ${told.noPeer}.`] : []),
    ...told.wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

const ms = (us: number) => (us / 1000).toFixed(2)
const faultsOf = (round: Round) =>
  Object.entries(round.failed)
    .map(([why, n]) => `, ${n} × ${why}`)
    .join('')
