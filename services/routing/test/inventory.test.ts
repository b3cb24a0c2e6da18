/** Numbers of ours: written in any way, in ranges, reserved, with a failover target. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, from, plan, refusal, tableWith, walk } from './acme.ts'

const bobsNumberAsCarriersWriteIt = [
  '+14255551002',
  '14255551002',
  '4255551002',
  '01114255551002',
  '0014255551002',
  '+1 425 555 1002',
  '+1-425-555-1002',
  '+1.425.555.1002',
  '+1(425)555-1002',
  '+1 (425) 555-1002',
  '1-425-555-1002',
  '1 (425) 555 1002',
  '(425) 555-1002',
  '425-555-1002',
  '425.555.1002',
  '425 555 1002',
  '011-1-425-555-1002',
  '00 1 425 555 1002',
  '+14255551002;npdi',
  '14255551002;rn=+14255550000;npdi',
  '+14255551002;phone-context=+1',
  '4255551002;phone-context=+1',
]
for (const written of bobsNumberAsCarriersWriteIt) {
  test(`R5: ${written} is bob's number`, () => {
    const decision = plan(decide(from.itspA, written))
    assert.deepEqual(walk(decision), ['callee: bob'])
    assert.equal(decision.normalised, '+14255551002')
  })
}

const inventory = `
numbers:
  - { range: "+14255551000-+14255551899" }
  - { range: "+14255552000-+14255552099", failover: bob }
  - { range: "+14255553000-+14255553099", failover: "+12065550177", policy: staff }
  - { range: "+14255554000-+14255554099", failover: "+442079460000", policy: staff }
  - { number: "+14255551700", user: alice }
  - { number: "+14255551701", reserved: true, note: "for the new office" }
  - { number: "+14255551702", failover: alice }
  - { number: "+14255551002", failover: "+12065550188" }
emergency:
  numbers`
const table = tableWith(['\nemergency:\n  numbers', inventory])
const call = (number: string) => decide(from.itspA, number, {}, table)

test('a number beside the DID is the user’s too', () => {
  assert.equal(plan(call('+14255551700')).callee.user, 'alice')
})
test('R2: a number of a range that nobody has is 404, from outside and from inside', () => {
  assert.equal(refusal(call('+14255551777')).reason, 'Nobody has +14255551777.')
  const inside = refusal(decide(from.alice, '94255551777', {}, table))
  assert.deepEqual([inside.status, inside.reason], [404, 'Nobody has +14255551777.'])
})
test('without an inventory a call to a number of nobody goes out, as before', () => {
  assert.deepEqual(walk(decide(from.alice, '94255551777')), ['callee: itsp-a 14255551777, itsp-b +14255551777'])
})
test('a reserved number is refused', () => {
  const { status, reason } = refusal(call('+14255551701'))
  assert.deepEqual([status, reason], [404, '+14255551701 is reserved: it is not in service.'])
})
test('a failover target gets the calls to numbers that nobody has: a user', () => {
  assert.deepEqual(walk(call('+14255552007')), ['callee: bob'])
  assert.equal(walk(call('+14255551702'))[0], 'callee: alice', 'a single number goes before the range around it')
  assert.deepEqual(walk(decide(from.alice, '94255552007', {}, table)), ['callee: bob'], 'from inside alike')
})
test('a failover target may be a number: by the usages of its policy, and it is told that the call was diverted', () => {
  const decision = plan(call('+14255553050'))
  assert.deepEqual(walk(decision), ['forward: itsp-a 12065550177, itsp-b +12065550177'])
  const [first] = decision.branches[0]?.attempts ?? []
  assert.deepEqual(first?.kind === 'trunk' && first.headers, [
    ['Diversion', '<sip:+14255553050@acme.example>;reason=unavailable'],
  ])
  assert.match(refusal(call('+14255554050')).reason, /may not be called/)
})
test('the failover target of a number that somebody has follows the phones, for when none is registered', () => {
  assert.deepEqual(walk(call('+14255551002')), ['callee: bob, itsp-a 12065550188, itsp-b +12065550188'])
  assert.deepEqual(walk(decide(from.alice, '1002', {}, table)), [
    'callee: bob, itsp-a 12065550188, itsp-b +12065550188',
  ])
})
test('the ends of a range belong to it, its neighbours do not', () => {
  assert.deepEqual(walk(call('+14255552000')), ['callee: bob'])
  assert.deepEqual(walk(call('+14255552099')), ['callee: bob'])
  assert.notEqual(decide(from.itspA, '+14255552100', {}, table).kind, 'route')
})
test('R5: a number beside the DID keeps its own failover target, from inside as from outside', () => {
  const own = tableWith([
    '\nemergency:\n  numbers',
    '\nnumbers: [{ number: "+14255551700", user: bob, failover: carol }]\nemergency:\n  numbers',
  ])
  for (const decision of [decide(from.itspA, '+14255551700', {}, own), decide(from.alice, '94255551700', {}, own)]) {
    assert.deepEqual(walk(decision), ['callee: bob, carol'])
    assert.equal(plan(decision).normalised, '+14255551700')
  }
  assert.deepEqual(walk(decide(from.alice, '1002', {}, own)), ['callee: bob'], 'the DID has none')
})
test('a number beside a single one that nobody has is a wrong number too', () => {
  const reserved = tableWith([
    '\nemergency:\n  numbers',
    '\nnumbers: [{ number: "+12535554000", reserved: true }]\nemergency:\n  numbers',
  ])
  const { status, reason } = refusal(decide(from.itspA, '+12535554001', {}, reserved))
  assert.deepEqual([status, reason], [404, 'Nobody has +12535554001.'])
})
