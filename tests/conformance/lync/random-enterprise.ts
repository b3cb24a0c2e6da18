/** Any enterprise at all, as small as it can be with everything in it that the router decides by. */
import type { Dice } from './dice.ts'
import type {
  Deck,
  Enterprise,
  Forward,
  OurNumber,
  Plan,
  Policy,
  Price,
  Route,
  Rule,
  Translations,
  Trunk,
  User,
  Window,
} from './enterprise.ts'

const rulePool: readonly (readonly [string, string])[] = [
  ['^(\\d{4})$', '+1425555$1'],
  ['^(1\\d{3})$', '+1425555$1'],
  ['^([2-5]\\d{3})$', '+1206555$1'],
  ['^(\\d{7})$', '+1425$1'],
  ['^(\\d{10})$', '+1$1'],
  ['^(1\\d{10})$', '+$1'],
  ['^1(\\d{10})$', '+$1'],
  ['^9?(\\d{7})$', '+1253$1'],
  ['^011(\\d+)$', '+$1'],
  ['^0(0|11)(\\d{5,12})$', '+$2'],
  ['^\\*(\\d+)$', '+1$1'],
  ['(\\d{5})', '+1$1'],
  ['^(\\d)(\\d{3})$', '+1425$2$1'],
  ['^#(\\d{2})(\\d{2})#?$', '+44$2$1'],
  ['^(\\d{3})$', '$1'],
  ['555(\\d*)$', '+1425555$1'],
  ['^\\+1(\\d{10})$', '+1$1'],
]

const translationPool: readonly (readonly [string, string])[] = [
  ['^\\+(.*)$', '$1'],
  ['^\\+1(\\d{10})$', '$1'],
  ['^\\+44(\\d+)$', '01144$1'],
  ['^\\+(1425)', '00$1'],
  ['(\\d{4})$', 'x$1'],
  ['^\\+1(206|253)(\\d{7})$', '9$2$1'],
]
/** What is made of a number must not be one of a country that the model does not know: `9…` is Myanmar's, or Turkey's. */
const inboundPool: typeof translationPool = [
  ...translationPool.filter(([, to]) => !to.startsWith('9')),
  ['^8(911|\\d{10})$', '$1'],
]
const routePool = [
  '^\\+1(425|206|253)\\d{7}$',
  '^\\+1425',
  '^\\+1\\d{10}$',
  '^\\+44',
  '^\\+',
  '^\\+',
  '^\\+(1|44)\\d{8,12}$',
  '^\\+1206555',
]
const exceptPool = ['^\\+1900', '^\\+1425555', '^\\+44207', '^\\+1206']
const prefixPool = ['1', '12', '1206', '120655', '1425', '14255551', '1253', '44', '4420', '442079', '1900', '49']
const clock = (d: Dice) => `${String(d.below(24)).padStart(2, '0')}:${d.one(['00', '15', '30', '59'])}`
function window(d: Dice): Window {
  const days = d.some(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 1)
  return {
    ...(d.chance(0.6) ? { days } : {}),
    ...(d.chance(0.7) ? { from: clock(d) } : {}),
    ...(d.chance(0.7) ? { to: clock(d) } : {}),
  }
}
export const trunkNames = ['t1', 't2', 't3', 't4']
export const userNames = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy']
export const dids = ['+14255551001', '+14255551002', '+12065552003', '+442079460001']
export const mobileOf = (i: number): string => `+1206555014${i}`
const usages = ['local', 'national', 'international', 'premium']
const planNames = ['p1', 'p2', 'p3']
const shownPool = ['^\\+1425555100', '^\\+1', '^\\+12065550', '^\\+44', '\\d{4}9000$']

/** Sometimes the value under this name. */
const maybe = <K extends string, V>(d: Dice, p: number, key: K, value: () => V): { [k in K]?: V } =>
  d.chance(p) ? ({ [key]: value() } as { [k in K]: V }) : {}
