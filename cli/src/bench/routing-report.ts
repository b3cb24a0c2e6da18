/** How the figures of a router are shown: a table for people, a JSON object a line for programs. */
import { table } from '../print/table.ts'
import type { Figure } from './figures.ts'
import type { RoutingFigures, RoutingPlan } from './routing.ts'

type Row = [name: string, value: number, unit: string, digits: number]

function rows({ revisionMiB, inside, readyMs, residentMiB, steady, reload }: RoutingFigures, plan: RoutingPlan): Row[] {
  const at = `over NATS at ${plan.rate}/s`
  return [
    ['decision inside p50', inside.decideP50Us, 'µs', 1],
    ['decision inside p99', inside.decideP99Us, 'µs', 1],
    [`decision ${at} p50`, steady.p50Ms, 'ms', 2],
    [`decision ${at} p99`, steady.p99Ms, 'ms', 2],
    ['decision during a reload p50', reload.p50Ms, 'ms', 2],
    ['decision during a reload p99', reload.p99Ms, 'ms', 2],
    ['longest decision during a reload', reload.maxMs, 'ms', 1],
    ['the most that the load itself was late', Math.max(steady.lateMs, reload.lateMs), 'ms', 1],
    ['questions without an answer', steady.unanswered + reload.unanswered, 'questions', 0],
    ['questions asked', steady.asked + reload.asked, 'questions', 0],
    ['reload until the new tables decide', reload.ms, 'ms', 0],
    ['first load until the router answers', readyMs, 'ms', 0],
    ['making a table', inside.loadMs, 'ms', 0],
    ['longest stop of the deciding thread while a table is made', inside.blockedMs, 'ms', 1],
    ['a table in memory', inside.tableMiB, 'MiB', 0],
    ['the router in memory, after a reload', residentMiB, 'MiB', 0],
    ['a deck in memory', inside.deckMiB, 'MiB', 1],
    ['look-up of a price', inside.lookUpNs, 'ns', 0],
    ['the revision as it is written', revisionMiB, 'MiB', 1],
  ]
}

export function routingFigures(figures: RoutingFigures, plan: RoutingPlan): Figure[] {
  return rows(figures, plan).map(([name, value, unit, digits]) => ({
    ...{ name: `routing: ${name}`, value: Number(value.toFixed(digits)), unit, peer: null, ratio: null },
  }))
}

export function describeRouting(figures: RoutingFigures, plan: RoutingPlan): string {
  const { users, numbers, prefixes, rules } = plan
  const size = `${numbers} numbers, ${users} users, two decks of ${prefixes} prefixes, ${rules} rules`
  const body = table<Row>(
    [
      { head: 'what', value: ([name]) => name },
      { head: 'value', value: ([, value, , digits]) => value.toFixed(digits), align: 'right' },
      { head: 'unit', value: ([, , unit]) => unit },
    ],
    rows(figures, plan),
  )
  return `A router with ${size}\n${body}`
}
