import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainRoute } from '../src/domain/explain.ts'
import { decide, from, refusal, tableWith, tuesday, walk } from './acme.ts'

const own = `dialPlans:
  mine:
    rules: [{ name: mine, match: '^(\\d{4})$', to: '+1206555$1' }]
  company:
    rules: [{ name: company, match: '^(\\d{4})$', to: '+1253555$1' }]`
const global = ['dialPlans:', own.replace('dialPlans:', 'dialPlan: company\ndialPlans:')] as const
const called = (decision: Parameters<typeof walk>[0]) => walk(decision)[0]?.split(' ').at(-1)

test('R1: the dial plan of the user goes before that of the site', () => {
  const table = tableWith(['dialPlans:', own], ['policy: staff,', 'policy: staff, dialPlan: mine,'])
  assert.equal(called(decide(from.bob, '0100', {}, table)), '+12065550100')
  assert.equal(refusal(decide(from.alice, '0100', {}, table)).status, 484, 'the site has no rule for four digits')
})
test('R1: the dial plan of a pool stands between the one of the user and the one of the site', () => {
  const pool = ['dialPlans:', own.replace('dialPlans:', 'pools: { east: { dialPlan: company } }\ndialPlans:')] as const
  const pooled = tableWith(pool, ['policy: staff,', 'policy: staff, pool: east,'])
  assert.equal(called(decide(from.bob, '0100', {}, pooled)), '+12535550100')
  assert.equal(refusal(decide(from.alice, '0100', {}, pooled)).status, 484, 'alice is in no pool')
  const both = tableWith(pool, ['policy: staff,', 'policy: staff, pool: east, dialPlan: mine,'])
  assert.equal(called(decide(from.bob, '0100', {}, both)), '+12065550100')
  const { steps } = explainRoute({ from: 'bob', dialled: '0100' }, pooled, tuesday)
  assert.equal(steps.find(({ item }) => item === 'dial plan company')?.detail, 'of pool east')
})
test('R1: a site without a dial plan has the global one, a site with one does not', () => {
  const table = tableWith(global, ['dialPlan: us-branch, ', ''])
  assert.equal(called(decide(from.carol, '0100', {}, table)), '+12535550100')
  assert.equal(refusal(decide(from.alice, '0100', {}, table)).status, 484)
})
test('R1: who calls from another site dials as there', () => {
  const there = { kind: 'user', user: 'bob', site: 'branch' } as const
  assert.equal(called(decide(from.bob, '95550100')), '+14255550100', 'seven digits at home')
  assert.equal(refusal(decide(there, '95550100')).status, 484, 'the branch has no rule for seven digits')
})
test('R1: the dial plan of a trunk is for the calls from it, the global one is not', () => {
  const table = tableWith(global, [
    '    to: ["sip:127.0.0.1:5080"]',
    '    to: ["sip:127.0.0.1:5080"]\n    dialPlan: us-hq',
  ])
  assert.deepEqual(walk(decide(from.itspA, '5551002', {}, table)), ['callee: bob'])
  assert.equal(refusal(decide(from.itspB, '5551002', {}, table)).status, 404)
})
test('R1: a rule built from a form decides like the expression', () => {
  const table = tableWith([
    "match: '^(\\d{7})$',    to: '+1425$1'",
    'build: { length: exactly 7, remove: 0, add: "+1425" }',
  ])
  assert.equal(called(decide(from.alice, '95550100', {}, table)), '+14255550100')
})
