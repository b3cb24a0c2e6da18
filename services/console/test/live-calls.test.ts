import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Leg } from '@tandem/contracts/call.ts'
import { type CallView, emptyBook, takeFact } from '../src/domain/live-calls.ts'

function leg(legId: string, role: Leg['role'], ms: number): Leg {
  return {
    callId: 'call-1',
    legId,
    seq: 1,
    edge: 'e1',
    at: new Date(Date.UTC(2026, 0, 2) + ms).toISOString(),
    role,
    party: role === 'caller' ? { kind: 'user', user: 'alice' } : { kind: 'trunk', trunk: 'itsp-a' },
    from: '+14255551001',
    dialled: '912065550100',
    emergency: false,
    attempt: 1,
    sipCallId: `${legId}@x`,
  }
}

test('a call looks the same in whatever order its facts are heard', () => {
  const facts = [
    { kind: 'started', leg: leg('leg-a', 'caller', 0) },
    { kind: 'started', leg: leg('leg-b', 'callee', 10) },
    { kind: 'ringing', leg: leg('leg-b', 'callee', 20) },
    { kind: 'answered', leg: leg('leg-b', 'callee', 30) },
    { kind: 'answered', leg: leg('leg-a', 'caller', 40) },
  ] as const
  const seen = (order: readonly number[]): CallView => {
    const book = emptyBook()
    let call: CallView | undefined
    for (const i of order) call = takeFact(book, facts[i] as (typeof facts)[number])
    return call as CallView
  }
  const expected = seen([0, 1, 2, 3, 4])
  assert.deepEqual(
    expected.legs.map((l) => l.legId),
    ['leg-a', 'leg-b'],
  )
  assert.equal(expected.startedAt, '2026-01-02T00:00:00.000Z')
  for (const order of [
    [4, 3, 2, 1, 0],
    [3, 4, 0, 1, 2],
    [1, 3, 0, 2, 4],
    [2, 0, 4, 3, 1],
  ])
    assert.deepEqual(seen(order), expected)
})

test('a leg says who signed its caller, who has transferred it and what it was joined with, from when it is known', () => {
  const book = emptyBook()
  takeFact(book, {
    kind: 'started',
    leg: { ...leg('leg-a', 'caller', 0), attestation: 'A', verstat: 'TN-Validation-Passed' },
  })
  takeFact(book, { kind: 'started', leg: { ...leg('leg-b', 'callee', 10), referredBy: 'user:bob' } })
  const call = takeFact(book, { kind: 'answered', leg: { ...leg('leg-b', 'callee', 30), joined: 'call-2' } })
  const said = call.legs.map(({ attestation, verstat, referredBy, joined }) => [
    attestation,
    verstat,
    referredBy,
    joined,
  ])
  assert.deepEqual(said, [
    ['A', 'TN-Validation-Passed', undefined, undefined],
    [undefined, undefined, 'user:bob', 'call-2'],
  ])
})
