/** What a configuration would change: paths, test cases, and calls of the last days that would go elsewhere. */
import type { Problem } from '@tandem/config/source.ts'
import type { Changed, HistoryPage, Planned } from '../api/resources.ts'
import { problemLine } from '../up/problem-failure.ts'
import { colours } from './colours.ts'
import { table } from './table.ts'
import { clock } from './times.ts'

/** Moved calls that are shown, and changes, and warnings; --json has them all, and of changes the first thousand. */
const mostMoved = 30
const mostLines = 100

export function describePlan(plan: Planned): string {
  const { changes, changed = changes.length, warnings, tests, recent } = plan
  return [
    ...(changes.length > 0 ? firstOf(changes, changeLine, mostLines, changed) : ['no change']),
    ...warningLines(warnings),
    ...tests.flatMap(testLines),
    ...recentLines(recent),
  ].join('\n')
}

export function warningLines(warnings: readonly Problem[]): string[] {
  return firstOf(warnings, (warning) => `${colours.yellow('!')} ${problemLine(warning)}`, mostLines)
}

function firstOf<T>(
  all: readonly T[],
  lines: (one: T) => string | string[],
  most: number,
  total = all.length,
): string[] {
  const rest = total > most ? [`  … and ${total - most} more (--json lists them)`] : []
  return [...all.slice(0, most).flatMap(lines), ...rest]
}

function changeLine(c: Planned['changes'][number]): string {
  if (c.kind === 'added') return colours.green(`+ ${c.path}: ${c.after}`)
  if (c.kind === 'removed') return colours.red(`- ${c.path}: ${c.before}`)
  return colours.yellow(`~ ${c.path}: ${c.before} → ${c.after}`)
}

function testLines({ index, passed, detail, before, after }: Planned['tests'][number]): string[] {
  const line = `${passed ? colours.green('✓') : colours.red('✗')} test ${index + 1}: ${detail}`
  return before === undefined || after === undefined || before === after
    ? [line]
    : [line, ...sideBySide('    ', before, after)]
}

const sideBySide = (indent: string, before: string, after: string): string[] => [
  `${indent}${colours.dim('until now')}  ${colours.red(before)}`,
  `${indent}${colours.dim('then     ')}  ${colours.green(after)}`,
]

function recentLines({ days, compared, moved, away }: Planned['recent']): string[] {
  const looked = `${compared} different call${compared === 1 ? '' : 's'} of the last ${days} days`
  if (away !== undefined) return [`${colours.yellow('!')} ${away}: ${looked} could be compared`]
  if (compared === 0) return []
  if (moved.length === 0) return [`${colours.green('✓')} ${looked}: every one goes where it went`]
  const goElsewhere = moved.length === 1 ? '1 would go elsewhere' : `${moved.length} would go elsewhere`
  const row = ({ from, dialled, times, before, after }: (typeof moved)[number]): string[] => {
    const often = times === 1 ? '' : colours.dim(`  ${times} times`)
    return [`  ${colours.bold(from)} dials ${colours.bold(dialled)}${often}`, ...sideBySide('    ', before, after)]
  }
  return [`${colours.yellow('~')} ${looked}: ${goElsewhere}`, ...firstOf(moved, row, mostMoved)]
}

/** ` in 7 processes`, and which have not said so. */
export function whereInForce({ inForce = [], waiting = [] }: Changed): string {
  if (inForce.length === 0 && waiting.length === 0) return ''
  const there = ` in ${inForce.length} process${inForce.length === 1 ? '' : 'es'}`
  if (waiting.length === 0) return there
  return `${there}, ${colours.yellow(`not yet in ${waiting.map((w) => `${w.service} ${w.instance}`).join(', ')}`)}`
}

export function describeHistory({ running, revisions }: HistoryPage): string {
  return table(
    [
      { head: '', value: (r) => (r.revision === running ? colours.green('▶') : '') },
      { head: 'revision', value: (r) => r.revision, align: 'right' },
      { head: 'when', value: (r) => clock(r.at) },
      { head: 'who', value: (r) => r.by },
      { head: 'why', value: (r) => r.why },
    ],
    revisions,
  )
}
