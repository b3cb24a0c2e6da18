import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallEnded, CallInterim, CallStarted, type LegRecord } from '@tandem/contracts/call.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'

const at = '2026-01-02T03:04:05.678Z'
const leg = (legId: string): LegRecord => ({
  callId: 'c1',
  legId,
  seq: 1,
  edge: 'e1',
  at,
  role: 'caller',
  party: { kind: 'user', user: 'alice' },
  from: '+14255551001',
  dialled: '912065550100',
  emergency: false,
  attempt: 1,
  sipCallId: 'x@y',
  startedAt: at,
  endedAt: at,
  durationMs: 1000,
  endedBy: 'caller',
  sipStatus: 200,
  estimated: false,
})

test('facts of calls that waited for each other arrive in the order told, and before the record told after them', async () => {
  const nats = await startPrivateNats()
  try {
    const [edge, console] = [await nats.bus('edge-proxy'), await nats.bus('console')]
    const heard: string[] = []
    console.hear(CallStarted, ({ legId }) => void heard.push(`started ${legId}`))
    console.hear(CallInterim, ({ legId }) => void heard.push(`interim ${legId}`))
    console.hear(CallEnded, ({ legId }) => void heard.push(`ended ${legId}`))
    await console.flush()
    edge.tell(CallStarted, leg('a'))
    edge.tell(CallStarted, leg('b'))
    edge.tell(CallInterim, leg('a'))
    await edge.record(CallEnded, leg('a'), { messageId: 'a:2' })
    await console.flush()
    assert.deepEqual(heard, ['started a', 'started b', 'interim a', 'ended a'])
    edge.tell(CallInterim, leg('b'))
    await edge.close()
    await console.flush()
    assert.equal(heard.at(-1), 'interim b', 'what waits is sent before the connection closes')
  } finally {
    await nats.close()
  }
})
