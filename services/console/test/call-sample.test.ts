import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callerOf, emptySample, takeCdr } from '../src/domain/call-sample.ts'

const leg = (dialled: string, more: object = {}) => ({
  ...{ role: 'caller' as const, party: { kind: 'user' as const, user: 'alice' }, from: '+14255551001', dialled },
  ...{ startedAt: '2026-03-10T17:00:00.000Z', ...more },
})

test('the same call made often counts once, with how often and when last', () => {
  const sample = emptySample()
  takeCdr(sample, leg('912065550100', { startedAt: '2026-03-11T17:00:00.000Z' }))
  takeCdr(sample, leg('912065550100'))
  takeCdr(sample, leg('911'))
  assert.deepEqual(
    [...sample.calls.values()].map(({ dialled, times, at }) => [dialled, times, at]),
    [
      ['912065550100', 2, '2026-03-11T17:00:00.000Z'],
      ['911', 1, '2026-03-10T17:00:00.000Z'],
    ],
  )
})
test('only the leg of the caller says what was dialled', () => {
  const sample = emptySample()
  takeCdr(sample, leg('12065550100', { role: 'callee', party: { kind: 'trunk', trunk: 'itsp-a' } }))
  assert.equal(sample.calls.size, 0)
})
test('a thousand kinds of calls are enough', () => {
  const sample = emptySample()
  for (let i = 0; i < 1500; i++) takeCdr(sample, leg(`9${i}`))
  assert.equal(sample.calls.size, 1000)
  assert.equal(sample.full, true)
})
test('a person reads who called', () => {
  const at = { dialled: '1', at: '', times: 1 }
  assert.equal(callerOf({ ...at, number: '+1', source: { kind: 'user', user: 'alice' } }), 'alice')
  assert.equal(callerOf({ ...at, number: '+1206', source: { kind: 'trunk', trunk: 'itsp-a' } }), '+1206 (itsp-a)')
  assert.equal(callerOf({ ...at, number: '', source: { kind: 'trunk', trunk: 'itsp-a' } }), 'anonymous (itsp-a)')
})
