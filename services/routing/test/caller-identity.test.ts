/** routing.md R6: whose number is shown to whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteDecision } from '@tandem/contracts/routing.ts'
import { decide, from, plan, refusal, tableWith } from './acme.ts'

const outside = '912065550100'
/** `itsp-a +14255551001` for every attempt. */
const shown = (decision: RouteDecision) =>
  plan(decision).branches.flatMap(({ attempts }) =>
    attempts.flatMap((a) => (a.kind === 'trunk' ? [`${a.trunk} ${a.calling}`] : [])),
  )
const first = (decision: RouteDecision) => shown(decision)[0]?.split(' ')[1]
const says = (number: string) => ({ from: { number } })
const staff = 'staff:     { usages: [local, national]'

test('the DID is shown, whatever name or extension the phone says', () => {
  for (const said of ['alice', '1001', '', 'sales', '+14255551001', '4255551001'])
    assert.equal(first(decide(from.alice, outside, says(said))), '+14255551001', said)
})
test('a number that is on no allow-list is replaced by the own one', () => {
  assert.equal(first(decide(from.bob, outside, says('+12025550123'))), '+14255551002')
})
test('or the call is refused, when the policy wants it so', () => {
  const table = tableWith([staff, `${staff}, otherwise: reject`])
  const { status, reason } = refusal(decide(from.bob, outside, says('+12025550123'), table))
  assert.deepEqual([status, reason], [403, 'bob may not call as +12025550123: it is on no allow-list.'])
  assert.equal(first(decide(from.bob, outside, says('bob'), table)), '+14255551002', 'a name is no number')
  assert.equal(plan(decide(from.bob, '911', says('+12025550123'), table)).emergency, true, 'never an emergency call')
})
test('the allow-list of the policy or of the user lets a number pass', () => {
  const byPolicy = tableWith([staff, `${staff}, mayShow: ['^\\+1425555\\d{4}$']`])
  assert.equal(first(decide(from.bob, outside, says('+14255559000'), byPolicy)), '+14255559000')
  assert.equal(first(decide(from.bob, outside, says('4255559000'), byPolicy)), '+14255559000', 'as bob would dial it')
  const byUser = tableWith(['policy: staff,', "policy: staff, mayShow: ['^\\+18005550100$'],"])
  assert.equal(first(decide(from.bob, outside, says('+18005550100'), byUser)), '+18005550100')
  assert.equal(first(decide(from.alice, outside, says('+18005550100'), byUser)), '+14255551001')
})
test('another number of the user may be shown', () => {
  const table = tableWith(['\nemergency:\n', '\nnumbers: [{ number: "+14255551700", user: bob }]\nemergency:\n'])
  assert.equal(first(decide(from.bob, outside, says('+14255551700'), table)), '+14255551700')
})
test('an alternate identity of the policy stands in place of the DID, that of the user before it', () => {
  const policy = [staff, `${staff}, showAs: "+14255551000"`] as const
  assert.equal(first(decide(from.bob, outside, says('+14255551002'), tableWith(policy))), '+14255551000')
  const user = ['policy: staff,', 'policy: staff, callerId: "+14255551009",'] as const
  assert.equal(first(decide(from.bob, outside, {}, tableWith(policy, user))), '+14255551009')
})
test('suppressed or by the wish of the caller: anonymous', () => {
  const table = tableWith([staff, `${staff}, callerId: suppress`])
  assert.equal(first(decide(from.bob, outside, says('+14255551002'), table)), 'anonymous')
  assert.equal(first(decide(from.bob, outside, { privacy: true })), 'anonymous')
})

const trunkList = (rest: string) =>
  tableWith([
    '    cost: itsp-a-minutes',
    `    cost: itsp-a-minutes\n    callerId: { allow: ['^\\+1425555100[02]$']${rest} }`,
  ])
test('a carrier is shown the numbers of its list only, another number in place of the others', () => {
  const table = trunkList(', number: "+14255551000"')
  assert.deepEqual(shown(decide(from.bob, outside, {}, table)), ['itsp-a +14255551002', 'itsp-b +14255551002'])
  assert.deepEqual(shown(decide(from.alice, outside, {}, table)), ['itsp-a +14255551000', 'itsp-b +14255551001'])
})
test('or none, or it is left out of the plan', () => {
  const suppress = trunkList(', otherwise: suppress')
  assert.deepEqual(shown(decide(from.alice, outside, {}, suppress)), ['itsp-a anonymous', 'itsp-b +14255551001'])
  const reject = trunkList(', otherwise: reject')
  assert.deepEqual(shown(decide(from.alice, outside, {}, reject)), ['itsp-b +14255551001'])
})
test('when no trunk is left the call is refused with the reason', () => {
  const route = "match: '^\\+1(425|206|253)\\d{7}$', usages: [local],         trunks: [itsp-a, itsp-b]"
  const only = (rest: string) =>
    tableWith(
      [route, route.replace(', itsp-b', '')],
      ['usages: [national],      trunks: [itsp-a, itsp-b]', 'usages: [national],      trunks: [itsp-a]'],
      ['usages: [international], trunks: [itsp-b]', 'usages: [international], trunks: [itsp-a]'],
      ['    cost: itsp-a-minutes', `    cost: itsp-a-minutes\n    callerId: { allow: ['^\\+1425555100[02]$']${rest} }`],
    )
  const { status, reason } = refusal(decide(from.alice, outside, {}, only(', otherwise: reject')))
  assert.deepEqual([status, reason], [403, 'No trunk lets +14255551001 be shown as the caller.'])
})
test('a call that is passed on to the mobile keeps its caller where the carrier allows it', () => {
  const table = trunkList(', number: "+14255551000"')
  assert.deepEqual(shown(decide(from.itspB, '+14255551001', says('+12125550123'), table)), [
    'itsp-a +14255551000',
    'itsp-b +12125550123',
  ])
})
test('R7: an emergency call shows where it is called back, whatever lists and suppression say', () => {
  const back = (user: 'alice' | 'carol', ...changes: (readonly [string, string])[]) =>
    shown(decide(from[user], '911', { privacy: true }, tableWith(...changes)))[0]
  const list = [
    '    cost: itsp-a-minutes',
    "    cost: itsp-a-minutes\n    callerId: { allow: ['^x$'], otherwise: reject }",
  ] as const
  assert.equal(back('alice', list, ['executive: {', 'executive: { callerId: suppress,']), 'itsp-a +14255551001')
  assert.equal(
    back('alice', ['policy: executive,', 'policy: executive, emergencyCallback: "+14255551800",']),
    'itsp-a +14255551800',
  )
  assert.equal(back('carol'), 'itsp-a +12125550900', 'the ELIN of the site')
  const site = ['location: branch-floor }', 'location: branch-floor, emergencyCallback: "+12125550800" }'] as const
  assert.equal(back('carol', [', branch: ["+12125550900"]', ''], site), 'itsp-a +12125550800')
})
test('the usage of a call is that of the first trunk that lets its caller be shown', () => {
  const table = tableWith(
    [
      "match: '^\\+1(425|206|253)\\d{7}$', usages: [local],         trunks: [itsp-a, itsp-b]",
      "match: '^\\+1(425|206|253)\\d{7}$', usages: [local],         trunks: [itsp-a]",
    ],
    ['    cost: itsp-a-minutes', "    cost: itsp-a-minutes\n    callerId: { allow: ['^x$'], otherwise: reject }"],
  )
  const decision = plan(decide(from.bob, outside, {}, table))
  assert.deepEqual([shown(decision), decision.usage], [['itsp-b +14255551002'], 'national'])
})
