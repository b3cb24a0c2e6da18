/** Calls of a carrier that somebody of ours transfers, and those that a carrier redirects (R8, ADR 21, ADR 60). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, from, plan, refusal, tableWith, walk } from './acme.ts'

const byBob = { onBehalfOf: 'bob' }
const pbx = '    from: ["127.0.0.1:5080"]'

test('a transferred call of a carrier goes where a call of whoever transfers it would: an extension of another site', () => {
  assert.deepEqual(walk(decide(from.itspA, '1003', byBob)), ['callee: carol'])
})
test('a number of ours that nobody has is not sent to the telephone network by a transfer', () => {
  const table = tableWith(['\nemergency:\n', '\nnumbers: [{ number: "+14255552000", failover: alice }]\nemergency:\n'])
  const decision = plan(decide(from.itspA, '94255552000', byBob, table))
  assert.deepEqual([walk(decision)[0], decision.normalised], ['callee: alice', '+14255552000'])
})
test('a name that nobody has is 404, digits that are no number 484', () => {
  assert.equal(refusal(decide(from.itspA, 'zed', byBob)).status, 404)
  assert.equal(refusal(decide(from.itspA, '555', byBob)).status, 484)
})
test('the number that was transferred to is what was dialled, wherever the trunk writes the called number', () => {
  const table = tableWith([pbx, `${pbx}\n    did: to`])
  const more = { ...byBob, toUri: 'sip:+14255551002@acme.example' }
  assert.equal(plan(decide(from.itspA, '912065550177', more, table)).dialled, '912065550177')
})
test('what the phone of a transferred caller says of itself is read by its own dial plan', () => {
  const ten = "      - { name: ten-digit,     match: '^(\\d{10})$',   to: '+1$1' }\n"
  const branch = '  us-branch:\n    externalPrefix: "9"\n    rules:\n'
  const table = tableWith(
    ['executive: {', "executive: { mayShow: ['^\\+1425555'],"],
    [branch + ten, branch + ten.replace('+1$1', '+44$1')],
  )
  const more = { onBehalfOf: 'carol', from: { number: '4255559000' } }
  const [first] = plan(decide(from.alice, '912065550177', more, table)).branches[0]?.attempts ?? []
  assert.equal(first?.kind === 'trunk' && first.calling, '+14255559000')
})

test('where a carrier redirects to is mended as its numbers are, and read from no header of the call', () => {
  const table = tableWith(
    [pbx, `${pbx}\n    did: to\n    usages: [local]`],
    [
      'translate: { outbound:',
      "translate: { inbound: { called: [{ match: '^55(\\d{5})$', to: '+120655$1' }] }, outbound:",
    ],
  )
  const more = { redirectedBy: 'itsp-a', toUri: 'sip:+14255551002@acme.example' }
  assert.deepEqual(walk(decide(from.itspA, '5550177', more, table)), ['callee: itsp-b +12065550177'])
})
test('a call that may go through at other hours is told so', () => {
  const table = tableWith(
    [pbx, `${pbx}\n    usages: [national]`],
    [
      'usages: [national],      trunks: [itsp-a, itsp-b]',
      'usages: [national], trunks: [itsp-a, itsp-b], when: [{ days: [sun] }]',
    ],
  )
  const { status, reason } = refusal(decide(from.itspA, '+12127770100', {}, table))
  assert.deepEqual([status, reason], [403, '+12127770100 may not be called at this time (route north-america).'])
})
