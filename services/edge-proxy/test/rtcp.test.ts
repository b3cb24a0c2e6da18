import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Report, writeRtcp } from '@tandem/testing/rtcp.ts'
import fc from 'fast-check'
import { FarEnd } from '../src/domain/far-end.ts'
import { readRtcp } from '../src/domain/rtcp.ts'

const block = (more: Partial<Report> = {}): Report => ({
  source: 7,
  fractionLost: 26,
  lost: 5,
  highest: 50,
  jitter: 80,
  lsr: 0,
  dlsr: 0,
  ...more,
})
const sender = { timestamp: 1600, packets: 50, octets: 8000, wallMs: 816_003_205_125 }

/** RFC 3611 4.7, seven words and a header, about SSRC 7. */
function voipMetrics(values: readonly number[]): Buffer {
  const packet = Buffer.alloc(8 + 36)
  packet.writeUInt32BE(0x80cf000a, 0)
  packet.writeUInt32BE(9, 4)
  packet.writeUInt32BE(0x07000008, 8)
  packet.writeUInt32BE(7, 12)
  packet.set(values, 16)
  return packet
}

describe('RTCP is read', () => {
  test('RFC 3550 6.4.1: a sender report with its report block, and the SDES behind it', () => {
    const { senders, blocks } = readRtcp(writeRtcp(9, [block()], sender))
    // the middle of the NTP time stamp: 16 bits of seconds, 16 of the fraction
    const seconds = (Math.floor(sender.wallMs / 1000) + 2_208_988_800) % 65_536
    assert.deepEqual(senders, [{ source: 9, time: seconds * 65_536 + 0x2000 }])
    assert.deepEqual(blocks, [{ source: 7, fractionLost: 26, lost: 5, jitter: 80, lastReport: 0, delay: 0 }])
  })
  test('RFC 3550 6.4.2: a receiver report; the count of lost packets is signed', () => {
    const { senders, blocks } = readRtcp(writeRtcp(9, [block({ lost: -3 }), block({ source: 8 })]))
    assert.deepEqual(senders, [])
    assert.deepEqual(
      blocks.map((b) => [b.source, b.lost]),
      [
        [7, -3],
        [8, 5],
      ],
    )
  })
  test('RFC 3611 4.7: VoIP metrics behind a report; what is unknown (0 ms, 127) is absent', () => {
    const all = [13, 26, 0, 0, 0, 0, 0, 0, 0, 120, 0, 60, 0, 0, 0, 16, 82, 127, 38, 36, 0, 0, 0, 40, 0, 80, 0, 200]
    const datagram = Buffer.concat([writeRtcp(9, [block()]), voipMetrics(all)])
    assert.deepEqual(readRtcp(datagram).metrics, [
      {
        source: 7,
        says: {
          lossPercent: 5.08,
          discardPercent: 10.16,
          roundTripMs: 120,
          endSystemDelayMs: 60,
          rFactor: 82,
          mosLq: 3.8,
          mosCq: 3.6,
        },
      },
    ])
    const none = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 127, 127, 127, 9, 0, 0, 0, 0, 0, 0, 0, 0]
    assert.deepEqual(readRtcp(voipMetrics(none)).metrics[0]?.says, { lossPercent: 0, discardPercent: 0 })
  })
  test('RFC 3550 A.2: what is cut short, has another version or claims more than it holds is left out, never thrown', () => {
    const whole = writeRtcp(9, [block()], sender)
    for (let length = 0; length < 52; length++) {
      const { senders, blocks } = readRtcp(whole.subarray(0, length))
      assert.deepEqual([senders.length, blocks.length], [0, 0])
    }
    const version = Buffer.from(whole)
    version[0] = 0x41
    assert.deepEqual(readRtcp(version).blocks, [])
    const claims = Buffer.from(whole)
    claims[0] = 0x9f
    assert.equal(readRtcp(claims).blocks.length, 1, 'thirty-one are claimed, one is there')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, at) => {
        const made = Buffer.concat([whole.subarray(0, at % whole.length), bytes])
        const { senders, blocks, metrics } = readRtcp(made)
        assert.ok(senders.length + blocks.length + metrics.length <= made.length / 8)
      }),
    )
  })
})

describe('what a far end says of a stream', () => {
  const stream = { ssrc: 7, expected: 50, clock: 8000 }
  const heard = (b: Partial<Report>) => readRtcp(writeRtcp(9, [block(b)])).blocks[0] as never

  test('RFC 3550 6.4.1, figure 2: the round trip is A - LSR - DLSR = 6.125 s', () => {
    const peer = new FarEnd()
    peer.told({ source: 7, time: 0xb7052000 }, 46_853_125)
    peer.heard(heard({ lsr: 0xb7052000, dlsr: 0x00054000 }), stream, 46_864_500)
    assert.equal(peer.roundTripMs, 6125)
  })
  test('a report that answers nothing of ours, or is older than itself, tells of no way', () => {
    const peer = new FarEnd()
    peer.told({ source: 7, time: 100 }, 1000)
    peer.told({ source: 7, time: 0 }, 1000)
    peer.heard(heard({ lsr: 0, dlsr: 0 }), stream, 1100)
    peer.heard(heard({ lsr: 99, dlsr: 0 }), stream, 1100)
    peer.heard(heard({ lsr: 100, dlsr: 65_536 }), stream, 1100)
    assert.equal(peer.roundTripMs, undefined)
    peer.heard(heard({ lsr: 100, dlsr: 6554 }), stream, 1099)
    assert.equal(peer.roundTripMs, 0, 'a millisecond of rounding is no time')
    assert.equal(peer.counts()?.lost, 5, 'its loss counts all the same')
  })
  test('loss is of what was expected, over sources; jitter in ms of the codec clock; the worst report is kept', () => {
    const peer = new FarEnd()
    peer.heard(heard({ lost: 1, fractionLost: 64, jitter: 160 }), { ...stream, expected: 20 }, 0)
    peer.heard(heard({ lost: 2, fractionLost: 8, jitter: 0 }), { ...stream, expected: 40 }, 0)
    peer.heard(heard({ source: 8, lost: 6, fractionLost: 0, jitter: 80 }), { ...stream, ssrc: 8, expected: 60 }, 0)
    assert.deepEqual(peer.counts(), { lost: 8, lossPercent: 8, lossPeakPercent: 25, jitterMs: 10 })
  })
  test('a source that is not ours, and more loss than packets, change nothing beyond what can be', () => {
    const peer = new FarEnd()
    peer.heard(heard({ source: 99 }), stream, 0)
    assert.equal(peer.counts(), undefined)
    peer.heard(heard({ lost: 1_000_000 }), stream, 0)
    assert.deepEqual([peer.counts()?.lost, peer.counts()?.lossPercent], [50, 100])
    peer.heard(heard({ lost: -4, fractionLost: 0 }), stream, 0)
    assert.equal(peer.counts()?.lost, 0)
  })
})
