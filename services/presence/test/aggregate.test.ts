import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { aggregate, defaultPrecedence } from '../src/domain/aggregate.ts'
import { forgettable, type Held, hold, instanceKey, type Publication, type Source } from '../src/domain/publication.ts'

const NOW = 1_000_000

function said(source: Source, more: Partial<Publication> = {}): Publication {
  return {
    ...{ user: 'alice', source, instance: 'one', availability: 'available', activities: [], device: 'desk' },
    ...{
      confidence: 'certain',
      since: NOW - 1000,
      expires: NOW + 60_000,
      epoch: 0,
      seq: 1,
      ended: false,
      renewal: false,
    },
    ...more,
  }
}
const call = (more: Partial<Publication> = {}) =>
  said('call', { instance: 'leg', availability: 'busy', activities: ['on-the-phone'], ...more })
const shown = (...publications: Publication[]) => {
  const { availability, activities, device } = aggregate(publications, NOW)
  return { availability, activities, device }
}

test('nobody said anything: offline', () => {
  assert.deepEqual(shown(), { availability: 'offline', activities: [], device: undefined })
})

test('a registered phone is available, an idle one away', () => {
  assert.equal(shown(said('registration')).availability, 'available')
  assert.equal(shown(said('registration', { availability: 'away' })).availability, 'away')
  assert.equal(
    shown(said('registration'), said('registration', { instance: 'two', availability: 'away' })).availability,
    'available',
  )
})

test('the order of presence.md, each level beats all below it', () => {
  const ladder: Publication[] = [
    said('manual', { availability: 'appear-offline' }),
    said('manual', { availability: 'dnd', instance: 'm2' }),
    said('publish', { activities: ['presentation'] }),
    call(),
    said('manual', { availability: 'busy', activities: ['busy'], instance: 'm3' }),
    said('calendar', { activities: ['meeting'] }),
    said('registration'),
    said('registration', { instance: 'idle', availability: 'away' }),
  ]
  const levels = ladder.map((_, i) => aggregate(ladder.slice(i), NOW).level)
  assert.deepEqual(levels, defaultPrecedence.slice(0, -1))
})

test('a call on the mobile counts without any registered phone', () => {
  assert.deepEqual(shown(call({ source: 'mobile', device: 'mobile' })), {
    availability: 'busy',
    activities: ['on-the-phone'],
    device: 'mobile',
  })
})

test('in a meeting and on the phone, both are shown', () => {
  assert.deepEqual(shown(call(), said('calendar', { activities: ['meeting'] })).activities, ['meeting', 'on-the-phone'])
})

test('appearing offline shows nothing of a call', () => {
  const presence = shown(call(), said('registration'), said('manual', { availability: 'appear-offline' }))
  assert.deepEqual(presence, { availability: 'offline', activities: [], device: undefined })
})

test('a manual "available" beats idle but makes nobody reachable', () => {
  const manual = said('manual')
  assert.equal(shown(manual).availability, 'offline')
  assert.equal(shown(manual, said('registration', { availability: 'away' })).availability, 'available')
  assert.equal(shown(manual, call()).availability, 'busy')
})

test('a leg that only rings changes nothing', () => {
  assert.equal(shown(said('call', { instance: 'leg' })).availability, 'offline')
  assert.equal(shown(said('registration'), said('call', { instance: 'leg' })).availability, 'available')
})

test('a lease that ran out does not count, at the very millisecond', () => {
  assert.equal(shown(call({ expires: NOW })).availability, 'offline')
  assert.equal(shown(call({ expires: NOW + 1 })).availability, 'busy')
})

test('a late early fact never resurrects a call', () => {
  const early = said('call', { instance: 'leg', seq: 1 })
  const answered = call({ seq: 2 })
  const ended = call({ seq: 3, ended: true, expires: NOW + 60_000 })
  for (const order of [
    [ended, early],
    [ended, answered],
    [ended, answered, early],
    [answered, ended, early, answered],
  ])
    assert.equal(shown(...order).availability, 'offline')
})

