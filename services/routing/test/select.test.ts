/** routing.md R3: priority, cost, weight and time windows of trunks; vendor decks in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileTable } from '../src/domain/compile-table.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { compilePrices } from '../src/domain/price-tree.ts'
import { ask, configurationWith, decide, from, plan, refusal, tableWith, tuesday, walk } from './acme.ts'

const outside = '912065550100'
const a = (text: string) => ['    cost: itsp-a-minutes', `    cost: itsp-a-minutes\n    ${text}`] as const
const b = (text: string) => ['    cost: itsp-b-bandwidth', `    cost: itsp-b-bandwidth\n    ${text}`] as const
const header = 'prefix,name,connect,perMinute,from,to'

test('a trunk of lower priority number comes first, however it is listed', () => {
  assert.deepEqual(walk(decide(from.bob, outside, {}, tableWith(a('priority: 2'), b('priority: 1')))), [
    'callee: itsp-b +12065550100, itsp-a 12065550100',
  ])
})
test('trunks of equal priority share the calls by weight, and the same call always goes the same way', () => {
  const table = tableWith(a('weight: 3'), b('weight: 1'))
  const firsts = Array.from(
    { length: 2000 },
    (_, i) => walk(decide(from.bob, outside, { callId: `call-${i}` }, table))[0],
  )
  const share = firsts.filter((line) => line?.startsWith('callee: itsp-a')).length / firsts.length
  assert.ok(share > 0.7 && share < 0.8, `${share} instead of 0.75`)
  assert.equal(walk(decide(from.bob, outside, { callId: 'call-7' }, table))[0], firsts[7])
})
test('a trunk is used within its hours only; when none is open the call is refused with the reason', () => {
  const office = "when: [{ days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00' }]"
  const night = "when: [{ from: '18:00', to: '08:00' }]"
  assert.deepEqual(walk(decide(from.bob, outside, {}, tableWith(a(night)))), ['callee: itsp-b +12065550100'])
  assert.deepEqual(walk(decide(from.bob, outside, {}, tableWith(a(office), b(night)))), ['callee: itsp-a 12065550100'])
  const { status, reason } = refusal(decide(from.bob, outside, {}, tableWith(a(night), b(night))))
  assert.equal(status, 403)
  assert.match(reason, /may not be called at this time/)
  assert.equal(plan(decide(from.bob, '911', {}, tableWith(a(night), b(night)))).emergency, true, 'R7: never 911')
})

const cost = (csvA: string, csvB: string, ...changes: (readonly [string, string])[]) => {
  const configuration = configurationWith(
    [
      'usages: [local],         trunks: [itsp-a, itsp-b]',
      'usages: [local],         trunks: [itsp-a, itsp-b], select: cost',
    ],
    ['cost: itsp-b-bandwidth', 'cost: itsp-b-minutes'],
    ['rateDecks:', 'rateDecks:\n  itsp-b-minutes: { kind: per-minute, currency: USD, file: b.csv }'],
    ...changes,
  )
  return compileTable(configuration, { revision: 1, decks: { 'rates/itsp-a.csv': csvA, 'b.csv': csvB } })
}
const order = (table: ReturnType<typeof cost>, now = tuesday) =>
  plan(decideRoute(ask(from.bob, outside), table, now)).branches[0]?.attempts.map((x) => x.kind === 'trunk' && x.trunk)

test('select: cost takes the cheapest first, by the longest prefix of each deck', () => {
  assert.deepEqual(order(cost(`${header}\n1,US,0,0.005,,`, `${header}\n1,US,0,0.001,,\n1206,Seattle,0,0.009,,`)), [
    'itsp-a',
    'itsp-b',
  ])
  assert.deepEqual(order(cost(`${header}\n1,US,0,0.005,,`, `${header}\n1,US,0,0.009,,\n1206,Seattle,0,0.001,,`)), [
    'itsp-b',
    'itsp-a',
  ])
})
test('select: cost heeds priority first, and a trunk without a price comes last', () => {
  const cheapB = [`${header}\n1,US,0,0.005,,`, `${header}\n1,US,0,0.001,,`] as const
  assert.deepEqual(order(cost(...cheapB, ['cost: itsp-b-minutes', 'cost: itsp-b-minutes\n    priority: 5'])), [
    'itsp-a',
    'itsp-b',
  ])
  assert.deepEqual(order(cost(`${header}\n44,UK,0,0.005,,`, `${header}\n1,US,0,9,,`)), ['itsp-b', 'itsp-a'])
})
test('select: cost uses the price that is in effect at the time of the call', () => {
  const changed = `${header}\n1,US,0,0.001,2026-01-01T00:00:00Z,2026-04-01T00:00:00Z\n1,US,0,0.009,2026-04-01T00:00:00Z,`
  const table = cost(`${header}\n1,US,0,0.005,,`, changed)
  assert.deepEqual(order(table), ['itsp-b', 'itsp-a'])
  assert.deepEqual(order(table, Date.parse('2026-05-05T17:00:00Z')), ['itsp-a', 'itsp-b'])
})

test('a deck of 200,000 prefixes gives the price of the longest one, as a plain search does', () => {
  const prices = new Map<string, number>()
  for (let i = 0; prices.size < 200_000; i++) {
    const digits = String((i * 2_654_435_761) % 10_000_000_000).slice(0, 1 + (i % 8))
    if (!prices.has(digits)) prices.set(digits, (i % 9973) / 1e4)
    if (i > 3_000_000) break
  }
  const lines = [...prices].map(([digits, price]) => `${digits},x,0,${price},,`)
  const find = compilePrices(`${header}\n${lines.join('\n')}`)
  for (let i = 0; i < 20_000; i++) {
    const digits = String(10_000_000_000 + ((i * 48_271_001) % 89_999_999_999))
    let slow: number | undefined
    for (let n = digits.length; n >= 0 && slow === undefined; n--) slow = prices.get(digits.slice(0, n))
    assert.equal(find(digits, tuesday), slow, digits)
  }
})
