/** Forwarding as the router plans it (routing.md R8, docs/adr/0062). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoutePlan } from '@tandem/contracts/routing.ts'
import { decide, from, plan, refusal, tableWith } from './acme.ts'

const bobForwards = (written: string) =>
  tableWith([
    'policy: staff, costCentre: support,',
    `policy: staff, costCentre: support, mobile: "+12065550143", forward: { ${written} },`,
  ])

/** `stage 1 on busy after 0: itsp-a 1206…` */
function stages(decision: RoutePlan): string[] {
  return decision.branches.map(({ stage = 0, follows, delayMs, role, attempts }) => {
    const when = follows === undefined ? '' : ` on ${follows.on.join('+')} of ${follows.stage}`
    const who = attempts.map((a) => (a.kind === 'user' ? a.user : `${a.trunk} ${a.called}`)).join(', ')
    return `${stage}${when} after ${delayMs / 1000}: ${role} ${who}`
  })
}

function diversions(decision: RoutePlan, branch: number): string[] {
  const attempt = decision.branches[branch]?.attempts[0]
  return (attempt?.headers ?? []).flatMap(([name, value]) => (name === 'Diversion' ? [value] : []))
}

test('on busy, on no answer after its time, when unreachable: each to its own target', () => {
  const table = bobForwards('busy: carol, noAnswer: { to: mobile, after: 12s }, unreachable: "912065550177"')
  const decision = plan(decide(from.alice, '1002', {}, table))
  assert.deepEqual(stages(decision), [
    '0 after 0: callee bob',
    '1 on no-answer of 0 after 12: forward itsp-a 12065550143, itsp-b +12065550143',
    '2 on busy of 0 after 0: forward carol',
    '3 on unreachable of 0 after 0: forward itsp-a 12065550177, itsp-b +12065550177',
  ])
  assert.deepEqual(diversions(decision, 1), ['<sip:+14255551002@acme.example>;reason=no-answer'])
  assert.deepEqual(diversions(decision, 2), ['<sip:+14255551002@acme.example>;reason=user-busy'])
  assert.deepEqual(diversions(decision, 3), ['<sip:+14255551002@acme.example>;reason=unavailable'])
  const [phones] = decision.branches[0]?.attempts ?? []
  assert.ok(phones?.kind === 'user' && phones.ringMs === 12_000 && phones.headers === undefined)
})

test('unreachable goes where noAnswer goes when nothing else is said; busy goes nowhere', () => {
  assert.deepEqual(stages(plan(decide(from.alice, '1002', {}, bobForwards('noAnswer: carol, after: 15s')))), [
    '0 after 0: callee bob',
    '1 on no-answer of 0 after 15: forward carol',
    '2 on unreachable of 0 after 0: forward carol',
  ])
})

test('the forward usages of the user decide, and only what they allow is planned', () => {
  assert.deepEqual(stages(plan(decide(from.alice, '1002', {}, bobForwards('busy: "2125550177"')))), [
    '0 after 0: callee bob',
  ])
})

test('who forwards to somebody that forwards makes a chain; each says whose call it was', () => {
  const table = tableWith(
    ['policy: staff, costCentre: support,', 'policy: staff, costCentre: support, forward: { busy: alice },'],
    ['policy: executive, mobile', 'policy: executive, forward: { noAnswer: carol, after: 10s, busy: bob }, mobile'],
  )
  const decision = plan(decide(from.carol, '1002', {}, table))
  assert.deepEqual(stages(decision), [
    '0 after 0: callee bob',
    '1 on busy of 0 after 0: forward alice',
    '1 on busy of 0 after 0: mobile itsp-a 12065550142, itsp-b +12065550142',
    '2 on no-answer of 1 after 10: forward carol',
    '3 on unreachable of 1 after 0: forward carol',
  ])
  assert.deepEqual(diversions(decision, 3), [
    '<sip:+14255551001@acme.example>;reason=no-answer',
    '<sip:+14255551002@acme.example>;reason=user-busy',
  ])
})

test('R8: a call that this user has forwarded before goes no further; one that was forwarded too often neither', () => {
  const carrier = { kind: 'trunk', trunk: 'itsp-a' } as const
  const table = bobForwards('always: "2065550177"')
  const more = { diversions: ['<sip:+14255551002@acme.example>;reason=unconditional'] }
  assert.equal(refusal(decide(carrier, '14255551002', more, table)).status, 482)
  const often = {
    diversions: Array.from({ length: 8 }, (_, i) => `<sip:+1206555010${i}@pstn.example>;reason=unconditional`),
  }
  assert.equal(refusal(decide(carrier, '14255551002', often, table)).status, 482)
  const busy = bobForwards('busy: "2065550177"')
  assert.deepEqual(stages(plan(decide(carrier, '14255551002', more, busy))), ['0 after 0: callee bob'])
})

test('the ingress trunk may carry it on again, and the way that the call came is told', () => {
  const table = bobForwards('always: "2065550177"')
  const came = { diversions: ['<sip:+12065550100@pstn.example>;reason=user-busy'] }
  const decision = plan(decide({ kind: 'trunk', trunk: 'itsp-a' }, '14255551002', came, table))
  assert.deepEqual(stages(decision), ['0 after 0: forward itsp-a 12065550177, itsp-b +12065550177'])
  assert.deepEqual(diversions(decision, 0), [
    '<sip:+14255551002@acme.example>;reason=unconditional',
    '<sip:+12065550100@pstn.example>;reason=user-busy',
  ])
})

test('an extension that no rule makes a number of is a target as it is dialled', () => {
  assert.deepEqual(stages(plan(decide(from.alice, '1002', {}, bobForwards('busy: "1003"')))), [
    '0 after 0: callee bob',
    '1 on busy of 0 after 0: forward carol',
  ])
})

test('phones ring for a minute where nobody may take the call after the time set', () => {
  const [phones] = plan(decide(from.alice, '1002', {}, bobForwards('noAnswer: "2125550177", after: 12s'))).branches
  const [attempt] = phones?.attempts ?? []
  assert.equal(attempt?.kind === 'user' && attempt.ringMs, 60_000)
})
