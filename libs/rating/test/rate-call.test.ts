import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMoney, parseMoney } from '@tandem/money/money.ts'
import { type Deck, readDeck } from '../src/deck.ts'
import { billedDuration, DEFAULT_TERMS, explainRating, type RatingTerms, rateCall } from '../src/rate-call.ts'

const reading = readDeck(
  'prefix,name,connect,perMinute,from,to\n1,North America,0,0.0125,,\n1206,Seattle,0.01,0.0175,,\n44,UK,0,0.02,2026-06-01,\n',
  { name: 'itsp-a-minutes', currency: 'USD', timeZone: 'UTC' },
)
assert.equal(reading.kind, 'deck')
const deck = (reading as { kind: 'deck'; deck: Deck }).deck
const six: RatingTerms = { ...DEFAULT_TERMS, firstMs: 6000, nextMs: 6000 }
const at = Date.UTC(2026, 10, 23)

function amountOf(number: string, seconds: number, terms: RatingTerms = six): string {
  const rating = rateCall({ number, startedAt: at, durationMs: seconds * 1000 }, deck, terms)
  return rating.kind === 'rated' ? formatMoney(rating.amount) : rating.kind
}

test('6/6 bills 61 s as 66 s, with the connect fee, rounded once to 4 decimals', () => {
  // 66 s × 0.0175/min = 0.01925, + 0.01
  assert.equal(amountOf('+12065550100', 61), '0.0293')
  assert.equal(amountOf('+12065550100', 61, { ...six, rounding: 'down' }), '0.0292')
  assert.equal(amountOf('+12065550100', 61, { ...six, rounding: 'half-even' }), '0.0292')
  assert.equal(amountOf('+12065550100', 61, { ...six, decimals: 2, rounding: 'up' }), '0.03')
})

test('increments: 60/60, 30/6, 6/6, 1/1 and to the millisecond', () => {
  const billed = (first: number, next: number, seconds: number) =>
    billedDuration(seconds * 1000, { ...DEFAULT_TERMS, firstMs: first * 1000, nextMs: next * 1000 }) / 1000
  assert.deepEqual([billed(60, 60, 0.001), billed(60, 60, 60), billed(60, 60, 60.001)], [60, 60, 120])
  assert.deepEqual([billed(30, 6, 1), billed(30, 6, 30), billed(30, 6, 31), billed(30, 6, 37)], [30, 30, 36, 42])
  assert.deepEqual([billed(6, 6, 6), billed(6, 6, 7)], [6, 12])
  assert.deepEqual([billed(1, 1, 1), billed(1, 1, 1.2)], [1, 2])
  assert.deepEqual([billed(0, 0, 2.654), billed(60, 0, 61.5)], [2.654, 61.5])
})

test('a call that was not answered costs nothing, not even the connect fee', () => {
  assert.equal(amountOf('+12065550100', 0), '0')
})

test('grace, minimum and the most a call may cost', () => {
  assert.equal(amountOf('+12065550100', 3, { ...six, graceMs: 3000 }), '0')
  assert.equal(amountOf('+12065550100', 3.001, { ...six, graceMs: 3000 }), '0.0118')
  assert.equal(amountOf('+14255550100', 3, { ...six, minimumMs: 60_000 }), '0.0125')
  assert.equal(amountOf('+14255550100', 86_400, { ...six, maxCost: parseMoney('5') }), '5')
})

test('a number that the deck does not know is said to be so', () => {
  assert.equal(amountOf('+33123456789', 60), 'no-prefix')
  assert.equal(
    rateCall({ number: '+44207', startedAt: Date.UTC(2026, 0, 1), durationMs: 1 }, deck, six).kind,
    'no-prefix',
  )
})

test('the explanation carries all that is needed to compute it by hand', () => {
  const rating = rateCall({ number: '+12065550100', startedAt: at, durationMs: 61_000 }, deck, six)
  assert.ok(rating.kind === 'rated')
  assert.equal(
    explainRating(rating),
    `deck itsp-a-minutes@${deck.version}, prefix 1206 (Seattle): 66 s billed (6/6) × 0.0175/min + 0.01 connect, half-up to 4 decimals = 0.0293 USD`,
  )
})
