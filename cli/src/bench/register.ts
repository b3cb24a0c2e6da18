/** `tandem bench register`: registrations with digest at a Tandem of its own, and at Kamailio in turns with it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import { table } from '../print/table.ts'
import { BENCH_DOMAIN, benchUsers } from './calls-configuration.ts'
import { byPart, type Figure, figure, machine } from './calls-report.ts'
import { canReadCpu, readCpu, spent, total } from './cpu-time.ts'
import { findKamailio, startRegistrar } from './kamailio-system.ts'
import { type LoadProcess, startLoad } from './load-process.ts'
import { median, quantile } from './round.ts'
import type { System } from './system.ts'
import { startTandem } from './tandem-system.ts'

export interface RegisterPlan {
  /** registrations a second */
  rate: number
  /** in each round */
  registrations: number
  /** rounds of each system */
  runs: number
  peer: boolean
  signal: AbortSignal
  /** progress, one line each */
  say(line: string): void
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
  spreads: { tandem: string; peer: string }[]
  /** of Tandem, in words */
  byPart: string
  peer: string | null
  /** why there is no peer */
  noPeer: string | null
  /** in words; empty when every registration was granted */
  wrong: string[]
}

/** What follows a registration belongs to it: the fact on the bus, the row on the disk. */
const SETTLE_MS = 500

export async function measureRegistrations(plan: RegisterPlan): Promise<RegisterFigures> {
  if (!canReadCpu()) throw new Failure('CPU time is read from /proc', 'Run this on Linux, or in a container.')
  const folder = mkdtempSync(join(tmpdir(), 'tandem-bench-'))
  const open: (() => Promise<void>)[] = []
  try {
    const load = await startLoad(benchUsers)
    open.push(load.stop)
    const { say, signal } = plan
    const tandem = await startTandem({ folder, carrierPeer: load.carrierPort, signal, say, warn: say })
    open.push(tandem.stop)
    const found = plan.peer ? findKamailio() : { kind: 'missing' as const, why: 'not asked for' }
    const peer = found.kind === 'found' ? await startRegistrar(found, folder, tandem.password) : null
    if (peer) open.push(peer.stop)
    const stopped = new Promise<never>((_, fail) => {
      signal.addEventListener('abort', () => fail(new Failure('stopped', '')), { once: true })
    })
    const systems = peer ? [tandem, peer] : [tandem]
    const measured = measure(plan, load, systems, tandem.password)
    const rounds = await Promise.race([measured, tandem.up.broken, stopped])
    return report(plan, systems, rounds, found.kind === 'missing' ? found.why : null)
  } finally {
    for (const close of open.reverse()) await close()
    if (process.env.TANDEM_KEEP !== '1') rmSync(folder, { recursive: true, force: true })
  }
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

const MEASURES = [
  { name: 'CPU of all processes per registration', unit: 'µs', digits: 0, of: (r: Round) => r.cpuUs },
  { name: 'REGISTER to 200 p50', unit: 'ms', digits: 2, of: (r: Round) => r.p50Us / 1000 },
  { name: 'REGISTER to 200 p99', unit: 'ms', digits: 2, of: (r: Round) => r.p99Us / 1000 },
]

function report(
  plan: RegisterPlan,
  systems: readonly System[],
  rounds: readonly Round[][],
  noPeer: string | null,
): RegisterFigures {
  const [tandem = [], peer = []] = rounds
  const failed = (of: readonly Round[]) => of.reduce((sum, r) => sum + plan.registrations - r.registered, 0)
  const spread = (of: readonly Round[], value: (r: Round) => number, digits: number) => {
    const values = of.map(value).sort((a, b) => a - b)
    return values.length === 0 ? '' : `${values[0]?.toFixed(digits)} / ${values.at(-1)?.toFixed(digits)}`
  }
  const at = `at ${plan.rate}/s`
  const middle = (of: readonly Round[], value: (r: Round) => number) => (of.length === 0 ? null : median(of.map(value)))
  return {
    figures: [
      ...MEASURES.map((m) =>
        figure(`register: ${m.name}, ${at}`, m.unit, m.digits, middle(tandem, m.of), middle(peer, m.of)),
      ),
      figure(
        `register: refused or unanswered, ${at}`,
        'registrations',
        0,
        failed(tandem),
        systems[1] ? failed(peer) : null,
      ),
    ],
    spreads: MEASURES.map((m) => ({ tandem: spread(tandem, m.of, m.digits), peer: spread(peer, m.of, m.digits) })),
    byPart: byPart(tandem),
    peer: systems[1]?.name ?? null,
    noPeer,
    wrong: systems.flatMap((system, i) =>
      (rounds[i] ?? [])
        .filter((r) => r.registered < plan.registrations)
        .map((r) => `${system.name}: ${r.registered} of ${plan.registrations} were registered${faultsOf(r)}`),
    ),
  }
}

export function describeRegistrations(told: RegisterFigures, plan: RegisterPlan): string {
  const rows = told.figures.map((f, i) => ({ ...f, spread: told.spreads[i] }))
  type Row = (typeof rows)[number]
  const columns = [
    { head: '', value: (r: Row) => r.name.replace(/^register: /, '') },
    { head: 'Tandem', value: (r: Row) => r.value ?? 'none', align: 'right' as const },
    { head: 'min / max', value: (r: Row) => r.spread?.tandem ?? '', align: 'right' as const },
    ...(told.peer === null
      ? []
      : [
          { head: told.peer, value: (r: Row) => r.peer ?? 'none', align: 'right' as const },
          { head: 'min / max', value: (r: Row) => r.spread?.peer ?? '', align: 'right' as const },
          { head: 'ratio', value: (r: Row) => r.ratio?.toFixed(2), align: 'right' as const },
        ]),
    { head: 'unit', value: (r: Row) => r.unit },
  ]
  return [
    `A registration: REGISTER, 401, REGISTER with digest, 200 over UDP; ${plan.runs} rounds of ${plan.registrations} at ${plan.rate}/s${told.peer ? ', the systems in turns' : ''}; medians.`,
    'CPU: every process of the system. Tandem keeps the binding over a restart and tells it to the other services; Kamailio has it in memory.',
    `Machine: ${machine()}`,
    '',
    table(columns, rows),
    '',
    `Tandem by process, µs a registration: ${told.byPart}`,
    ...(told.peer === null ? [`No peer: ${told.noPeer}.`] : []),
    ...told.wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

const ms = (us: number) => (us / 1000).toFixed(2)
const faultsOf = (round: Round) =>
  Object.entries(round.failed)
    .map(([why, n]) => `, ${n} × ${why}`)
    .join('')
