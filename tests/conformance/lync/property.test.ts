/**
 * Random enterprises and calls: the product decides as the slow model does. `npm test` tries 3,000 calls;
 * TANDEM_PROPERTY_CASES=100000 tries that many, TANDEM_PROPERTY_SEED begins elsewhere.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { RouteDecision, RouteQuestion } from '@tandem/contracts/routing.ts'
import { compileTable } from '@tandem/routing/domain/compile-table.ts'
import { decideRoute } from '@tandem/routing/domain/decide-route.ts'
import {
  type Caller,
  type Deck,
  type Enterprise,
  type Expected,
  expectCall,
  type Moment,
  type Plan,
  type Rule,
  type Window,
} from './slow-model.ts'

const cases = Number(process.env.TANDEM_PROPERTY_CASES ?? 3000)
const firstSeed = Number(process.env.TANDEM_PROPERTY_SEED ?? 1)
const callsEach = 50
/** A week of daylight saving's beginning in Los Angeles: 8 March 2026, 02:00. */
const week = Date.parse('2026-03-05T00:00:00Z')
const timeZone = 'America/Los_Angeles'

type Dice = ReturnType<typeof dice>
/** mulberry32: the same seed, the same enterprise. */
function dice(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    below,
    chance: (p: number) => next() < p,
    one: <T>(list: readonly T[]): T => list[below(list.length)] as T,
    /** Between `least` and all of them, in any order. */
    some: <T>(list: readonly T[], least = 0): T[] => {
      const left = [...list]
      const taken: T[] = []
      const wanted = least + below(list.length - least + 1)
      while (taken.length < wanted) taken.push(...left.splice(below(left.length), 1))
      return taken
    },
    digits: (n: number) => Array.from({ length: n }, () => below(10)).join(''),
  }
}

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
const routePool = [
  '^\\+1(425|206|253)\\d{7}$',
  '^\\+1425',
  '^\\+1\\d{10}$',
  '^\\+44',
  '^\\+',
  '^\\+(1|44)\\d{8,12}$',
  '^\\+1206555',
]
const exceptPool = ['^\\+1900', '^\\+1425555', '^\\+44207', '^\\+1206']
const usages = ['local', 'national', 'international', 'premium']
const names = ['alice', 'bob', 'carol', 'dave']
const dids = ['+14255551001', '+14255551002', '+12065552003', '+442079460001']

const prefixPool = ['1', '12', '1206', '120655', '1425', '14255551', '1253', '44', '4420', '442079', '1900', '49']
function rows(d: Dice): [string, string][] {
  return d.some(prefixPool, 2).map((prefix) => [prefix, `0.00${1 + d.below(4)}`])
}

const clock = (d: Dice) => `${String(d.below(24)).padStart(2, '0')}:${d.one(['00', '15', '30', '59'])}`
function window(d: Dice): Window {
  const days = d.some(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 1)
  return {
    ...(d.chance(0.6) ? { days } : {}),
    ...(d.chance(0.7) ? { from: clock(d) } : {}),
    ...(d.chance(0.7) ? { to: clock(d) } : {}),
  }
}

