import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteDecision } from '@tandem/contracts/routing.ts'
import { decideRoute } from '../src/domain/decide-route.ts'
import { acme, ask, decide, from, plan, tableWith, tuesday, walk } from './acme.ts'

const ladder = 'callee: itsp-a 911, itsp-b 911, itsp-a 18005550911, itsp-b +18005550911, bob'

test('R7: 911 is matched before dial plan and policy, alone, with the prefix and with a plus', () => {
  for (const dialled of ['911', '9911', '+911', '9-1-1']) {
    const decision = plan(decide(from.carol, dialled))
    assert.ok(decision.emergency)
    assert.equal(decision.callee.number, '911')
    assert.deepEqual(walk(decision), [ladder], dialled)
  }
  assert.equal(plan(decide(from.carol, '112')).callee.number, '112')
})
test('R7: an empty dial plan, no policy and no hops left do not stop it', () => {
  const table = tableWith(['dialPlan: us-branch, ', ''], ['lobby:     { usages: [local] }', 'lobby: { usages: [] }'])
  assert.ok(plan(decide(from.carol, '911', { maxForwards: 0 }, table)).emergency)
})
test('R7: any device may call, whoever it is', () => {
  for (const source of [from.stranger, { kind: 'unknown', site: 'hq' }, { kind: 'user', user: 'mallory' }] as const) {
    assert.deepEqual(walk(decide(source, '911')), [ladder])
    assert.deepEqual(walk(decide(source, '9911')), [ladder])
  }
})
test('RFC 5031: urn:service:sos and what is below it mean the first emergency number', () => {
  for (const requestUri of ['urn:service:sos', 'URN:service:sos.police']) {
    assert.equal(plan(decide(from.alice, '', { requestUri })).callee.number, '911')
  }
  assert.ok(plan(decide(from.alice, '', { requestUri: 'urn:service:test.sos' })).emergencyTest)
})
test('L17: 933 takes the same path as a test call and spares the relay centre', () => {
  const decision = plan(decide(from.alice, '933'))
  assert.equal(decision.emergencyTest, true)
  assert.deepEqual(walk(decision), ['callee: itsp-a 933, itsp-b 933, bob'])
})
test('R4, L2: the next rung follows 2 s of silence or any failure', () => {
  for (const attempt of plan(decide(from.alice, '911')).branches[0]?.attempts ?? []) {
    if (attempt.kind !== 'trunk') continue
    assert.deepEqual([attempt.noResponseMs, attempt.onlyTryingMs], [2000, 5000])
    for (const status of [400, 403, 404, 480, 486, 488, 500, 503, 600, 603]) assert.ok(attempt.retry.includes(status))
  }
})
test('L11: a caller with a DID calls with it; one without shows the ELIN of the place', () => {
  const calling = (decision: ReturnType<typeof decide>) => {
    const [attempt] = plan(decision).branches[0]?.attempts ?? []
    return attempt?.kind === 'trunk' ? attempt.calling : undefined
  }
  assert.equal(calling(decide(from.alice, '911')), '+14255551001')
  assert.equal(calling(decide(from.carol, '911')), '+12125550900')
  assert.equal(calling(decide({ kind: 'unknown', site: 'hq' }, '911')), '+14255551900')
  assert.equal(calling(decide(from.stranger, '911', { from: { number: '77' } })), '77')
})
test('L3: withholding the number does not hold for emergency calls', () => {
  const table = tableWith(['international] }', 'international], callerId: suppress }'])
  const [attempt] = plan(decide(from.alice, '911', { privacy: true }, table)).branches[0]?.attempts ?? []
  assert.equal(attempt?.kind === 'trunk' && attempt.calling, '+14255551001')
})
test('L1: the desk is the last rung, but not for a call of its own', () => {
  assert.match(walk(decide(from.alice, '911'))[0] ?? '', /, bob$/)
  assert.doesNotMatch(walk(decide(from.bob, '911'))[0] ?? '', /bob/)
})
test('a trunk that seems down is tried after the others, never left out', () => {
  const decision = decideRoute(ask(from.alice, '911'), acme, tuesday, { down: new Set(['itsp-a']) })
  assert.match(walk(decision)[0] ?? '', /^callee: itsp-b 911, itsp-a 911, /)
})

const pbx = '    from: ["127.0.0.1:5080"]'
const calling = (decision: RouteDecision) => {
  const [first] = plan(decision).branches[0]?.attempts ?? []
  return first?.kind === 'trunk' ? first.calling : undefined
}
test('a caller behind a PBX is called back at the number that the trunk asserts, mended as it is in every call', () => {
  const table = tableWith(
    [pbx, `${pbx}\n    usages: [local]`],
    [
      'translate: { outbound:',
      "translate: { inbound: { called: [{ match: '^8(911)$', to: '$1' }], calling: [{ match: '^(1\\d{3})$', to: '+1425555$1' }] }, outbound:",
    ],
  )
  const asserted = { assertedIdentity: 'sip:+14255551777@pbx.example', from: { number: 'anonymous' } }
  assert.equal(calling(decide(from.itspA, '911', asserted, table)), '+14255551777')
  const decision = plan(decide(from.itspA, '911', { from: { number: '1777', display: 'Lobby' } }, table))
  assert.equal(calling(decision), '+14255551777')
  assert.deepEqual(decision.caller, { number: '+14255551777', display: 'Lobby' })
  assert.equal(plan(decide(from.itspA, '8911', {}, table)).emergency, true, 'and so is the number dialled')
})
test('a policy that suppresses the number does not hide the one by which the caller is reached', () => {
  const table = tableWith(
    ['branch: ["+12125550900"]', 'hq-2-201: ["+12125550900"]'],
    ['lobby:     { usages: [local] }', 'lobby:     { usages: [local], callerId: suppress }'],
    ['site: branch, policy: lobby', 'site: branch, policy: lobby, callerId: "+12125550777"'],
  )
  assert.equal(calling(decide(from.carol, '911', { from: { number: 'carol' } }, table)), '+12125550777')
})
