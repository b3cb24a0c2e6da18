import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePidf } from '@tandem/pidf/pidf.ts'
import { aggregate, type Presence } from '../src/domain/aggregate.ts'
import { microsoftNumber, pidfOf, stateOf } from '../src/domain/show.ts'

const entity = 'sip:alice@acme.example'
const state = (
  availability: Presence['availability'],
  activities: string[] = [],
  device: Presence['device'] = 'desk',
) =>
  stateOf(
    'alice',
    { ...aggregate([], 0), availability, activities, device },
    { since: Date.parse('2026-11-23T10:00:00Z'), version: 7, coverage: 'trunk-only' },
  )
const document = (s: ReturnType<typeof state>) => {
  const read = parsePidf(pidfOf(s, entity), { entity })
  assert(read.kind === 'ok')
  return read.document
}

test('Microsoft’s numbers, as presence.md has them', () => {
  assert.deepEqual(
    [
      ...[
        microsoftNumber('available', []),
        microsoftNumber('busy', ['meeting']),
        microsoftNumber('busy', ['on-the-phone']),
      ],
      ...[microsoftNumber('dnd', []), microsoftNumber('away', []), microsoftNumber('offline', [])],
    ],
    [3500, 6000, 6500, 9000, 15000, 18000],
  )
})

test('on the phone: open, on-the-phone, and the words say which phone', () => {
  const mobile = document(state('busy', ['on-the-phone'], 'mobile'))
  assert.equal(mobile.tuples[0]?.basic, 'open')
  assert.deepEqual(mobile.persons[0]?.activities, ['on-the-phone'])
  assert.equal(mobile.persons[0]?.note, 'In a call (mobile)')
  assert.match(pidfOf(state('busy', ['on-the-phone']), entity), /<rpid:on-the-phone\/>/)
})

test('offline is closed and says nothing more', () => {
  const offline = document(state('offline', [], undefined))
  assert.equal(offline.tuples[0]?.basic, 'closed')
  assert.deepEqual(offline.persons, [])
})

test('available has no activity, away has away, do not disturb is busy with a word', () => {
  assert.deepEqual(document(state('available')).persons, [])
  assert.deepEqual(document(state('away')).persons[0]?.activities, ['away'])
  assert.deepEqual(document(state('busy')).persons[0]?.activities, ['busy'])
  const dnd = document(state('dnd', ['on-the-phone', 'away'])).persons[0]
  assert.deepEqual(dnd?.activities, ['busy', 'on-the-phone'])
  assert.deepEqual(dnd?.other, ['do-not-disturb'])
})

test('somebody on the phone is never shown as away: baresip would show Offline', () => {
  assert.doesNotMatch(pidfOf(state('busy', ['away', 'on-the-phone']), entity), /rpid:away/)
})
