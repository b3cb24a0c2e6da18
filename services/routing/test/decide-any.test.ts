import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallSource, ExplainRoute, RouteDecision } from '@tandem/contracts/routing.ts'
import fc from 'fast-check'
import Value from 'typebox/value'
import { decideRoute } from '../src/domain/decide-route.ts'
import { explainRoute } from '../src/domain/explain.ts'
import { acme, ask, tableWith, tuesday } from './acme.ts'

const busy = tableWith(
  ['    from: ["127.0.0.1:5080"]', '    from: ["127.0.0.1:5080"]\n    usages: [national]\n    dialPlan: us-hq'],
  ['policy: staff, costCentre: support,', 'policy: staff, costCentre: support, forward: { always: alice },'],
)
const source: fc.Arbitrary<CallSource> = fc.oneof(
  fc.record({ kind: fc.constant('user' as const), user: fc.constantFrom('alice', 'bob', 'carol', 'x', '__proto__') }),
  fc.record({
    kind: fc.constant('user' as const),
    user: fc.constantFrom('alice', 'carol'),
    site: fc.constantFrom('hq', 'branch', 'x'),
  }),
  fc.record({ kind: fc.constant('trunk' as const), trunk: fc.constantFrom('itsp-a', 'itsp-b', 'x') }),
  fc.constant({ kind: 'unknown' as const }),
  fc.record({ kind: fc.constant('unknown' as const), site: fc.constantFrom('hq', 'x') }),
)
const dialled = fc.oneof(
  fc.string({ maxLength: 1024, unit: 'binary' }),
  fc.stringMatching(/^[0-9+*# ().-]{0,24}$/),
  fc.constantFrom(
    '911',
    '9911',
    '1001',
    '1002',
    'alice',
    '+14255551001',
    '912065550100',
    '9011442079460000',
    '1'.repeat(1024),
    ';',
  ),
)
const more = fc.record(
  {
    toUri: fc.string({ maxLength: 100 }),
    assertedIdentity: fc.oneof(fc.string({ maxLength: 100 }), fc.constant('sip:+1@x')),
    requestUri: fc.oneof(fc.string({ maxLength: 100 }), fc.constant('urn:service:sos')),
    maxForwards: fc.nat(2),
    privacy: fc.boolean(),
    onBehalfOf: fc.constantFrom('alice', 'bob', 'x'),
    redirectedBy: fc.constantFrom('itsp-a', 'x'),
    from: fc.record({ number: fc.string({ maxLength: 1024 }) }),
  },
  { requiredKeys: [] },
)

test('any question has an answer that the contract takes', () => {
  fc.assert(
    fc.property(source, dialled, more, fc.constantFrom(acme, busy), (who, digits, rest, table) => {
      const decision = decideRoute(ask(who, digits, rest), table, tuesday)
      assert.ok(Value.Check(RouteDecision, decision), JSON.stringify(decision))
      if (decision.kind === 'reject') assert.ok(decision.reason.length > 10)
    }),
    { numRuns: 2000 },
  )
})

test('an emergency call always has somewhere to go, whatever else the question says', () => {
  const numbers = fc.constantFrom('911', '112', '933', '+911', '9-1-1')
  const device = source.filter((who) => who.kind !== 'trunk')
  fc.assert(
    fc.property(device, numbers, more, fc.constantFrom(acme, busy), (who, digits, rest, table) => {
      const decision = decideRoute(ask(who, digits, rest), table, tuesday)
      assert.ok(decision.kind === 'route' && decision.emergency)
    }),
    { numRuns: 1000 },
  )
})

test('what is explained is what is decided', () => {
  const named = fc.constantFrom('alice', 'bob', 'carol', 'itsp-a', '+12065550199', '1001', 'nobody', '')
  fc.assert(
    fc.property(named, dialled, (who, digits) => {
      const explanation = explainRoute({ from: who, dialled: digits }, acme, tuesday)
      assert.ok(Value.Check(ExplainRoute.answer, explanation))
      assert.ok(explanation.steps.length > 0)
    }),
    { numRuns: 1000 },
  )
})
