/** Final records for tests of the outbox. */
import type { LegRecord } from '@tandem/contracts/call.ts'

export function legRecordOf(legId: string): LegRecord {
  return {
    callId: `call-${legId}`,
    legId,
    seq: 3,
    edge: 'edge-test',
    at: '2026-01-01T00:00:10.000Z',
    role: 'callee',
    party: { kind: 'trunk', trunk: 'itsp-a' },
    from: '+14255551001',
    dialled: '912065550100',
    to: '+12065550100',
    emergency: false,
    attempt: 1,
    sipCallId: 'abc',
    startedAt: '2026-01-01T00:00:00.000Z',
    answeredAt: '2026-01-01T00:00:01.000Z',
    endedAt: '2026-01-01T00:00:10.000Z',
    durationMs: 9000,
    endedBy: 'caller',
    sipStatus: 200,
    q850: 16,
    estimated: false,
  }
}