function enterprise(d: Dice): Enterprise {
  const rule = (i: number): Rule => {
    const [match, to] = d.one(rulePool)
    return { name: `r${i}`, match, to, ...(d.chance(0.25) ? { internal: true } : {}) }
  }
  const plan = (): Plan => ({
    ...(d.chance(0.7) ? { externalPrefix: d.one(['9', '0', '*9', '91']) } : {}),
    rules: Array.from({ length: 1 + d.below(6) }, (_, i) => rule(i)),
  })
  const plans = ['p1', 'p2', 'p3']
  const decks: Record<string, Deck> = {
    minutes: { kind: 'per-minute', rows: rows(d) },
    cheap: { kind: 'per-minute', rows: rows(d) },
    bandwidth: { kind: 'bandwidth' },
  }
  const trunks = ['t1', 't2', 't3']
  const maybePlan = (p: number) => (d.chance(p) ? { dialPlan: d.one(plans) } : {})
  const translations = () => {
    const list = d.some(translationPool).slice(0, 3)
    return list.length === 0 ? undefined : list.map(([match, to]) => ({ match, to }))
  }
  const when = (p: number): { when?: Window[] } =>
    d.chance(p) ? { when: Array.from({ length: 1 + d.below(2) }, () => window(d)) } : {}
  // weights mean something only beside others
  const weighs = d.chance(0.5) ? 0.9 : 0
  const weight = (p: number) => (d.chance(p * weighs) ? { weight: 1 + d.below(9) } : {})
  const routes = Array.from({ length: 1 + d.below(6) }, (_, i) => ({
    ...{ name: `route${i}`, match: d.one(routePool), usages: d.some(usages, 1), trunks: d.some(trunks, 1) },
    ...(d.chance(0.3) ? { except: d.some(exceptPool, 1) } : {}),
    ...(d.chance(0.3) ? { priority: d.below(3) } : {}),
    ...(d.chance(0.3) ? { select: 'cost' as const } : {}),
    ...{ ...weight(0.5), ...when(0.2) },
  }))
  const routed = [...new Set(routes.flatMap((r) => r.usages))]
  const trunk = () => {
    const [called, callingRules] = [translations(), translations()]
    const outbound = { ...(called ? { called } : {}), ...(callingRules ? { calling: callingRules } : {}) }
    return {
      ...{ emergency: d.chance(0.5), translate: { outbound } },
      ...(d.chance(0.3) ? { priority: d.below(3) } : {}),
      ...(d.chance(0.7) ? { cost: d.one(Object.keys(decks)) } : {}),
      ...{ ...weight(1), ...when(0.2) },
      ...(d.chance(0.3) ? { usages: d.some(routed) } : {}),
    }
  }
  const user = (i: number) => ({
    ...{ site: d.one(['hq', 'branch']), policy: d.one(['staff', 'boss']) },
    ...(d.chance(0.8) ? { did: dids[i] as string } : {}),
    ...(d.chance(0.8) ? { extension: `100${i}` } : {}),
    ...(d.chance(0.4) ? { mobile: `+1206555014${i}`, simultaneousRing: true } : {}),
    ...(d.chance(0.2) ? { callerId: '+14255551000' } : {}),
    ...maybePlan(0.2),
  })
  const policy = () => ({ usages: d.some(routed), ring: d.some(routed) })
  const built = Object.fromEntries(trunks.map((name) => [name, trunk()]))
  ;(built.t1 as { emergency: boolean }).emergency = true
  const able = trunks.filter((name) => built[name]?.emergency)
  return {
    ...{ timeZone, decks },
    ...maybePlan(0.5),
    sites: { hq: maybePlan(0.7), branch: maybePlan(0.5) },
    dialPlans: Object.fromEntries(plans.map((name) => [name, plan()])),
    policies: { staff: policy(), boss: policy() },
    routes,
    trunks: built,
    users: Object.fromEntries(names.map((name, i) => [name, user(i)])),
    emergency: {
      ...{ numbers: ['911', '112'], test: ['933'], trunks: d.some(able, 1) },
      ...(d.chance(0.5) ? { relayCentre: '+18005550911' } : {}),
      elins: d.chance(0.5) ? { hq: ['+14255551900'] } : {},
      deskUsers: d.chance(0.5) ? ['bob'] : [],
    },
  }
}

/** The same as a person writes it: JSON is YAML. */
function written(e: Enterprise): string {
  const { deskUsers, ...emergency } = e.emergency
  const { decks, ...rest } = e
  const deck = (of: Deck, name: string) => ({
    ...(of.kind === 'bandwidth'
      ? { kind: of.kind, currency: 'USD', commit: '5Mbit/s', price: '12.50' }
      : { kind: of.kind, currency: 'USD', file: `${name}.csv` }),
  })
  const site = (s: object) => ({ networks: ['10.0.0.0/8'], ...s })
  const entries = <T, R>(record: Record<string, T>, build: (value: T, i: number) => R) =>
    Object.fromEntries(Object.entries(record).map(([name, value], i) => [name, build(value, i)]))
  return JSON.stringify({
    ...rest,
    rateDecks: Object.fromEntries(Object.entries(decks).map(([name, of]) => [name, deck(of, name)])),
    ...{ version: 1, domain: 'acme.example', country: 'US' },
    edge: { listen: { inside: { url: 'udp://127.0.0.1:5060' } }, media: { relay: 'embedded', address: '127.0.0.1' } },
    sites: { hq: site(e.sites.hq ?? {}), branch: { ...e.sites.branch } },
    trunks: entries(e.trunks, (t, i) => ({
      ...t,
      to: ['sip:192.0.2.1'],
      from: [`192.0.2.${i + 1}`],
      listener: 'inside',
    })),
    users: entries(e.users, (u) => ({ ...u, password: { env: 'PASSWORD' } })),
    emergency: { ...emergency, ...(deskUsers.length ? { desk: deskUsers.map((n) => `sip:${n}@acme.example`) } : {}) },
  })
}

/** The vendors' files. */
function csv(e: Enterprise): Record<string, string> {
  return Object.fromEntries(
    Object.entries(e.decks).flatMap(([name, deck]) =>
      deck.kind === 'bandwidth'
        ? []
        : [
            [
              `${name}.csv`,
              ['prefix,name,connect,perMinute', ...deck.rows.map(([p, m]) => `${p},x,0,${m}`)].join('\n'),
            ],
          ],
    ),
  )
}

