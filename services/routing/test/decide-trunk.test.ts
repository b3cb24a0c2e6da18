import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acme, decide, from, plan, refusal, tableWith, walk } from './acme.ts'

test('R5: a DID is found however the carrier writes it', () => {
  for (const written of [
    '+14255551002',
    '14255551002',
    '4255551002',
    '01114255551002',
    '0014255551002',
    '+1-425-555-1002',
    '+14255551002;npdi',
  ]) {
    const decision = plan(decide(from.itspA, written))
    assert.deepEqual(walk(decision), ['callee: bob'], written)
    assert.equal(decision.normalised, '+14255551002')
    assert.equal(decision.dialled, written.replace(/-|;.*/g, ''), 'the original is kept')
  }
})
test("R5: a national number is read in the trunk's country", () => {
  const table = tableWith(
    ['did: "+14255551002"', 'did: "+442079460002"'],
    ['    from: ["127.0.0.1:5080"]', '    from: ["127.0.0.1:5080"]\n    country: GB'],
  )
  for (const written of ['02079460002', '442079460002', '00442079460002', '+442079460002']) {
    assert.deepEqual(walk(decide(from.itspA, written, {}, table)), ['callee: bob'], written)
  }
})
test('R5: the number is taken from where the trunk says', () => {
  const did = (where: string) =>
    tableWith(['    from: ["127.0.0.1:5080"]', `    from: ["127.0.0.1:5080"]\n    did: ${where}`])
  const more = { toUri: 'sip:+14255551002@acme.example', calledPartyId: 'tel:+14255551002;npdi' }
  assert.equal(refusal(decide(from.itspA, 'account', more)).status, 404)
  assert.deepEqual(walk(decide(from.itspA, 'account', more, did('to'))), ['callee: bob'])
  assert.deepEqual(walk(decide(from.itspA, 'account', more, did('p-called-party-id'))), ['callee: bob'])
  assert.deepEqual(
    walk(decide(from.itspA, '+14255551002', {}, did('to'))),
    ['callee: bob'],
    'else from the Request-URI',
  )
})
test('R5: inbound translation mends numbers before they are read', () => {
  const table = tableWith([
    'translate: { outbound:',
    "translate: { inbound: { called: [{ match: '^(\\d{4})$', to: '+1425555$1' }], calling: [{ match: '^0(\\d+)$', to: '+44$1' }] }, outbound:",
  ])
  const decision = plan(decide(from.itspA, '1002', { from: { number: '02079460000' } }, table))
  assert.equal(decision.callee.user, 'bob')
  assert.equal(decision.caller.number, '+442079460000')
})
test("R1: a trunk's own dial plan applies to the calls from it", () => {
  const table = tableWith(['    from: ["127.0.0.1:5080"]', '    from: ["127.0.0.1:5080"]\n    dialPlan: us-hq'])
  assert.deepEqual(walk(decide(from.itspA, '5551002', {}, table)), ['callee: bob'])
  assert.equal(refusal(decide(from.itspB, '5551002', {}, table)).status, 404)
})
test('R5: an unassigned number beside ours is 404', () => {
  const { status, reason } = refusal(decide(from.itspA, '+14255551777'))
  assert.equal(status, 404)
  assert.equal(reason, 'Nobody has +14255551777.')
})
test('R2: from the PSTN to the PSTN is refused', () => {
  for (const written of ['+442079460000', '12127770100', '+12065550100']) {
    const { status, reason } = refusal(decide(from.itspA, written))
    assert.equal(status, 403, written)
    assert.match(reason, /may not go on to the telephone network: trunk itsp-a has no usage for it/)
  }
})
test('R2: a trunk with usages of its own passes calls on, but never back to itself', () => {
  const table = tableWith(['    from: ["127.0.0.1:5080"]', '    from: ["127.0.0.1:5080"]\n    usages: [national]'])
  const decision = plan(decide(from.itspA, '+12127770100', {}, table))
  assert.equal(decision.usage, 'national')
  assert.deepEqual(walk(decision), ['callee: itsp-b +12127770100'])
  assert.equal(refusal(decide(from.itspB, '+12127770100', {}, table)).status, 403)
})
test('R8: the mobile rings through the trunks, the one the call came in on included, and shows who calls', () => {
  const decision = plan(decide(from.itspA, '14255551001', { from: { number: '12125550188', display: 'Zoe' } }))
  assert.deepEqual(walk(decision), ['callee: alice', 'mobile: itsp-a 12065550142, itsp-b +12065550142'])
  const [attempt] = decision.branches[1]?.attempts ?? []
  assert.ok(attempt?.kind === 'trunk')
  assert.deepEqual([attempt.calling, attempt.displayName], ['+12125550188', 'Zoe'])
  assert.deepEqual(decision.caller, { number: '+12125550188', display: 'Zoe' })
})
test('R8: a mobile that calls its own user is not rung', () => {
  assert.deepEqual(walk(decide(from.itspA, '14255551001', { from: { number: '2065550142' } })), ['callee: alice'])
})
test('R8: a call that a user passes on goes by the forward usages of that user', () => {
  const more = { onBehalfOf: 'bob' }
  assert.deepEqual(walk(decide(from.itspA, '+12065550177', more)), ['callee: itsp-a 12065550177, itsp-b +12065550177'])
  assert.equal(refusal(decide(from.itspA, '+12125550177', more)).status, 403)
  assert.deepEqual(
    walk(
      decide(
        from.itspA,
        '1003',
        { onBehalfOf: 'alice' },
        tableWith(['extension: "1003", site: branch', 'extension: "1003", site: hq']),
      ),
    ),
    ['callee: carol'],
  )
})
test('what a trusted peer asserts goes before From', () => {
  const decision = plan(
    decide(from.itspA, '14255551002', { assertedIdentity: 'sip:+12125550111@itsp.example;user=phone' }),
  )
  assert.equal(decision.caller.number, '+12125550111')
})
test('a withheld number stays withheld on the mobile', () => {
  const [, mobile] = plan(decide(from.itspA, '14255551001', { privacy: true })).branches
  const [attempt] = mobile?.attempts ?? []
  assert.equal(attempt?.kind === 'trunk' && attempt.calling, 'anonymous')
})
test('an emergency number that a carrier sends is no emergency call of ours', () => {
  assert.equal(refusal(decide(from.itspA, '911')).status, 404)
  assert.equal(acme.trunks.get('itsp-a')?.transit.usages.length, 0)
})
test('a trunk that is not known is refused', () => {
  assert.equal(refusal(decide({ kind: 'trunk', trunk: 'other' }, '14255551001')).status, 403)
})
