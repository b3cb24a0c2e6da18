/** Which of the things that the router decides by a random call has met: dice that never fall there prove nothing. */
import type { RouteQuestion } from '@tandem/contracts/routing.ts'
import type { Enterprise, Moment } from './enterprise.ts'
import { fields } from './slow-identity.ts'
import type { Expected } from './slow-model.ts'
import { oursOf } from './slow-numbers.ts'

/** Of all calls at least this share, in thousandths: about a third of what is usual. What is rare shows in long runs only. */
export const least: Readonly<Record<string, number>> = {
  ...{ 'callee rings': 50, 'to the network': 50, emergency: 20, 'mobile rings too': 15 },
  ...{ '403 no-usage': 30, '404 no-route': 5, '403 closed': 2, '484 no-number': 50, '404 no-such-user': 8 },
  ...{ '403 may-not-show': 3, '404 nobody': 10, '404 reserved': 1, '404 not-ours': 15, '484 nothing-dialled': 1 },
  ...{ '482 circle': 1.5, '483 no-hops': 5, '403 not-registered': 5 },
  ...{ '403 back': 0.3, '403 not-shown': 0.15, '403 forward-refused': 0.15, '404 failover-refused': 0.3 },
  ...{ 'forwards always to a number': 0.3, 'forwards always to a user': 3, 'a stage follows': 12 },
  ...{ 'a stage follows a stage': 4, 'busy, silent and unreachable go apart': 1, 'the plan is full': 1.5 },
  ...{ 'failover after phones': 9, 'failover of nobody’s number': 20, 'numbers from a file': 8 },
  ...{ 'two trunks up and one down': 4, 'a poor trunk among others': 6, 'several right orders': 20 },
  ...{ 'by cost': 20, 'a ported number by cost': 4, 'several routes': 20, 'out of hours': 20 },
  ...{
    withheld: 30,
    'a list replaces the number': 9,
    'a list withholds the number': 6,
    'a list leaves a trunk out': 3,
  },
  ...{ 'Diversion to a carrier': 25, 'secret Diversion': 3, 'a known name': 15, 'an asserted identity': 20 },
  ...{
    'help from a PBX': 1.5,
    'help by URN': 4,
    'help of a stranger': 5,
    'help with a trunk down': 4,
    'a test of help': 6,
  },
  ...{ 'on behalf of somebody': 18, 'redirected by a carrier': 10, 'by another place of the number': 25 },
}

type Attempt = { kind: string; trunk: string; route?: string; calling: string; headers?: [string, string][] }