function momentOf(d: Dice): Moment {
  const trunks = ['t1', 't2', 't3']
  const some = (p: number) => (d.chance(p) ? d.some(trunks) : [])
  return { at: week + d.below(8 * 24 * 60) * 60_000 + d.below(60_000), down: some(0.25), poor: some(0.25) }
}

function dial(d: Dice): string {
  const number = d.one([
    ...[
      '1001',
      '1002',
      '1003',
      '2003',
      '555',
      '0',
      '#1234',
      '*1001',
      d.digits(4),
      d.digits(7),
      d.digits(1 + d.below(12)),
    ],
    ...[`206555${d.digits(4)}`, `1206555${d.digits(4)}`, `01144207946${d.digits(4)}`, `+1425555${d.digits(4)}`],
    ...[
      ...dids,
      '911',
      '933',
      '112',
      '+911',
      'alice',
      'dave',
      'zed',
      'bob12345',
      '',
      '+',
      '+19005550100',
      '(206) 555-0100',
    ],
  ])
  return d.chance(0.4) ? d.one(['9', '0', '*9', '91']) + number : number
}

function call(d: Dice): { caller: Caller; dialled: string } {
  if (d.chance(0.7)) return { caller: { user: d.one(names), site: d.one(['hq', 'branch']) }, dialled: dial(d) }
  const did = d.one([...dids, `+1425555${d.digits(4)}`, `+1206555${d.digits(4)}`, `+4420794${d.digits(5)}`])
  const american = did.startsWith('+1') ? [did.slice(1), did.slice(2)] : []
  const dialled = d.one([did, ...american, '911', '9911', 'nobody'])
  return {
    caller: { trunk: d.one(['t1', 't2', 't3']), number: d.one(['+12125550123', '+442079460999', '+12065550140']) },
    dialled,
  }
}

function question({ caller, dialled }: ReturnType<typeof call>, at: number, callId: string): RouteQuestion {
  return {
    ...{ callId, sourceAddress: '192.0.2.1', dialled, at: new Date(at).toISOString() },
    requestUri: `sip:${encodeURIComponent(dialled)}@acme.example`,
    source: 'user' in caller ? { kind: 'user', ...caller } : { kind: 'trunk', trunk: caller.trunk },
    from: { number: 'number' in caller ? caller.number : '' },
  }
}

function seen(decision: RouteDecision): Expected {
  if (decision.kind === 'reject') return { reject: decision.status }
  const { emergency, normalised, usage, branches } = decision
  return {
    emergency,
    ...(normalised === undefined ? {} : { normalised }),
    ...(usage === undefined ? {} : { usage }),
    branches: branches.map(({ role, attempts }) => {
      const steps = attempts.map((a) => (a.kind === 'user' ? a.user : `${a.trunk} ${a.called} ${a.calling}`))
      return `${role}: ${steps.join(', ')}`
    }),
  }
}

test(`${cases} random calls through random enterprises are decided as the slow model of Lync decides them`, () => {
  const met = new Map<string, number>()
  let choices = 0
  for (let done = 0, seed = firstSeed; done < cases; seed++) {
    const d = dice(seed)
    const e = enterprise(d)
    const text = written(e)
    const checked = checkConfiguration({ files: [{ path: 'random.yaml', text }], lint: false })
    assert.ok(checked.kind === 'ok', `seed ${seed}: ${JSON.stringify(checked.kind === 'bad' && checked.problems)}`)
    const table = compileTable(checked.configuration, { revision: 1, decks: csv(e) })
    for (let i = 0; i < callsEach && done < cases; i++, done++) {
      const asked = call(d)
      const moment = momentOf(d)
      const expected = expectCall(e, asked.caller, asked.dialled, moment)
      const poor = new Map(moment.poor.map((name) => [name, { why: '', probe: 0 }]))
      const circumstances = { down: new Set(moment.down), poor }
      const decision = decideRoute(question(asked, moment.at, `call-${done}`), table, moment.at, circumstances)
      const decided = JSON.stringify(seen(decision))
      if (!expected.some((one) => JSON.stringify(one) === decided))
        assert.deepEqual([seen(decision)], expected, `seed ${seed}: ${JSON.stringify({ asked, moment })} in ${text}`)
      choices += Number(expected.length > 1)
      const [first] = expected as [Expected]
      const kind =
        'reject' in first
          ? String(first.reject)
          : first.emergency
            ? 'emergency'
            : ((first.branches[0] ?? '').split(/[: ]/)[0] as string)
      met.set(kind, (met.get(kind) ?? 0) + 1)
    }
  }
  // The dice must not all fall on one side: every kind of answer was met.
  for (const kind of ['403', '404', '484', 'emergency', 'callee'])
    assert.ok((met.get(kind) ?? 0) > cases / 100, `${kind}: ${met.get(kind)} of ${cases}`)
  assert.ok(choices > cases / 100, `weights left a choice in ${choices} of ${cases} calls only`)
})
