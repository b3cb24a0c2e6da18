/** How the figures of a router are shown: a table for people, a JSON object a line for programs. */
import { table } from '../print/table.ts'
import { type Figure, figure, leastAndMost } from './figures.ts'
import { median } from './round.ts'
import type { RoutingFigures, RoutingPlan } from './routing.ts'
import type { OverBus } from './routing-driver.ts'

interface Row {
  name: string
  value: number
  unit: string
  digits: number
  /** of rounds: `value` is the one in the middle; and the same of a process that decides nothing, in turns with them */
  rounds?: { own: readonly number[]; echo: readonly number[] }
}

function rows({ revisionMiB, inside, readyMs, residentMiB, ...told }: RoutingFigures, plan: RoutingPlan): Row[] {
  const { steady, echo, reload } = told
  const all = [...steady, reload]
  const row = (name: string, value: number, unit: string, digits: number): Row => ({ name, value, unit, digits })
  const round = (name: string, of: (round: OverBus) => number): Row => {
    const [own, bare] = [steady.map(of), echo.map(of)]
    return {
      ...row(`decision over NATS at ${plan.rate}/s ${name}`, median(own), 'ms', 2),
      rounds: { own, echo: bare },
    }
  }
  const sum = (of: (round: OverBus) => number) => all.reduce((total, each) => total + of(each), 0)
  return [
    row('decision inside p50', inside.decideP50Us, 'µs', 1),
    row('decision inside p99', inside.decideP99Us, 'µs', 1),
    round('p50', ({ p50Ms }) => p50Ms),
    round('p99', ({ p99Ms }) => p99Ms),
    row('decision during a reload p50', reload.p50Ms, 'ms', 2),
    row('decision during a reload p99', reload.p99Ms, 'ms', 2),
    row('longest decision during a reload', reload.maxMs, 'ms', 1),
    row('the most that the load itself was late', Math.max(...all.map(({ lateMs }) => lateMs)), 'ms', 1),
    row(
      'questions without an answer',
      sum(({ unanswered }) => unanswered),
      'questions',
      0,
    ),
    row(
      'questions asked',
      sum(({ asked }) => asked),
      'questions',
      0,
    ),
    row('reload until the new tables decide', reload.ms, 'ms', 0),
    row('first load until the router answers', readyMs, 'ms', 0),
    row('making a table', inside.loadMs, 'ms', 0),
    row('longest stop of the deciding thread while a table is made', inside.blockedMs, 'ms', 1),
    row('a table in memory', inside.tableMiB, 'MiB', 0),
    row('the router in memory, after a reload', residentMiB, 'MiB', 0),
    row('a deck in memory', inside.deckMiB, 'MiB', 1),
    row('look-up of a price', inside.lookUpNs, 'ns', 0),
    row('the revision as it is written', revisionMiB, 'MiB', 1),
  ]
}

export function routingFigures(figures: RoutingFigures, plan: RoutingPlan): Figure[] {
  return rows(figures, plan).map(({ name, value, unit, digits, rounds }) =>
    figure(`routing: ${name}`, unit, digits, value, rounds ? median(rounds.echo) : null),
  )
}

export function describeRouting(figures: RoutingFigures, plan: RoutingPlan): string {
  const { users, numbers, prefixes, rules } = plan
  const size = `${numbers} numbers, ${users} users, two decks of ${prefixes} prefixes, ${rules} rules`
  const right = 'right' as const
  const ofRounds = (of: (rounds: NonNullable<Row['rounds']>, row: Row) => string) => (row: Row) =>
    row.rounds ? of(row.rounds, row) : ''
  const body = table<Row>(
    [
      { head: 'what', value: ({ name }) => name },
      { head: 'value', value: ({ value, digits }) => value.toFixed(digits), align: right },
      { head: 'min / max', value: ofRounds(({ own }, { digits }) => leastAndMost(own, digits)), align: right },
      { head: 'echo', value: ofRounds(({ echo }, { digits }) => median(echo).toFixed(digits)), align: right },
      { head: 'min / max', value: ofRounds(({ echo }, { digits }) => leastAndMost(echo, digits)), align: right },
      { head: 'ratio', value: ofRounds(({ echo }, { value }) => (value / median(echo)).toFixed(2)), align: right },
      { head: 'unit', value: ({ unit }) => unit },
    ],
    rows(figures, plan),
  )
  return `A router with ${size}; echo: a process that decides nothing, over the bare NATS client\n${body}`
}
