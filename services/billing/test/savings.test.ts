import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import { compareWays, type SavingsCall } from '../src/domain/savings.ts'
import { readTariffs, type Tariffs } from '../src/domain/tariffs.ts'
import { blocking, busyHourErlang, channelsFor, peakConcurrency } from '../src/domain/traffic.ts'

const start = Date.UTC(2026, 10, 1)
const DAY = 86_400_000

function tariffsOf(rateDecks: Record<string, unknown>, texts: Record<string, string> = {}): Tariffs {
  const configuration = resolveConfiguration({
    domain: 'acme.example',
    edge: { listen: {}, media: { relay: 'embedded' } },
    emergency: { numbers: ['911'], trunks: [] },
    rateDecks,
  } as never)
  const reading = readTariffs(configuration, 1, texts)
  assert.equal(reading.kind, 'tariffs', JSON.stringify(reading))
  return (reading as { kind: 'tariffs'; tariffs: Tariffs }).tariffs
}

test('concurrency: the peak counts calls that are up together, not those that follow each other', () => {
  assert.equal(peakConcurrency([]), 0)
  assert.equal(
    peakConcurrency([
      { start: 0, end: 10 },
      { start: 10, end: 20 },
    ]),
    1,
  )
  assert.equal(
    peakConcurrency([
      { start: 0, end: 10 },
      { start: 9, end: 20 },
      { start: 5, end: 6 },
    ]),
    2,
  )
})

test('Erlang-B agrees with the published tables', () => {
  // 1 % blocking: 10 channels carry 4.46 E, 30 carry 20.3 E (table of the Erlang-B formula)
  assert.ok(Math.abs(blocking(4.46, 10) - 0.01) < 0.0002)
  assert.ok(Math.abs(blocking(20.3, 30) - 0.01) < 0.0002)
  assert.equal(channelsFor(4.46, 0.0101), 10)
  assert.equal(channelsFor(0, 0.01), 0)
  assert.equal(
    busyHourErlang([
      { start: 0, end: 1_800_000 },
      { start: 3_000_000, end: 4_200_000 },
    ]),
    (1800 + 600) / 3600,
  )
})

/** Two sites that are busy at different times of day: 20 calls of 10 minutes at once each. */
const calls: SavingsCall[] = ['hq', 'branch'].flatMap((site, i) =>
  Array.from({ length: 20 }, () => ({
    site,
    start: start + i * 12 * 3_600_000,
    durationMs: 600_000,
    number: '12065550100',
  })),
)

test('the same calls priced four ways, each figure by hand', () => {
  const texts = { 'a.csv': 'prefix,perMinute\n1,0.0100\n' }
  const tariffs = tariffsOf({ a: { kind: 'per-minute', currency: 'USD', file: 'a.csv', increments: '6/6' } }, texts)
  const samples = [{ bytesIn: 3_000_000_000, bytesOut: 1 }]
  const savings = compareWays(calls, samples, { start, end: start + 30.4375 * DAY }, tariffs, {
    'blocking-target': '1',
  })
  const monthly = Object.fromEntries(savings.ways.map((way) => [way.name, way.monthly]))
  // 2 PRI × 400 + 2 gateways × 150 + 400 min × 0.02; 400 min × 0.01; 20 channels = 4 packs × 100; p95 is 0: commit 1 × 12.50
  assert.deepEqual(monthly, {
    'pri-per-site': '1108.00',
    'sip-per-minute': '4.00',
    'channel-packs': '400.00',
    'bandwidth-p95': '12.50',
  })
  assert.equal(savings.inputs['pooling-gain-channels'], '20')
  assert.equal(savings.inputs['pri-monthly'], '400')
})

test('minutes of a shorter period are scaled to a month, and every assumption can be replaced', () => {
  const tariffs = tariffsOf({})
  const given = { 'sip-per-minute': '0.02', 'blocking-target': '1', 'pack-channels': '23', 'pack-monthly': '299.99' }
  const savings = compareWays(calls, [], { start, end: start + DAY }, tariffs, given)
  const monthly = Object.fromEntries(savings.ways.map((way) => [way.name, way.monthly]))
  assert.equal(monthly['sip-per-minute'], '243.50') // 400 min × 0.02 × 30.4375
  assert.equal(monthly['channel-packs'], '299.99')
  assert.equal(savings.inputs['sip-per-minute'], '0.02')
  assert.throws(() => compareWays(calls, [], { start, end: start }, tariffs, { colour: '1' }), /no input colour/)
  assert.throws(() => compareWays(calls, [], { start, end: start }, tariffs, { 'pri-monthly': 'free' }), /pri-monthly/)
})
