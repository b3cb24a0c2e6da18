import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Planned } from '../src/api/resources.ts'
import { describeHistory, describePlan, whereInForce } from '../src/print/plan.ts'

const plain = (text: string) => stripVTControlCharacters(text).split('\n')
const recent: Planned['recent'] = { days: 7, compared: 0, moved: [] }

test('a plan shows paths, tests that go another way, and recent calls that would go elsewhere, side by side', () => {
  const lines = plain(
    describePlan({
      changes: [{ path: 'policies.staff.usages', kind: 'changed', before: '["local"]', after: '[]' }],
      warnings: [],
      tests: [
        {
          index: 0,
          passed: true,
          detail: 'alice dials 1002: callee: bob',
          before: 'callee: bob',
          after: 'callee: bob',
        },
        {
          index: 1,
          passed: false,
          detail: 'bob dials 9…: expected itsp-a',
          before: 'callee: itsp-a 1',
          after: '403 no',
        },
      ],
      recent: {
        ...{ days: 7, compared: 41 },
        moved: [
          { from: 'bob', dialled: '912065550100', times: 12, last: '', before: 'callee: itsp-a 1', after: '403 no' },
        ],
      },
    }),
  )
  assert.deepEqual(lines, [
    '~ policies.staff.usages: ["local"] → []',
    '✓ test 1: alice dials 1002: callee: bob',
    '✗ test 2: bob dials 9…: expected itsp-a',
    '    until now  callee: itsp-a 1',
    '    then       403 no',
    '~ 41 different calls of the last 7 days: 1 would go elsewhere',
    '  bob dials 912065550100  12 times',
    '    until now  callee: itsp-a 1',
    '    then       403 no',
  ])
})
test('it says so when no call moves, and when billing could not be asked', () => {
  const none = { changes: [], warnings: [], tests: [] }
  assert.deepEqual(plain(describePlan({ ...none, recent: { ...recent, compared: 1 } })), [
    'no change',
    '✓ 1 different call of the last 7 days: every one goes where it went',
  ])
  assert.match(describePlan({ ...none, recent: { ...recent, away: 'billing does not answer' } }), /does not answer: 0/)
  assert.deepEqual(plain(describePlan({ ...none, recent })), ['no change'])
})
test('a change of thousands of users shows the first hundred and says how many more there are', () => {
  const changes = Array.from({ length: 5000 }, (_, i) => ({ path: `users.u${i}`, kind: 'added' as const, after: '{}' }))
  const lines = plain(describePlan({ changes, warnings: [], tests: [], recent }))
  assert.equal(lines.length, 101)
  assert.deepEqual(lines.slice(-2), ['+ users.u99: {}', '  … and 4900 more (--json lists them)'])
})
test('a change says where it is in force, and where not yet', () => {
  const one = (service: string, instance: string) => ({ service, instance, revision: 2 })
  assert.equal(whereInForce({ applied: true, revision: 2, inForce: [one('routing', 'a')] }), ' in 1 process')
  assert.equal(
    stripVTControlCharacters(
      whereInForce({ applied: true, revision: 2, inForce: [one('routing', 'a')], waiting: [one('billing', 'b')] }),
    ),
    ' in 1 process, not yet in billing b',
  )
})
test('history marks the running revision', () => {
  const at = '2026-03-10T17:00:00.000Z'
  const lines = plain(
    describeHistory({
      running: 3,
      revisions: [
        { revision: 3, by: 'ops', at, why: 'rollback to 1: Seattle' },
        { revision: 2, by: 'ops', at, why: 'second carrier' },
      ],
    }),
  )
  assert.match(lines[1] ?? '', /^▶ +3 .*ops +rollback to 1: Seattle$/)
  assert.match(lines[2] ?? '', /^ +2 .*second carrier$/)
})
