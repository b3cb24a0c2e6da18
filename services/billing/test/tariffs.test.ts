import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRevision, writeRevision } from '@tandem/config/revision.ts'
import { formatMoney } from '@tandem/money/money.ts'
import { priceLeg } from '../src/domain/price-leg.ts'
import { readTariffs, type Tariffs } from '../src/domain/tariffs.ts'
import { callOf, DECK, REVISION } from './platform.ts'

const read = readRevision(writeRevision(REVISION))
assert.equal(read.kind, 'ok')
const { configuration } = read as Extract<typeof read, { kind: 'ok' }>
const texts = { 'rates/a.csv': DECK }

function tariffs(before?: Tariffs): Tariffs {
  const reading = readTariffs(configuration, 1, texts, before)
  assert.equal(reading.kind, 'tariffs', JSON.stringify(reading))
  return (reading as { kind: 'tariffs'; tariffs: Tariffs }).tariffs
}

test('a deck whose text is the same is not read again, a changed one is', () => {
  const first = tariffs()
  const again = tariffs(first)
  const deckOf = (all: Tariffs) => (all.ofTrunk('itsp-a') as { deck: unknown }).deck
  assert.equal(deckOf(again), deckOf(first))
  const changed = readTariffs(configuration, 2, { 'rates/a.csv': `${DECK}44,UK,0,1,,\n` }, first)
  assert.ok(changed.kind === 'tariffs')
  assert.notEqual(deckOf(changed.tariffs), deckOf(first))
})

test('a wrong deck is refused with its file and line', () => {
  const missing = readTariffs(configuration, 1, {})
  assert.deepEqual(missing, {
    kind: 'bad',
    problems: ['rate deck minutes, rates/a.csv: the file did not come with the revision'],
  })
  const wrong = readTariffs(configuration, 1, { 'rates/a.csv': 'prefix,perMinute\nx,1\n' })
  assert.deepEqual(wrong, {
    kind: 'bad',
    problems: ['rate deck minutes, rates/a.csv line 2, prefix: "x" is not a prefix of digits'],
  })
})

test('bandwidth terms are exact Mbit/s', () => {
  const tariff = tariffs().ofTrunk('itsp-b')
  assert.ok(tariff?.kind === 'bandwidth')
  assert.deepEqual(
    [tariff.terms.commit, tariff.terms.price, tariff.terms.burst].map((m) => formatMoney(m)),
    ['5', '12.5', '18'],
  )
})

test('what is free, what is unrated, and who pays at cost', () => {
  const all = tariffs()
  const [user, trunk] = callOf(1)
  assert.equal(priceLeg(user, all).cost.kind, 'free')
  assert.equal(priceLeg(user, all).price, undefined)
  const { answeredAt: _, ...unanswered } = trunk
  assert.equal(priceLeg({ ...unanswered, durationMs: 0 }, all).cost.explanation, 'not answered')
  assert.equal(priceLeg({ ...trunk, durationMs: 0 }, all).cost.kind, 'per-minute', 'answered, and over at once')
  assert.equal(priceLeg({ ...trunk, emergency: true }, all).cost.explanation, 'emergency call')
  assert.equal(priceLeg({ ...trunk, to: '+442079460000' }, all).cost.kind, 'unrated')
  assert.equal(priceLeg({ ...trunk, party: { kind: 'trunk', trunk: 'itsp-z' } }, all).cost.kind, 'unrated')
  const support = priceLeg({ ...trunk, costCentre: 'support' }, all)
  assert.deepEqual(support.price, support.cost)
  assert.equal(priceLeg(trunk, all).price?.amount, '0.0322')
  assert.match(priceLeg(trunk, all).price?.explanation ?? '', /× 1\.1, half-up to 4 decimals = 0\.0322 USD$/)
})

test('a leg to the mobile is billed by the number of the mobile, a forwarded one by where it went', () => {
  const [, trunk] = callOf(1)
  const did = { ...trunk, to: '+14255551001', sent: '2065550142' }
  assert.equal(priceLeg({ ...did, role: 'mobile' }, tariffs()).cost.prefix, '1206')
  assert.equal(priceLeg({ ...did, role: 'forward', sent: '+12065550199' }, tariffs()).cost.prefix, '1206')
  assert.equal(priceLeg(did, tariffs()).cost.prefix, '1')
})
