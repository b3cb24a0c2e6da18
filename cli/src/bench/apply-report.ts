/** How the figures of large changes are shown: tables for people, a JSON object a line for programs. */
import { table } from '../print/table.ts'
import { type ApplyFigures, type ApplyPlan, type Change, slowestMs } from './apply.ts'
import { type Figure, figure, machine } from './figures.ts'
import { quantile } from './round.ts'

const NAMES: Record<Change['name'], string> = {
  nothing: 'nothing is changed',
  first: 'a large configuration',
  second: 'another large one',
  rollback: 'rollback to the first',
}
const MiB = 2 ** 20

export function applyFigures({ readMs, changes }: ApplyFigures): Figure[] {
  const alone = (name: string, unit: string, digits: number, value: number) =>
    figure(`apply: ${name}`, unit, digits, value, null)
  return [
    alone('reading and checking the files', 'ms', 0, readMs),
    ...changes.flatMap((change) => {
      const { name, ms, calls, help, healthMs, stops, pss, rss } = change
      const of = (what: string, unit: string, value: number, digits = 0) =>
        alone(`${NAMES[name]}, ${what}`, unit, digits, value)
      return [
        ...(name === 'nothing' ? [] : [of('POST to in force', 'ms', ms)]),
        of('calls', 'calls', calls.calls),
        of('calls answered', 'calls', calls.answered),
        of('set-up p50', 'ms', quantile(calls.setupUs, 0.5) / 1000, 1),
        of('set-up p99', 'ms', quantile(calls.setupUs, 0.99) / 1000, 1),
        of('slowest set-up', 'ms', slowestMs(calls), 1),
        of('calls for help', 'calls', help.calls),
        of('calls for help answered', 'calls', help.answered),
        of('slowest set-up of a call for help', 'ms', slowestMs(help), 1),
        of('longest /healthz of the console', 'ms', healthMs, 1),
        ...[...stops].map(([service, stop]) => of(`longest stop of ${service}`, 'ms', stop, 1)),
        ...[...pss].map(([service, bytes]) => of(`memory of ${service}, PSS`, 'MiB', bytes / MiB)),
        ...[...rss].map(([service, bytes]) => of(`memory of ${service}, RSS`, 'MiB', bytes / MiB)),
      ]
    }),
  ]
}

export function describeApply({ readMs, changes, wrong }: ApplyFigures, plan: ApplyPlan): string {
  const { users, numbers, prefixes, rules, rate } = plan
  const told = table<Change>(
    [
      { head: 'meanwhile', value: ({ name }) => NAMES[name] },
      column('POST to in force', ({ name, ms }) => (name === 'nothing' ? '' : `${(ms / 1000).toFixed(1)} s`)),
      column('calls answered', ({ calls }) => `${calls.answered} of ${calls.calls}`),
      column('p50 ms', ({ calls }) => (quantile(calls.setupUs, 0.5) / 1000).toFixed(0)),
      column('p99 ms', ({ calls }) => (quantile(calls.setupUs, 0.99) / 1000).toFixed(0)),
      column('slowest ms', ({ calls }) => slowestMs(calls).toFixed(0)),
      column('for help', ({ help }) => `${help.answered} of ${help.calls}`),
      column('slowest ms', ({ help }) => slowestMs(help).toFixed(0)),
      column('health ms', ({ healthMs }) => healthMs.toFixed(0)),
    ],
    changes,
  )
  const services = [...(changes[0]?.pss.keys() ?? [])]
  const each = (of: (change: Change) => string) => changes.map(of).join(' / ')
  const shown = (value: number | undefined) => value?.toFixed(0) ?? '–'
  const byService = table<string>(
    [
      { head: 'service', value: (name) => name },
      column('longest stop, ms', (name) => each(({ stops }) => shown(stops.get(name)))),
      column('PSS, MiB', (name) => each(({ pss }) => shown((pss.get(name) ?? 0) / MiB))),
      column('RSS, MiB', (name) => each(({ rss }) => shown((rss.get(name) ?? 0) / MiB))),
    ],
    services,
  )
  return [
    `${numbers} numbers, ${users} users, two decks of ${prefixes} prefixes, ${rules} rules; ${rate} calls and one for help a second, by SIP through the edge`,
    `Machine: ${machine()}`,
    `Reading and checking the files took ${(readMs / 1000).toFixed(1)} s, before the POST.`,
    '',
    told,
    '',
    `By service (${changes.map(({ name }) => name).join(' / ')}):`,
    byService,
    ...wrong.map((line) => `✗ ${line}`),
  ].join('\n')
}

function column<Row>(head: string, value: (row: Row) => string) {
  return { head, value, align: 'right' as const }
}
