import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { cdrTable } from '../src/commands/billing.ts'
import { callTable } from '../src/commands/calls.ts'

const cdr: Cdr = {
  ...{
    callId: 'call-1',
    legId: 'leg-a',
    role: 'caller',
    party: { kind: 'trunk', trunk: 'itsp-a' },
    from: '+12065550177',
  },
  ...{ dialled: '+14255551001', emergency: false, attempt: 1, startedAt: '2026-03-10T17:00:00Z' },
  ...{ endedAt: '2026-03-10T17:01:00Z', durationMs: 60_000, endedBy: 'caller', sipStatus: 200, estimated: false },
  cost: { kind: 'free', amount: '0' },
}
const plain = (text: string) => stripVTControlCharacters(text)
const head = (text: string) =>
  plain(text)
    .split('\n')[0]
    ?.trim()
    .split(/\s{2,}/)

test('tandem cdrs has a column for signatures and one for transfers when there is something to say', () => {
  assert.ok(!head(cdrTable([cdr]))?.includes('signed'))
  const shown = cdrTable([
    { ...cdr, attestation: 'A', verstat: 'TN-Validation-Passed' },
    { ...cdr, verstat: 'TN-Validation-Failed' },
    { ...cdr, referredBy: 'user:bob', joined: 'call-2' },
  ])
  assert.ok(head(shown)?.includes('signed') && head(shown)?.includes('transfer'))
  const rows = plain(shown).split('\n')
  assert.match(rows[1] ?? '', / caller +A +free/)
  assert.match(rows[2] ?? '', / caller +failed +free/)
  assert.match(rows[3] ?? '', / caller +by bob with call-2 +free/)
})

test('tandem calls says so beside the leg', () => {
  const leg = { legId: 'l', role: 'caller', attempt: 1, state: 'up' as const, startedAt: cdr.startedAt }
  const shown = callTable([
    {
      ...{ callId: 'call-1', state: 'up', from: '1', dialled: '2', emergency: false, startedAt: cdr.startedAt },
      legs: [
        { ...leg, party: { kind: 'trunk', trunk: 'itsp-a' }, attestation: 'A', verstat: 'TN-Validation-Passed' },
        { ...leg, party: { kind: 'user', user: 'carol' }, referredBy: 'user:bob' },
        { ...leg, party: { kind: 'trunk', trunk: 'itsp-b' }, sipStatus: 486 },
      ],
    },
  ])
  assert.match(plain(shown), /trunk itsp-a \(signed A\), carol \(by bob\), trunk itsp-b 486$/)
})
