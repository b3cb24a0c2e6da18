import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantOfLocal, monthAround, readInstant } from '../src/zone-time.ts'

const zone = 'America/Los_Angeles'
const iso = (instant: number | undefined) => (instant === undefined ? undefined : new Date(instant).toISOString())

test('local times are read in the zone, on both sides of the change to summer time', () => {
  assert.equal(iso(readInstant('2026-01-31', zone)), '2026-01-31T08:00:00.000Z')
  assert.equal(iso(readInstant('2026-07-01T08:30', zone)), '2026-07-01T15:30:00.000Z')
  assert.equal(iso(readInstant('2026-07-01T08:30:00Z', zone)), '2026-07-01T08:30:00.000Z')
  assert.equal(readInstant('2026-02-30', zone), undefined)
  assert.equal(readInstant('tomorrow', zone), undefined)
})

test('a skipped local time is the moment of the change, a repeated one its first occurrence', () => {
  // 2026-03-08 02:00 jumps to 03:00; 2026-11-01 02:00 falls back to 01:00.
  assert.equal(iso(instantOfLocal(Date.UTC(2026, 2, 8, 2, 30), zone)), '2026-03-08T10:00:00.000Z')
  assert.equal(iso(instantOfLocal(Date.UTC(2026, 10, 1, 1, 30), zone)), '2026-11-01T08:30:00.000Z')
})

test('a calendar month has the hours that clocks in the zone show', () => {
  const march = monthAround(Date.UTC(2026, 2, 1, 8), zone)
  assert.equal(iso(march.start), '2026-03-01T08:00:00.000Z')
  assert.equal((march.end - march.start) / 3_600_000, 31 * 24 - 1)
  assert.equal(iso(monthAround(Date.UTC(2026, 2, 1, 7, 59), zone).end), iso(march.start))
})
