/** edge.md E12, billing.md B4: how well a call was heard is in its records, whichever engine carries it; silence ends it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { LegRecord } from '@tandem/contracts/call.ts'
import type { Line } from '@tandem/testing/rtp-audio.ts'
import { startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { type CallEdge, plan, somePorts, startCallEdge, toTrunk } from './call-edge.ts'
import { until } from './rtp-endpoint.ts'

const ALICE: Line = { dropEvery: 10, roundTripMs: 40, reportMs: 550 }
const CARRIER: Line = { roundTripMs: 120, reportMs: 550 }

async function answeredCall(house: CallEdge) {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const invited = house.itspA.nextInvite((i) => i.call !== undefined)
  const call = await house.alice.call('912065550100')
  await call.answered
  const far = (await invited).call
  assert.ok(far)
  await call.audio.hears(house.itspA.tone)
  return { call, far }
}

const over = (house: CallEdge) => until(() => house.calls.status().calls === 0, 'the call is over')

/** Alice loses every tenth of her packets; she seems 40 ms away, the carrier 120 ms. */
async function heardBadly(house: CallEdge): Promise<readonly [LegRecord, LegRecord]> {
  const { call, far } = await answeredCall(house)
  await until(() => call.audio.rtcpSent >= 6 && far.audio.rtcpSent >= 6, 'both have reported for some seconds')
  await call.hangUp()
  const records = await house.ended(2)
  await over(house)
  const [user, trunk] = ['user', 'trunk'].map((kind) => records.find((r) => r.party.kind === kind))
  assert.ok(user?.media && trunk?.media)
  const { media: alice } = user
  const { media: carrier } = trunk
  assert.ok((carrier.sent.lost ?? 0) >= 5, JSON.stringify(carrier))
  const about = (percent: number | undefined, what: string) =>
    assert.ok(percent !== undefined && percent > 6 && percent < 14, `${what}: ${percent} %`)
  about(carrier.sent.lossPercent, 'the carrier hears alice')
  assert.ok((alice.roundTripMs ?? 0) >= 38 && (alice.roundTripMs ?? 0) < 500, `alice: ${alice.roundTripMs} ms`)
  assert.ok((carrier.roundTripMs ?? 0) >= 118 && (carrier.roundTripMs ?? 0) < 600, `carrier: ${carrier.roundTripMs} ms`)
  // Ie,eff of 10 % loss is 27, so R is 63 at most
  assert.ok((carrier.sent.mos ?? 5) < 3.7, JSON.stringify(carrier))
  for (const { sent } of [alice, carrier]) {
    assert.equal(sent.mosModel, 'g107-simplified-cq')
    assert.ok((sent.mos ?? 0) >= 1 && sent.jitterMs !== undefined)
  }
  assert.ok((alice.sent.mos ?? 0) > (carrier.sent.mos ?? 5))
  return [user, trunk]
}

describe('the embedded relay', () => {
  let house: CallEdge
  before(async () => {
    house = await startCallEdge({
      alice: { line: ALICE },
      a: { line: CARRIER },
      trunks: { 'itsp-a': { limits: { calls: 1 } } },
      edge: { media: { relay: 'embedded', address: '127.0.0.1', ports: somePorts(), inactivity: '2s' } },
    })
  })
  after(() => house?.close())

  test('says how both sides heard each other, by its own count and by their reports', async () => {
    const [user, trunk] = await heardBadly(house)
    const { received } = user.media ?? {}
    assert.ok((received?.lost ?? 0) >= 5 && (received?.lossPercent ?? 0) > 6, JSON.stringify(received))
    assert.ok((received?.mos ?? 5) < 3.7)
    assert.equal(trunk.media?.received.lost, 0)
  })

  test('goes on with a call whose sides send reports alone', async () => {
    const { call, far } = await answeredCall(house)
    far.audio.fallSilent(false)
    call.audio.fallSilent(true)
    const reports = call.audio.rtcpSent
    // more than twice the inactivity
    await until(() => call.audio.rtcpSent >= reports + 6, 'she reports on')
    assert.equal(house.calls.status().calls, 1)
    await call.hangUp()
    assert.equal((await house.ended(2))[0]?.endedBy, 'caller')
    await over(house)
  })

  test('a call that has gone silent is hung up, its record says where and for how long, and its place is free', async () => {
    const { call, far } = await answeredCall(house)
    const full = await house.bob.call('912065550100')
    await assert.rejects(full.answered, /503/)
    const id = house.questions.at(-2)?.callId
    far.audio.fallSilent(false)
    call.audio.fallSilent(false)
    assert.equal((await call.ended).by, 'peer')
    await over(house)
    await until(() => house.records.filter((r) => r.callId === id).length === 2, 'both records')
    for (const { endedBy, reason } of house.records.filter((r) => r.callId === id)) {
      assert.equal(endedBy, 'tandem')
      assert.match(
        reason ?? '',
        /^no RTP or RTCP received from caller \(user:alice\) for \d+ s, nor from callee \(trunk:itsp-a\) for \d+ s$/,
      )
    }
    const next = await house.bob.call('912065550100')
    await next.answered
    await next.hangUp()
    await over(house)
  })
})

const reason = whyNoRtpengine()
describe('rtpengine', reason === undefined ? {} : { skip: reason }, () => {
  test('says how both sides heard each other, by their reports', async () => {
    const daemon = await startRtpengine()
    const media = { relay: 'rtpengine' as const, control: [daemon.control], address: '127.0.0.1', ports: somePorts() }
    const house = await startCallEdge({ alice: { line: ALICE }, a: { line: CARRIER }, edge: { media } })
    try {
      const [user] = await heardBadly(house)
      assert.equal(user.media?.received.lost, undefined, 'it counts no gaps of its own')
    } finally {
      await house.close()
      await daemon.close()
    }
  })
})
