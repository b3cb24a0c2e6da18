/** numbers */
import type { Command } from 'commander'
import { colours } from '../print/colours.ts'
import { table } from '../print/table.ts'
import { clock } from '../print/times.ts'
import { addApiCommand, apiOf, type CommonOptions, print } from './command.ts'

interface NumberView {
  number: string
  last: string
  kind: 'did' | 'number' | 'range' | 'elin'
  state: 'assigned' | 'reserved' | 'unassigned' | 'emergency'
  user?: string
  site?: string
  failover?: string
  note?: string
  size?: number
  assigned?: number
}
interface NumberPage {
  numbers: NumberView[]
  total: number
  next?: string
}
type Holding = { state: NumberView['state'] | 'none'; user?: string; site?: string; failover?: string }
interface NumberDetail extends Holding {
  number: string
  entry?: NumberView
  changes: (Holding & { revision: number; at: string; by: string; why: string })[]
  since: number
}
type NumbersOptions = CommonOptions & { state?: string; user?: string; startsWith?: string; limit: string }

export function addNumberCommands(program: Command): void {
  addApiCommand(
    program,
    'numbers [number]',
    'the numbers that are ours and who has them; with a number, who had it when',
    'numbers 4255551001',
  )
    .option('--state <state>', 'assigned, reserved, unassigned or emergency')
    .option('--user <name>', 'those of a user')
    .option('--starts-with <digits>', 'those that begin so, as +1425')
    .option('--limit <n>', 'so many at most', '100')
    .action(numbers)
}

async function numbers(number: string | undefined, options: NumbersOptions): Promise<void> {
  const api = apiOf(options)
  if (number !== undefined) {
    const detail = await api.get<NumberDetail>(`/numbers/${encodeURIComponent(number)}`)
    print(options, detail, () => describeNumber(detail))
    return
  }
  const { state, user, startsWith, limit } = options
  const page = await api.get<NumberPage>('/numbers', { state, user, startsWith, limit })
  print(options, page, () => describeNumbers(page))
}

const STATES = {
  assigned: colours.green,
  reserved: colours.yellow,
  unassigned: colours.dim,
  emergency: colours.red,
  none: colours.dim,
}

export function describeNumbers({ numbers: rows, total }: NumberPage): string {
  const listed = table<NumberView>(
    [
      { head: 'number', value: (n) => (n.kind === 'range' ? `${n.number} – ${n.last}` : n.number) },
      {
        head: 'state',
        value: (n) => (n.kind === 'range' ? `${n.assigned} of ${n.size} assigned` : STATES[n.state](n.state)),
      },
      { head: 'who', value: (n) => n.user ?? n.site },
      { head: 'failover', value: (n) => n.failover },
      { head: 'note', value: (n) => n.note },
    ],
    rows,
  )
  return rows.length < total ? `${listed}\n… ${total - rows.length} more (--limit, --state, --starts-with)` : listed
}

export function describeNumber(detail: NumberDetail): string {
  const { number, entry, changes, since } = detail
  const range = entry?.kind === 'range' ? ` (in ${entry.number} – ${entry.last})` : ''
  const facts = [
    `${colours.bold(number)}  ${holding(detail)}${range}`,
    ...(detail.failover === undefined ? [] : [`  failover  ${detail.failover}`]),
    ...(entry?.note === undefined ? [] : [`  note      ${entry.note}`]),
  ]
  const rows = table(
    [
      { head: '  since', value: (c: NumberDetail['changes'][number]) => `  ${clock(c.at)}` },
      { head: 'revision', value: (c) => c.revision, align: 'right' },
      { head: 'was', value: holding },
      { head: 'by', value: (c) => c.by },
      { head: 'why', value: (c) => c.why },
    ],
    changes,
  )
  const before = since > 1 ? [colours.dim(`  (told from revision ${since} on)`)] : []
  return [...facts, '', rows, ...before].join('\n')
}

function holding({ state, user, site }: Holding): string {
  if (state === 'none') return STATES.none('not ours')
  const who = user ?? site
  return who === undefined ? STATES[state](state) : `${STATES[state](state)} ${who}`
}