const maybePlan = (d: Dice, p: number) => maybe(d, p, 'dialPlan', () => d.one(planNames))
const maybeWhen = (d: Dice, p: number) =>
  maybe(d, p, 'when', () => Array.from({ length: 1 + d.below(2) }, () => window(d)))

/** What most plans end with, so that most calls go somewhere. */
const national: Rule[] = [
  { name: 'ten', match: '^(\\d{10})$', to: '+1$1' },
  { name: 'eleven', match: '^(1\\d{10})$', to: '+$1' },
  { name: 'abroad', match: '^011(\\d+)$', to: '+$1' },
]
function plan(d: Dice): Plan {
  const rule = (i: number): Rule => {
    const [match, to] = d.one(rulePool)
    return { name: `r${i}`, match, to, ...(d.chance(0.25) ? { internal: true } : {}) }
  }
  return {
    ...maybe(d, 0.7, 'externalPrefix', () => d.one(['9', '0', '*9', '91'])),
    rules: [...Array.from({ length: 1 + d.below(5) }, (_, i) => rule(i)), ...(d.chance(0.6) ? national : [])],
  }
}

/** Some prices are over, or still to come, in the week of the calls. */
function prices(d: Dice): Price[] {
  const week = ['2026-03-07T00:00:00Z', '2026-03-09T12:00:00Z']
  return d.some(prefixPool, 2).flatMap((prefix): Price[] => {
    const always = { prefix, perMinute: `0.00${1 + d.below(4)}` }
    const dated = { prefix, perMinute: `0.00${5 + d.below(4)}` }
    if (d.chance(0.15)) return [always, { ...dated, from: d.one(week) }]
    return [d.chance(0.15) ? { ...always, to: d.one(week) } : always]
  })
}

function translations(d: Dice, p = 0.7, pool = translationPool): Translations {
  const rules = () =>
    d
      .some(pool, 1)
      .slice(0, 3)
      .map(([match, to]) => ({ match, to }))
  return { ...maybe(d, p, 'called', rules), ...maybe(d, p, 'calling', rules) }
}

function routes(d: Dice, weighs: number): Route[] {
  // orders of routes that share calls are all tried: no more than four
  return Array.from({ length: 2 + d.below(weighs > 0 ? 3 : 5) }, (_, i) => ({
    ...{ name: `route${i}`, match: d.one(routePool), usages: d.some(usages, 1), trunks: d.some(trunkNames, 1) },
    ...maybe(d, 0.3, 'except', () => d.some(exceptPool, 1)),
    ...maybe(d, 0.3, 'priority', () => d.below(3)),
    ...maybe(d, 0.3, 'select', () => 'cost' as const),
    ...maybe(d, 0.5 * weighs, 'weight', () => 1 + d.below(9)),
    ...maybeWhen(d, 0.2),
  }))
}

function callerIdList(d: Dice): NonNullable<Trunk['callerId']> {
  const otherwise = d.one([undefined, 'replace', 'suppress', 'reject'] as const)
  return {
    allow: d.some(shownPool, 1).slice(0, 2),
    ...(otherwise === undefined ? {} : { otherwise }),
    ...(otherwise === undefined || otherwise === 'replace' || d.chance(0.3) ? { number: '+14255551000' } : {}),
  }
}

function trunk(d: Dice, weighs: number, decks: string[], routed: string[]): Trunk {
  return {
    ...{
      emergency: d.chance(0.5),
      translate: {
        outbound: translations(d),
        inbound: translations(d, 0.2, inboundPool),
      },
    },
    ...maybe(d, 0.3, 'priority', () => d.below(3)),
    ...maybe(d, 0.7, 'cost', () => d.one(decks)),
    ...maybe(d, weighs, 'weight', () => 1 + d.below(9)),
    ...maybeWhen(d, 0.2),
    ...maybe(d, 0.4, 'usages', () => d.some(routed)),
    ...maybePlan(d, 0.2),
    ...maybe(d, 0.2, 'country', () => 'GB' as const),
    ...maybe(d, 0.4, 'did', () => d.one(['request-uri', 'to', 'p-called-party-id'] as const)),
    ...maybe(d, 0.3, 'callerId', () => callerIdList(d)),
    ...maybe(d, 0.2, 'retry', () => d.some([404, 480, 486, 503], 1)),
    ...maybe(d, 0.2, 'timers', () => ({ noResponse: `${1 + d.below(9)}s`, tryingOnly: `${10 + d.below(9)}s` })),
    ...maybe(d, 0.4, 'limits', () => ({
      ...maybe(d, 0.7, 'calls', () => 1 + d.below(4)),
      ...maybe(d, 0.3, 'callsPerSecond', () => 1 + d.below(4)),
      ...maybe(d, 0.3, 'bandwidth', () => '640kbit/s'),
    })),
  }
}

