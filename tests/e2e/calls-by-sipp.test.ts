/** Calls by sipp, a SIP peer that we did not write, through the whole platform. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cdr } from '@tandem/contracts/billing.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { eventually, type Platform, startPlatform } from './platform.ts'
import { findSipp, startSipp } from './sipp.ts'

const skip = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
let platform: Platform
before(async () => {
  if (!skip) platform = await startPlatform()
})
after(async () => {
  if (platform) assert.equal(await platform.stop(), 0)
})

test('a user who dials an outside number by sipp, challenged with digest, is answered by a sipp carrier; each call has two legs and the carrier leg a price', {
  skip,
}, async () => {
  const carrier = await startSipp({
    scenario: 'carrier-answers.xml',
    localPort: platform.ports.carrierA,
    timeout: 60,
  })
  const caller = await startSipp({
    scenario: 'user-calls.xml',
    target: `127.0.0.1:${platform.ports.inside}`,
    localPort: await steadyPort(),
    calls: 20,
    rate: 10,
    user: 'alice',
    password: platform.secrets.ALICE_PASSWORD as string,
    keys: { dialled: '912065550100' },
  })
  const called = await caller.done
  await carrier.stop()
  assert.deepEqual([called.successful, called.failed], [20, 0], called.errors)

  const listed = await eventually('40 legs', async () => {
    const l = await platform.tandemJson<{ cdrs: Cdr[]; calls: number; legs: number }>('cdrs')
    return l.legs >= 40 && l
  })
  assert.deepEqual([listed.calls, listed.legs], [20, 40])
  const trunkLegs = listed.cdrs.filter((c) => c.party.kind === 'trunk')
  assert.equal(trunkLegs.length, 20)
  for (const leg of trunkLegs) {
    assert.equal(leg.to, '+12065550100')
    assert.equal(leg.cost.kind, 'per-minute')
    // about a second, billed as 6 s at 0.0100 a minute
    assert.equal(Number(leg.cost.amount), 0.001)
  }
  for (const leg of listed.cdrs.filter((c) => c.party.kind === 'user')) assert.equal(Number(leg.cost.amount), 0)
})
