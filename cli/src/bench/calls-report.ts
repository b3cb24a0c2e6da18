/** How the figures of calls are shown: a table for people, a JSON object a line for programs. */
import { type CallsFigures, type CallsPlan, highestStep, type SystemFigures } from './calls.ts'
import { total } from './cpu-time.ts'
import { compared, type Figure, figure, type Measure, machine, middle } from './figures.ts'
import { median, type Round } from './round.ts'

const MEASURES: readonly Measure<Round>[] = [
  { name: 'CPU of all processes per call', unit: 'µs', digits: 0, of: (r) => r.cpuUs },
  { name: 'set-up p50', unit: 'ms', digits: 2, of: (r) => r.setupP50Us / 1000 },
  { name: 'set-up p99', unit: 'ms', digits: 2, of: (r) => r.setupP99Us / 1000 },
]

export function callsFigures(figures: CallsFigures, plan: Pick<CallsPlan, 'rate' | 'ramp'>): Figure[] {
  const { tandem, peer } = figures
  const at = `at ${plan.rate}/s`
  const failed = (of: SystemFigures) => of.rounds.reduce((sum, r) => sum + r.calls - r.answered, 0)
  const missing = (of: SystemFigures) => of.rounds.reduce((sum, r) => sum + r.missing, 0)
  const pair = (name: string, unit: string, digits: number, of: (system: SystemFigures) => number | null) =>
    figure(name, unit, digits, of(tandem), peer ? of(peer) : null)
  return [
    ...MEASURES.map((m) => pair(`calls: ${m.name}, ${at}`, m.unit, m.digits, (s) => middle(m, s.rounds))),
    pair(`calls: failed, ${at}`, 'calls', 0, failed),
    pair(`calls: without CDR, ${at}`, 'calls', 0, missing),
    pair('calls: CPU while nobody calls', '% of a core', 1, (s) => total(s.idle)),
    ...(plan.ramp
      ? [
          pair('calls: highest rate without failure', 'calls/s', 0, (s) => highestStep(s, false)?.rate ?? null),
          pair(
            'calls: highest rate with set-up p99 within 50 ms',
            'calls/s',
            0,
            (s) => highestStep(s, true)?.rate ?? null,
          ),
          pair(
            'calls: CPU of all processes per call, at the highest rate without failure',
            'µs',
            0,
            (s) => highestStep(s, false)?.cpuUs ?? null,
          ),
        ]
      : []),
  ]
}

export function describeCalls(
  figures: CallsFigures,
  plan: Pick<CallsPlan, 'rate' | 'calls' | 'runs' | 'ramp'>,
): string {
  const { tandem, peer, noPeer } = figures
  return [
    `A call: INVITE with SDP, 180, 200, ACK, BYE over UDP, from a registered user to a carrier, hung up at once; ${plan.runs} rounds of ${plan.calls} calls at ${plan.rate}/s${peer ? ', the systems in turns' : ''}; medians.`,
    'CPU: every process of the system, from the first INVITE until the last CDR is priced in the database; what it takes while idle is in it.',
    'Set-up: INVITE to 200 at the caller, the answering carrier included.',
    `Machine: ${machine()}`,
    '',
    compared(callsFigures(figures, plan), MEASURES, [tandem, peer]),
    '',
    `Tandem by process, µs a call: ${byPart(tandem.rounds)}`,
    `Tandem by process while nobody calls, % of a core: ${parts([...tandem.idle], 1)}`,
    ...(peer
      ? [
          `${peer.name}: dialog, dial plan, prefixes, CDRs into SQLite, one worker, -x fm; it carries no media and bills nothing.`,
        ]
      : [`No peer: ${noPeer}.`]),
    ...(plan.ramp ? [climbed(tandem), ...(peer ? [climbed(peer)] : [])] : []),
    ...figures.wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

/** Medians of the rounds, the largest first. */
export function byPart(rounds: readonly { readonly cpuByPartUs: ReadonlyMap<string, number> }[]): string {
  const names = [...(rounds[0]?.cpuByPartUs.keys() ?? [])]
  return parts(
    names.map((name) => [name, median(rounds.map((r) => r.cpuByPartUs.get(name) ?? 0))]),
    0,
  )
}

function parts(values: [name: string, value: number][], digits: number): string {
  return values
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(', ')
}

function climbed(of: SystemFigures): string {
  const steps = of.steps.map((r) => `${r.rate}/s ${r.answered}/${r.calls} p99 ${(r.setupP99Us / 1000).toFixed(1)} ms`)
  return `${of.name} step by step (ends when twice a call failed, a CDR is missing or more than 0.1 % is sent again): ${steps.join('; ')}`
}
