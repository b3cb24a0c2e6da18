import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { ownLoopback, steadyPort } from '@tandem/testing/ports.ts'
import { type MediaRelay, openMediaRelay } from '../src/adapters/media-relay.ts'
import { RtpReceived } from '../src/adapters/rtp-stream.ts'
import type { MediaLeg } from '../src/domain/media-engine.ts'
import { PLAIN_MEDIA } from '../src/domain/media-policy.ts'
import { somePorts } from './call-edge.ts'
import { until } from './rtp-endpoint.ts'

const sockets: Socket[] = []
const relays: MediaRelay[] = []
after(async () => {
  for (const socket of sockets) socket.close()
  await Promise.all(relays.map((relay) => relay.close()))
})

function relay(pairs = 50, quarantineMs = 5000, address = '127.0.0.1'): MediaRelay {
  const firstPort = Number(somePorts().split('-')[0])
  const made = openMediaRelay({
    address,
    firstPort,
    lastPort: firstPort + 2 * pairs - 1,
    now: () => performance.now(),
    quarantineMs,
  })
  relays.push(made)
  return made
}

async function endpoint(
  address = '127.0.0.1',
  port = 0,
): Promise<{ socket: Socket; port: number; got: Buffer[]; next(): Promise<Buffer> }> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.bind(port, address)
  await once(socket, 'listening')
  const got: Buffer[] = []
  socket.on('message', (packet) => got.push(packet))
  return { socket, port: socket.address().port, got, next: async () => (await once(socket, 'message'))[0] as Buffer }
}

function sdp(port: number, more: { address?: string; direction?: string } = {}): Sdp {
  const text = [
    'v=0',
    `o=- 1 1 IN IP4 ${more.address ?? '127.0.0.1'}`,
    's=-',
    `c=IN IP4 ${more.address ?? '127.0.0.1'}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 0`,
    `a=${more.direction ?? 'sendrecv'}`,
    '',
  ].join('\r\n')
  const parsed = parseSdp(text)
  if (parsed.kind !== 'sdp') throw new Error(parsed.reason)
  return parsed.sdp
}

function rtp(sequence: number, timestamp = sequence * 160, ssrc = 7): Buffer {
  const packet = Buffer.alloc(172)
  packet[0] = 0x80
  packet.writeUInt16BE(sequence & 0xffff, 2)
  packet.writeUInt32BE(timestamp >>> 0, 4)
  packet.writeUInt32BE(ssrc, 8)
  return packet
}

const plain = { address: '127.0.0.1', behindNat: false }

/** Two legs that know each other, and the port that each one's peer sends to. */
function call(
  engine: MediaRelay,
  a: number,
  b: number,
  peerA = plain,
): { legA: MediaLeg; legB: MediaLeg; toA: number; toB: number } {
  const legA = engine.openLeg({ legId: 'a', emergency: false, ...PLAIN_MEDIA })
  const legB = engine.openLeg({ legId: 'b', emergency: false, ...PLAIN_MEDIA })
  const ports: number[] = []
  const take = (text: string | undefined) => ports.push(Number(/m=audio (\d+)/.exec(text ?? '')?.[1]))
  legA.offer(sdp(a), peerA, legB, take)
  legB.answer(sdp(b), plain, legA, take)
  legA.connect(legB)
  return { legA, legB, toB: ports[0] as number, toA: ports[1] as number }
}