export function reached(e: Enterprise, q: RouteQuestion, x: Expected, m: Moment): string[] {
  const met: string[] = []
  const when = (is: unknown, feature: string) => void (is && met.push(feature))
  const source = q.source
  when(q.onBehalfOf, 'on behalf of somebody')
  when(q.redirectedBy, 'redirected by a carrier')
  when(
    source.kind === 'trunk' && (e.trunks[source.trunk]?.did ?? 'request-uri') !== 'request-uri',
    'by another place of the number',
  )
  when(q.assertedIdentity, 'an asserted identity')
  when(x.caller.display === 'GRACE HOPPER', 'a known name')
  if (x.kind === 'reject') return [...met, `${x.status} ${x.why}`]
  const attempts = x.branches.map(({ ways }) => ways[0] as Attempt[])
  const all = attempts.flat()
  const trunks = all.filter((a) => a.kind === 'trunk')
  if (x.emergency) {
    when(true, 'emergency')
    when(source.kind === 'trunk', 'help from a PBX')
    when(source.kind === 'unknown', 'help of a stranger')
    when(q.requestUri.startsWith('urn:'), 'help by URN')
    when(x.emergencyTest, 'a test of help')
    when(
      trunks.some((a) => m.down.includes(a.trunk)),
      'help with a trunk down',
    )
    return met
  }
  const [first] = x.branches
  const stages = x.branches.flatMap(({ follows }) => follows ?? [])
  when(first?.role === 'callee' && x.callee.user, 'callee rings')
  when(x.usages, 'to the network')
  when(
    x.branches.some(({ role }) => role === 'mobile'),
    'mobile rings too',
  )
  when(stages.length > 0, 'a stage follows')
  when(
    stages.some(({ stage }) => stage > 0),
    'a stage follows a stage',
  )
  when(
    ['busy', 'no-answer', 'unreachable'].every((on) => stages.some((s) => s.stage === 0 && s.on[0] === on)),
    'busy, silent and unreachable go apart',
  )
  when(x.branches.length === 16, 'the plan is full')
  const said = all.flatMap(({ headers = [] }) =>
    headers.filter(([name]) => name === 'Diversion').map(([, value]) => value),
  )
  const always = attempts[0]?.some(({ headers }) => headers?.[0]?.[1].includes('reason=unconditional'))
  when(always && first?.role === 'forward', 'forwards always to a number')
  when(always && first?.role === 'callee', 'forwards always to a user')
  const entry = x.normalised === undefined ? undefined : oursOf(e, x.normalised)
  when(first?.role === 'callee' && x.callee.user && (attempts[0]?.length ?? 0) > 1, 'failover after phones')
  when(
    said.some((value) => value.startsWith(`<sip:${x.normalised}@${e.domain}>;reason=unavailable`)) &&
      entry?.user === undefined,
    'failover of nobody’s number',
  )
  when(entry !== undefined && e.numbers.indexOf(entry) >= e.numbers.length - e.numbersInFile, 'numbers from a file')
  when(
    said.some((value) => value.includes('privacy=full')),
    'secret Diversion',
  )
  when(
    trunks.some(({ headers }) => headers?.some(([name]) => name === 'Diversion')),
    'Diversion to a carrier',
  )
  when(
    trunks.some(({ calling }) => calling === 'anonymous'),
    'withheld',
  )
  for (const list of attempts)
    reachedTrunks(
      e,
      x,
      list.filter((a) => a.kind === 'trunk'),
      m,
      when,
    )
  when(
    x.branches.some(({ ways }) => ways.length > 1),
    'several right orders',
  )
  return [...new Set(met)]
}

/** One branch over trunks. */
function reachedTrunks(
  e: Enterprise,
  x: Expected & { kind: 'route' },
  list: readonly Attempt[],
  m: Moment,
  when: (is: unknown, feature: string) => void,
): void {
  if (list.length === 0) return
  const names = list.map(({ trunk }) => trunk)
  const up = names.filter((name) => !m.down.includes(name))
  when(up.length >= 2 && up.length < names.length, 'two trunks up and one down')
  when(up.some((name) => name in m.poor) && up.some((name) => !(name in m.poor)), 'a poor trunk among others')
  const byCost = list.length > 1 && list.some((a) => e.routes.find((r) => r.name === a.route)?.select === 'cost')
  when(byCost, 'by cost')
  when(new Set(list.map(({ route }) => route)).size > 1, 'several routes')
  when(byCost && x.normalised !== undefined && x.normalised in m.ported, 'a ported number by cost')
  when(
    names.some((name) => e.trunks[name]?.when !== undefined),
    'out of hours',
  )
  const shown = (name: string, number: string | undefined) => fields(e, name, { number, diversions: [] }).calling
  for (const { trunk, calling } of list) {
    const rule = e.trunks[trunk]?.callerId
    if (rule === undefined) continue
    const otherwise = rule.otherwise ?? 'replace'
    when(otherwise === 'replace' && calling === shown(trunk, rule.number), 'a list replaces the number')
    when(otherwise === 'suppress' && calling === 'anonymous', 'a list withholds the number')
  }
  const routes = e.routes.filter((r) => list.some((a) => a.route === r.name)).flatMap((r) => r.trunks)
  when(
    routes.some((name) => e.trunks[name]?.callerId?.otherwise === 'reject' && !names.includes(name)),
    'a list leaves a trunk out',
  )
}
