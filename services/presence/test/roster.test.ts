import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Publication } from '../src/domain/publication.ts'
import { createRoster } from '../src/domain/roster.ts'
import { consider } from '../src/domain/watch.ts'

const NOW = 1_000_000
const said = (more: Partial<Publication>): Publication => ({
  ...{
    user: 'alice',
    source: 'registration',
    instance: 'b',
    availability: 'available',
    activities: [],
    device: 'desk',
  },
  ...{ confidence: 'certain', since: NOW, expires: NOW + 60_000, epoch: 0, seq: 1, ended: false, renewal: false },
  ...more,
})
const call = (more: Partial<Publication> = {}) =>
  said({ source: 'call', instance: 'l', availability: 'busy', activities: ['on-the-phone'], ...more })
function roster() {
  const made = createRoster(100)
  made.configure(new Map([['alice', 'trunk-only'] as const, ['bob', 'none'] as const]), NOW)
  return made
}

test('versions go up by one with each difference that can be seen, and with nothing else', () => {
  const r = roster()
  assert.equal(r.take(said({}), NOW)?.version, 101)
  assert.equal(r.take(said({}), NOW), undefined)
  assert.equal(r.take(said({ seq: 2, expires: NOW + 90_000 }), NOW), undefined)
  assert.equal(r.take(call(), NOW + 1)?.version, 102)
  assert.equal(r.take(call({ seq: 2, ended: true }), NOW + 2)?.version, 103)
  assert.equal(r.state('alice')?.availability, 'available')
})

test('a lease that runs out is seen by the sweep, once', () => {
  const r = roster()
  r.take(said({}), NOW)
  r.take(call({ expires: NOW + 10_000 }), NOW)
  assert.deepEqual(r.sweep(NOW + 9_999), [])
  assert.deepEqual(
    r.sweep(NOW + 10_000).map((s) => s.availability),
    ['available'],
  )
  assert.deepEqual(r.sweep(NOW + 10_001), [])
})

test('since tells when the state began', () => {
  const r = roster()
  r.take(said({ since: NOW - 500 }), NOW)
  assert.equal(r.state('alice')?.since, new Date(NOW - 500).toISOString())
  r.take(call({ since: NOW + 1000 }), NOW + 1200)
  assert.equal(r.state('alice')?.since, new Date(NOW + 1000).toISOString())
  r.take(call({ seq: 2, ended: true }), NOW + 5000)
  assert.equal(r.state('alice')?.since, new Date(NOW + 5000).toISOString())
})

test('what is over is forgotten: a thousand calls leave nothing behind', () => {
  const r = roster()
  for (let i = 0; i < 1000; i++) {
    r.take(call({ instance: `l${i}` }), NOW)
    r.take(call({ instance: `l${i}`, seq: 2, ended: true }), NOW)
  }
  assert.equal(r.size(), 1000)
  r.sweep(NOW + 60_000)
  assert.equal(r.size(), 0)
  assert.equal(r.take(call({ instance: 'l1', expires: NOW + 59_000 }), NOW + 60_001), undefined)
})

test('a user who is not in the configuration is not taken, one who leaves it is forgotten', () => {
  const r = roster()
  assert.equal(r.take(said({ user: 'mallory' }), NOW), undefined)
  r.take(said({}), NOW)
  r.configure(new Map([['bob', 'none'] as const]), NOW)
  assert.equal(r.state('alice'), undefined)
  assert.equal([...r.states()].length, 1)
})

test('the first change goes out at once, then changes are gathered, except entering or leaving a call', () => {
  const fresh = { seen: 'a', inCall: false, toldAt: Number.NEGATIVE_INFINITY }
  const told = consider(fresh, { seen: 'b', inCall: false, at: NOW })
  assert(told.kind === 'tell')
  assert.deepEqual(consider(told.watch, { seen: 'c', inCall: false, at: NOW + 1 }), { kind: 'wait', until: NOW + 5000 })
  assert.equal(consider(told.watch, { seen: 'c', inCall: true, at: NOW + 1 }).kind, 'tell')
  assert.equal(consider(told.watch, { seen: 'c', inCall: false, at: NOW + 5000 }).kind, 'tell')
  assert.equal(consider(told.watch, { seen: 'b', inCall: false, at: NOW + 9000 }).kind, 'nothing')
})