describe('the embedded relay', () => {
  test('carries RTP and RTCP both ways and counts what crossed the wire', async () => {
    const engine = relay()
    const [alice, bob] = [await endpoint(), await endpoint()]
    const { legA, legB, toA, toB } = call(engine, alice.port, bob.port)
    assert.equal(toA % 2, 0)
    const heard = bob.next()
    alice.socket.send(rtp(1), toA, '127.0.0.1')
    assert.deepEqual(await heard, rtp(1))
    const back = alice.next()
    bob.socket.send(rtp(9), toB, '127.0.0.1')
    await back
    assert.deepEqual(legA.counts(), {
      received: { packets: 1, bytes: 200, lost: 0, lossPercent: 0, jitterMs: 0 },
      sent: { packets: 1, bytes: 200 },
      rtcpReceived: 0,
      rtcpSent: 0,
    })
    assert.equal(legB.counts()?.sent.packets, 1)
    legA.close()
    legB.close()
    assert.equal(legA.counts()?.received.packets, 1, 'the counts outlive the ports')
    assert.equal(engine.usage().used, 0)
  })

  test('RTCP goes from the port above to the port above', async () => {
    const engine = relay()
    const bob = await endpoint()
    // alice's RTCP port is the one above her RTP port by default: give her the pair explicitly
    const aliceRtcp = await endpoint()
    const { legA, toA } = call(engine, aliceRtcp.port - 1, bob.port)
    aliceRtcp.socket.send(Buffer.from([0x80, 200, 0, 1]), toA + 1, '127.0.0.1')
    await until(() => legA.counts()?.rtcpReceived === 1, 'her RTCP has come')
  })

  test('packets of a stranger are dropped, from another port and from another address', async () => {
    const engine = relay()
    const [alice, bob, stranger, far] = [
      await endpoint(),
      await endpoint(),
      await endpoint(),
      await endpoint('127.0.0.9'),
    ]
    const { legA, toA } = call(engine, alice.port, bob.port)
    stranger.socket.send(rtp(1), toA, '127.0.0.1')
    far.socket.send(rtp(2), toA, '127.0.0.1')
    const heard = bob.next()
    await new Promise((d) => setTimeout(d, 50))
    alice.socket.send(rtp(3), toA, '127.0.0.1')
    assert.deepEqual(await heard, rtp(3))
    assert.equal(legA.counts()?.received.packets, 1)
    assert.equal(engine.strangers, 2)
  })

  test('a phone that was away for a moment in the middle of a call hears the other one again', async () => {
    const engine = relay()
    // his port is his again
    const [alice, bob] = [await endpoint(), await endpoint('127.0.0.1', await steadyPort())]
    const { legA, legB, toA, toB } = call(engine, alice.port, bob.port)
    const talk = async (from: number, to: number) => {
      for (let n = from; n <= to; n++) {
        const [atBob, atAlice] = [bob.next(), alice.next()]
        alice.socket.send(rtp(n), toA, '127.0.0.1')
        bob.socket.send(rtp(n), toB, '127.0.0.1')
        await Promise.all([atBob, atAlice])
      }
    }
    await talk(1, 60)
    sockets.splice(sockets.indexOf(bob.socket), 1)[0]?.close()
    // nobody listens there: the system says so by ICMP, and that may cost a packet, but never the call
    for (let n = 61; n <= 64; n++) alice.socket.send(rtp(n), toA, '127.0.0.1')
    await until(() => legA.counts()?.received.packets === 64, 'her packets have come')
    const back = await endpoint('127.0.0.1', bob.port)
    const heard = back.next()
    for (let n = 65; n <= 66; n++) alice.socket.send(rtp(n), toA, '127.0.0.1')
    await heard
    const answer = alice.next()
    back.socket.send(rtp(61), toB, '127.0.0.1')
    assert.deepEqual(await answer, rtp(61))
    legA.close()
    legB.close()
  })

  test('a port pair that knew one peer only serves the next call with another one', async () => {
    const address = ownLoopback()
    const engine = relay(2, 0, address)
    for (let calls = 1; calls <= 2; calls++) {
      const [alice, bob] = [await endpoint(), await endpoint()]
      const { legA, legB, toA } = call(engine, alice.port, bob.port)
      for (let n = 1; n <= 60; n++) {
        const heard = bob.next()
        alice.socket.send(rtp(n), toA, address)
        await heard
      }
      legA.close()
      legB.close()
    }
  })

  test('a peer behind a NAT is heard from its signalling address, and answered where it sends from', async () => {
    const engine = relay()
    const [alice, bob] = [await endpoint(), await endpoint()]
    // its description names a port of its own network
    const { toA, toB } = call(engine, 9, bob.port, { address: '127.0.0.1', behindNat: true })
    const heard = bob.next()
    alice.socket.send(rtp(1), toA, '127.0.0.1')
    await heard
    const back = alice.next()
    bob.socket.send(rtp(2), toB, '127.0.0.1')
    assert.deepEqual(await back, rtp(2))
  })

  test('a peer that hears at port 65535 has none for RTCP: nothing is sent there, nothing breaks', async () => {
    const engine = relay()
    const [alice, rtcp] = [await endpoint(), await endpoint()]
    const { legB, toA } = call(engine, alice.port, 65_535, { address: '127.0.0.1', behindNat: true })
    rtcp.socket.send(Buffer.from([0x80, 200, 0, 1, 0, 0, 0, 1]), toA + 1, '127.0.0.1')
    alice.socket.send(rtp(1), toA, '127.0.0.1')
    await until(() => legB.counts()?.sent.packets === 1, 'her packet was sent on')
    assert.deepEqual([legB.counts()?.sent.packets, legB.counts()?.rtcpSent], [1, 0])
  })

  test('on hold with 0.0.0.0 nothing is sent there', async () => {
    const engine = relay()
    const [alice, bob] = [await endpoint(), await endpoint()]
    const { legA, legB, toB } = call(engine, alice.port, bob.port)
    legA.offer(sdp(alice.port, { address: '0.0.0.0' }), plain, legB, () => {})
    bob.socket.send(rtp(1), toB, '127.0.0.1')
    await until(() => legB.counts()?.received.packets === 1, 'his packet has come')
    await new Promise((d) => setTimeout(d, 50))
    assert.equal(alice.got.length, 0)
  })

  test('a leg that is joined to another one no longer hears the first', async () => {
    const engine = relay()
    const [alice, bob, carol] = [await endpoint(), await endpoint(), await endpoint()]
    const { legA, toB } = call(engine, alice.port, bob.port)
    const legC = engine.openLeg({ legId: 'c', emergency: false, ...PLAIN_MEDIA })
    legC.offer(sdp(carol.port), plain, legA, () => {})
    legA.connect(legC)
    bob.socket.send(rtp(1), toB, '127.0.0.1')
    await new Promise((d) => setTimeout(d, 50))
    assert.equal(alice.got.length, 0)
  })

  test('ports that are given back rest, and are taken again before there is none', () => {
    const engine = relay(8, 60_000, ownLoopback())
    const used: number[] = []
    for (let n = 0; n < 20; n++) {
      const { legA, legB, toA, toB } = call(engine, 4000, 4002)
      assert.ok(toA > 0 && toB > 0, `call ${n} has ports`)
      used.push(toA, toB)
      legA.close()
      legB.close()
    }
    // all eight were new before the first one came back
    assert.equal(new Set(used.slice(0, 8)).size, 8)
    assert.deepEqual(engine.usage(), { used: 0, free: 8 })
  })

  test('when all ports are in use a call is told so, but an emergency call has a reserve', () => {
    const engine = relay(4, 5000, ownLoopback())
    const offer = (emergency: boolean): string | undefined => {
      const from = engine.openLeg({ legId: 'x', emergency, ...PLAIN_MEDIA })
      const to = engine.openLeg({ legId: 'y', emergency, ...PLAIN_MEDIA })
      let text: string | undefined
      from.offer(sdp(4000), plain, to, (t) => {
        text = t
      })
      return text
    }
    assert.ok(offer(false))
    assert.ok(offer(false))
    assert.ok(offer(false))
    assert.equal(offer(false), undefined)
    assert.ok(offer(true))
  })
})