function forward(d: Dice, own: string, hasMobile: boolean): Forward {
  const others = userNames.slice(0, 5).filter((name) => name !== own)
  const numbers = ['912065550177', '2065550177', '+442079460077', '+14255552010', '1001', '2003', '+14255551700']
  const target = () =>
    d.chance(0.5) ? d.one(others) : d.one([...numbers, ...(hasMobile ? ['mobile', 'mobile'] : []), dids[0] as string])
  const after = () => `${5 + d.below(30)}s`
  return {
    ...maybe(d, 0.25, 'always', target),
    ...maybe(d, 0.4, 'busy', target),
    ...maybe(d, 0.5, 'noAnswer', () => (d.chance(0.5) ? target() : { to: target(), ...maybe(d, 0.7, 'after', after) })),
    ...maybe(d, 0.3, 'unreachable', target),
    ...maybe(d, 0.3, 'after', after),
  }
}

/** The first four have DIDs, the first six extensions; the others make chains longer. */
/** Everybody forwards to others in every case: more stages than a plan has room for. */
function web(d: Dice, own: string): Forward {
  const others = () => d.one(userNames.filter((name) => name !== own))
  return { busy: others(), noAnswer: others(), unreachable: others() }
}

function user(d: Dice, i: number, chain: boolean, woven: boolean): User {
  const name = userNames[i] as string
  const hasMobile = i < 5 && d.chance(0.4)
  const onward = { forward: { always: userNames[(i + 1) % userNames.length] as string } }
  return {
    ...{ site: d.one(['hq', 'branch']), policy: d.one(['staff', 'boss']) },
    ...(i < dids.length && d.chance(0.8) ? { did: dids[i] as string } : {}),
    ...(i < 6 && d.chance(0.8)
      ? { extension: (i === 0 || i === 4) && d.chance(0.15) ? `200${i % 3}` : `100${i}` }
      : {}),
    ...(hasMobile ? { mobile: mobileOf(i), simultaneousRing: d.chance(0.8) } : {}),
    ...maybe(d, 0.3, 'name', () => `${name} of Acme`),
    ...maybe(d, 0.2, 'pool', () => 'east'),
    ...maybe(d, 0.2, 'callerId', () => '+14255551000'),
    ...maybe(d, 0.2, 'mayShow', () => d.some(shownPool, 1).slice(0, 2)),
    ...maybe(d, 0.2, 'emergencyCallback', () => '+14255551800'),
    ...maybe(d, 0.2, 'costCentre', () => 'sales'),
    ...maybePlan(d, 0.2),
    ...(woven ? { forward: web(d, name) } : {}),
    ...(woven ? {} : chain && d.chance(0.97) ? onward : maybe(d, 0.4, 'forward', () => forward(d, name, hasMobile))),
  }
}

function policy(d: Dice, routed: string[]): Policy {
  return {
    usages: d.some(routed, d.chance(0.8) ? 1 : 0),
    ...maybe(d, 0.7, 'forward', () => d.some(routed, d.chance(0.7) ? 1 : 0)),
    ...maybe(d, 0.7, 'ring', () => d.some(routed, d.chance(0.7) ? 1 : 0)),
    ...maybe(d, 0.25, 'callerId', () => d.one(['own', 'suppress', 'suppress'] as const)),
    ...maybe(d, 0.2, 'showAs', () => '+14255551500'),
    ...maybe(d, 0.3, 'mayShow', () => d.some(shownPool, 1).slice(0, 2)),
    ...maybe(d, 0.3, 'otherwise', () => d.one(['replace', 'reject'] as const)),
  }
}

