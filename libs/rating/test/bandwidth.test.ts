import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMoney, parseMoney } from '@tandem/money/money.ts'
import fc from 'fast-check'
import {
  type BandwidthTerms,
  meanKbits,
  percentile,
  rateBandwidth,
  spreadOverWindows,
  WINDOW_MS,
  wireBytes,
  wireRate,
} from '../src/bandwidth.ts'

const terms: BandwidthTerms = {
  percentile: 95,
  directions: 'larger-percentile',
  missing: 'zero',
  commit: parseMoney('5'),
  increment: parseMoney('1'),
  price: parseMoney('12.50'),
  burst: parseMoney('18'),
  rounding: 'half-up',
  decimals: 2,
}

/** Bytes of a window at a mean of so many Mbit/s. */
const at = (mbit: number) => Math.round((mbit * 1_000_000 * 300) / 8)

test('one G.711 call takes 87.2 kbit/s each way on Ethernet, one G.729 call 31.2', () => {
  assert.equal(wireRate(160), 87_200)
  assert.equal(wireRate(20), 31_200)
  // A 5-minute G.711 call as the relay counts it: 15,000 packets of 200 bytes with their IP header.
  assert.equal(meanKbits({ bytesIn: wireBytes(15_000, 3_000_000), bytesOut: 0 }), 87.2)
})

test('nearest rank: the 95th of 1 to 100 is 95, of 20 values the 19th', () => {
  assert.equal(
    percentile(
      Array.from({ length: 100 }, (_, i) => 100 - i),
      95,
    ),
    95,
  )
  assert.equal(
    percentile(
      Array.from({ length: 20 }, (_, i) => i + 1),
      95,
    ),
    19,
  )
  assert.equal(percentile([7], 95), 7)
  assert.equal(percentile([], 95), 0)
})

test('bursts in 5 % of the windows are free, one window more is not', () => {
  const month = 8640
  const busy = (windows: number) => [
    ...Array.from({ length: windows }, () => ({ bytesIn: at(8.2), bytesOut: 0 })),
    ...Array.from({ length: month - windows }, () => ({ bytesIn: at(2), bytesOut: at(1) })),
  ]
  assert.equal(formatMoney(rateBandwidth(busy(432), month, terms).amount), '62.5')
  const charge = rateBandwidth(busy(433), month, terms)
  assert.equal(formatMoney(charge.measured), '8.2')
  assert.equal(formatMoney(charge.billedAboveCommit), '4')
  assert.equal(formatMoney(charge.amount), '134.5')
})

test('a window without a sample counts as zero or not at all, as the terms say', () => {
  const samples = Array.from({ length: 10 }, () => ({ bytesIn: at(9), bytesOut: at(9) }))
  assert.equal(formatMoney(rateBandwidth(samples, 8640, terms).measured), '0')
  assert.equal(formatMoney(rateBandwidth(samples, 8640, { ...terms, missing: 'left-out' }).measured), '9')
})

test('the two ways of joining directions differ where in and out are busy at different times', () => {
  const samples = [
    ...Array.from({ length: 50 }, () => ({ bytesIn: at(4), bytesOut: 0 })),
    ...Array.from({ length: 4 }, () => ({ bytesIn: at(9), bytesOut: 0 })),
    ...Array.from({ length: 4 }, () => ({ bytesIn: 0, bytesOut: at(9) })),
    ...Array.from({ length: 42 }, () => ({ bytesIn: 0, bytesOut: at(1) })),
  ]
  assert.equal(formatMoney(rateBandwidth(samples, 100, terms).measured), '4')
  assert.equal(formatMoney(rateBandwidth(samples, 100, { ...terms, directions: 'percentile-of-larger' }).measured), '9')
})

test('a leg over several windows gives each its share, and the shares add up', () => {
  const start = 10 * WINDOW_MS + 240_000
  const shares = spreadOverWindows(start, start + 420_000, 420_000, 1)
  assert.deepEqual(
    shares.map((s) => [s.window / WINDOW_MS, s.bytesIn]),
    [
      [10, 60_000],
      [11, 300_000],
      [12, 60_000],
    ],
  )
  assert.deepEqual(spreadOverWindows(start, start, 5, 6), [{ window: 10 * WINDOW_MS, bytesIn: 5, bytesOut: 6 }])
  const nat = fc.nat(2_000_000_000)
  fc.assert(
    fc.property(nat, fc.nat(90_000_000), nat, nat, (from, length, bytesIn, bytesOut) => {
      const parts = spreadOverWindows(from, from + length, bytesIn, bytesOut)
      assert.equal(
        parts.reduce((total, part) => total + part.bytesIn, 0),
        bytesIn,
      )
      assert.equal(
        parts.reduce((total, part) => total + part.bytesOut, 0),
        bytesOut,
      )
      assert.ok(parts.every((part) => part.window + WINDOW_MS > from && part.window <= from + length))
    }),
  )
})