test('a renewal moves the lease and keeps what was said, also what was said to be voicemail', () => {
  const talking = call({ seq: 2, expires: NOW - 1 })
  const voicemail = said('mobile', { instance: 'leg', seq: 2 })
  const renewal = (source: Source) => call({ source, seq: 3, renewal: true })
  assert.equal(shown(talking).availability, 'offline')
  assert.equal(shown(talking, renewal('call')).availability, 'busy')
  assert.equal(shown(voicemail, renewal('mobile')).availability, 'offline')
  assert.equal(shown(renewal('mobile')).availability, 'busy')
  assert.equal(shown(call({ seq: 3, ended: true }), call({ seq: 4, renewal: true })).availability, 'offline')
})

test('another order of levels gives another answer', () => {
  const meetingFirst = ['meeting', ...defaultPrecedence.filter((l) => l !== 'meeting')] as const
  const publications = [call(), said('calendar', { activities: ['meeting'] })]
  assert.equal(aggregate(publications, NOW, meetingFirst).level, 'meeting')
})

const anyPublication: fc.Arbitrary<Publication> = fc.record({
  user: fc.constant('alice'),
  source: fc.constantFrom<Source[]>('registration', 'call', 'mobile', 'publish', 'manual', 'calendar'),
  instance: fc.constantFrom('a', 'b'),
  availability: fc.constantFrom('available', 'busy', 'dnd', 'away', 'offline', 'appear-offline'),
  activities: fc.subarray(['on-the-phone', 'meeting', 'presentation', 'away']),
  device: fc.constantFrom('desk', 'mobile', 'remote', 'unknown'),
  confidence: fc.constantFrom('certain', 'likely'),
  since: fc.integer({ min: NOW - 1000, max: NOW }),
  expires: fc.integer({ min: NOW - 100, max: NOW + 100 }),
  epoch: fc.integer({ min: 0, max: 1 }),
  seq: fc.integer({ min: 0, max: 3 }),
  ended: fc.boolean(),
  renewal: fc.boolean(),
})

test('neither the order of arrival nor repetitions matter', () => {
  const shuffled = fc
    .array(anyPublication, { maxLength: 12 })
    .chain((p) =>
      fc.tuple(fc.constant(p), fc.shuffledSubarray([...p, ...p], { minLength: p.length * 2, maxLength: p.length * 2 })),
    )
  fc.assert(
    fc.property(shuffled, ([inOrder, other]) => {
      assert.deepEqual(aggregate(other, NOW), aggregate(inOrder, NOW))
    }),
    { numRuns: 1000 },
  )
})

test('taking in is associative: two halves held apart and then together give the same', () => {
  const one = anyPublication.map((p) => ({ ...p, source: 'call' as const, instance: 'a' }))
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 8 }), fc.nat(), (all, cut) => {
      const held = (list: readonly Publication[]) =>
        list.reduce<Held | undefined>((h, p) => hold(h, p), undefined) as Held
      const at = 1 + (cut % (all.length - 1))
      const [left, right] = [held(all.slice(0, at)), held(all.slice(at))]
      const joined = hold(hold(left, right.newest), right.content)
      assert.deepEqual(joined, held(all))
    }),
  )
})

test('what may be forgotten does not count any more', () => {
  fc.assert(
    fc.property(fc.array(anyPublication, { maxLength: 12 }), fc.integer({ min: NOW, max: NOW + 200 }), (all, at) => {
      const table = new Map<string, Held>()
      for (const p of all) table.set(instanceKey(p), hold(table.get(instanceKey(p)), p))
      const kept = [...table.values()].filter((h) => !forgettable(h, at)).flatMap((h) => [h.newest, h.content])
      assert.deepEqual(aggregate(kept, at), aggregate(all, at))
    }),
  )
})