/** Ranges, single numbers in and beside them, whose they are, where their calls go. */
function numbers(d: Dice, users: Record<string, User>): OurNumber[] {
  const elsewhere = ['+12065550188', '+442079460088']
  const failover = () => {
    const to = d.chance(0.5) ? d.one(userNames.slice(0, 5)) : d.one(elsewhere)
    return { failover: to, policy: d.one(['staff', 'boss']) }
  }
  const entry = (of: OurNumber, p: number): OurNumber => ({
    ...of,
    ...(d.chance(p) ? failover() : of.user === undefined ? maybe(d, 0.3, 'reserved', () => true) : {}),
  })
  const having = Object.values(users).flatMap((u) => u.did ?? [])
  return [
    ...(d.chance(0.7) ? [entry({ range: '+14255552000-+14255552099' }, 0.6)] : []),
    ...(d.chance(0.5) ? [entry({ range: '+442079460050-+442079460059' }, 0.6)] : []),
    ...having.flatMap((number) => (d.chance(0.4) ? [entry({ number }, 1)] : [])),
    ...(d.chance(0.5) ? [entry({ number: '+14255551700', user: d.one(userNames.slice(0, 5)) }, 0.5)] : []),
    ...(d.chance(0.4) ? [entry({ number: '+14255552010' }, 0.6)] : []),
    ...(d.chance(0.4) ? [entry({ number: '+12535554000' }, 0.4)] : []),
  ]
}

export function randomEnterprise(d: Dice): Enterprise {
  const decks: Record<string, Deck> = {
    minutes: { kind: 'per-minute', rows: prices(d) },
    cheap: { kind: 'per-minute', rows: prices(d) },
    bandwidth: { kind: 'bandwidth' },
  }
  // weights mean something only beside others
  const weighs = d.chance(0.5) ? 0.9 : 0
  const routed = routes(d, weighs)
  const held = [...new Set(routed.flatMap((r) => r.usages))]
  const trunks = Object.fromEntries(trunkNames.map((name) => [name, trunk(d, weighs, Object.keys(decks), held)]))
  ;(trunks.t1 as Trunk).emergency = true
  const [chain, woven] = [d.chance(0.05), d.chance(0.05)]
  const users = Object.fromEntries(userNames.map((name, i) => [name, user(d, i, chain, woven)]))
  const ours = numbers(d, users)
  return {
    ...{ timeZone: 'America/Los_Angeles', domain: 'acme.example', decks },
    ...maybePlan(d, 0.5),
    sites: {
      hq: { ...maybePlan(d, 0.7), ...maybe(d, 0.3, 'emergencyCallback', () => '+14255551700') },
      branch: { ...maybePlan(d, 0.5), ...maybe(d, 0.3, 'emergencyCallback', () => '+12065551700') },
    },
    pools: { east: maybePlan(d, 0.6) },
    dialPlans: Object.fromEntries(planNames.map((name) => [name, plan(d)])),
    policies: { staff: policy(d, held), boss: policy(d, held) },
    ...{ routes: routed, trunks, users, numbers: ours },
    numbersInFile: d.chance(0.3) ? ours.length : d.chance(0.3) ? d.below(ours.length + 1) : 0,
    emergency: {
      numbers: ['911', '112'],
      test: ['933'],
      trunks: d.some(
        trunkNames.filter((name) => trunks[name]?.emergency),
        1,
      ),
      ...maybe(d, 0.5, 'relayCentre', () => '+18005550911'),
      elins: d.chance(0.5) ? { hq: ['+14255551900'] } : {},
      deskUsers: d.chance(0.5) ? ['bob'] : [],
    },
  }
}