describe('what is counted of a stream', () => {
  test('loss from gaps, over the wrap of the sequence, not from reordering or repetition (RFC 3550 A.1, A.3)', () => {
    const stream = new RtpReceived()
    const at = (sequence: number) => stream.count(rtp(sequence), 28, sequence * 20)
    for (const s of [65_533, 65_534, 65_535, 65_536, 65_538, 65_537, 65_541]) at(s)
    assert.equal(stream.packets, 7)
    assert.equal(stream.lost, 2)
  })
  test('a new source begins anew and keeps what was lost before', () => {
    const stream = new RtpReceived()
    stream.count(rtp(1, 0, 1), 28, 0)
    stream.count(rtp(3, 0, 1), 28, 20)
    stream.count(rtp(500, 0, 2), 28, 40)
    stream.count(rtp(501, 160, 2), 28, 60)
    assert.equal(stream.lost, 1)
  })
  test('an even stream has no jitter, an uneven one has (RFC 3550 A.8)', () => {
    const even = new RtpReceived()
    const uneven = new RtpReceived()
    for (let i = 0; i < 200; i++) {
      even.count(rtp(i), 28, i * 20)
      uneven.count(rtp(i), 28, i * 20 + (i % 2) * 8)
    }
    assert.ok(even.jitterMs < 0.001)
    assert.ok(Math.abs(uneven.jitterMs - 8) < 0.5, `${uneven.jitterMs}`)
  })
  test('RFC 3550 A.1: one packet far out of sequence is a stray, two are a new beginning', () => {
    const stray = new RtpReceived()
    for (const s of [1, 2, 40_000, 3, 5]) stray.count(rtp(s), 28, s)
    assert.deepEqual([stray.lost, stray.expected], [1, 5])
    const anew = new RtpReceived()
    for (const s of [1, 3, 40_000, 40_001, 40_003]) anew.count(rtp(s), 28, s)
    assert.deepEqual([anew.lost, anew.expected], [2, 3])
  })
  test('RFC 4733: the packets of a digit, all of one time stamp, are no jitter', () => {
    const digit = new RtpReceived()
    for (let i = 0; i < 60; i++) digit.count(rtp(i, i < 20 || i > 40 ? i * 160 : 20 * 160), 28, i * 20)
    assert.ok(digit.jitterMs < 0.001, `${digit.jitterMs}`)
  })
  test('what is no RTP is counted as bytes only', () => {
    const stream = new RtpReceived()
    stream.count(Buffer.from('hello'), 28, 0)
    assert.equal(stream.packets, 1)
    assert.equal(stream.bytes, 33)
    assert.equal(stream.lost, 0)
  })
})
