import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Cdr } from '@tandem/contracts/billing.ts'
import type { LegMedia } from '@tandem/contracts/call.ts'
import { cdrTable } from '../src/commands/billing.ts'
import { heardLines } from '../src/commands/calls.ts'
import { lossText, mosText, roundTripText, worstMos } from '../src/print/heard.ts'

const known: LegMedia = {
  received: { packets: 3000, bytes: 600_000, lost: 3, lossPercent: 0.1, jitterMs: 0.312, mos: 4.4 },
  sent: { packets: 2990, bytes: 598_000, lost: 45, lossPercent: 1.5, jitterMs: 2, mos: 4.12 },
  rtcpReceived: 12,
  rtcpSent: 12,
  roundTripMs: 41.5,
}
const bare = { packets: 1, bytes: 200 }
const none = { packets: 0, bytes: 0 }
const nothing: LegMedia = { received: bare, sent: bare, rtcpReceived: 0, rtcpSent: 0 }

test('loss and MOS are shown received/sent, and nothing where nothing is known', () => {
  assert.deepEqual([lossText(known), mosText(known), roundTripText(known)], ['0.1/1.5 %', '4.4/4.12', '42 ms'])
  for (const media of [nothing, undefined])
    assert.deepEqual([lossText(media), mosText(media), roundTripText(media)], ['', '', ''])
  assert.equal(mosText({ ...known, received: bare }), '–/4.12')
  assert.equal(roundTripText({ ...known, roundTripMs: 0.27 }), '0.3 ms')
  assert.equal(worstMos([{ media: known }, { media: nothing }, {}]), 4.12)
  assert.equal(worstMos([{}]), undefined)
})

test('under a ladder each leg has a line of how well it was heard', () => {
  const legs = [
    { party: { kind: 'user', user: 'alice' }, media: known },
    { party: { kind: 'trunk', trunk: 'itsp-a' }, media: nothing },
    { party: { kind: 'trunk', trunk: 'itsp-b' } },
    { party: { kind: 'trunk', trunk: 'itsp-c' }, media: { ...nothing, received: none, sent: none } },
  ] as never
  assert.deepEqual(heardLines({ legs }), [
    'alice         received 3000 packets, 0.1 % lost, 0.3 ms jitter, MOS 4.40 · sent 2990 packets, 1.5 % lost, 2 ms jitter, MOS 4.12 · round trip 42 ms',
    'trunk itsp-a  received 1 packets · sent 1 packets',
  ])
  assert.deepEqual(heardLines({ legs: [] }), [])
})

test('tandem cdrs has loss, round trip and MOS beside the time talked', () => {
  const cdr = {
    callId: 'c1',
    role: 'callee',
    party: { kind: 'trunk', trunk: 'itsp-a' },
    from: '+14255551001',
    dialled: '912065550100',
    startedAt: '2026-01-02T03:04:05.000Z',
    sipStatus: 200,
    durationMs: 61_000,
    media: known,
    cost: { kind: 'free', amount: '0' },
  } as Cdr
  const [head, row] = stripVTControlCharacters(cdrTable([cdr])).split('\n')
  assert.match(head ?? '', /talked +end +loss +RTT +MOS +rating/)
  assert.match(row ?? '', /61 s .*0\.1\/1\.5 % +42 ms +4\.4\/4\.12 +free/)
})
