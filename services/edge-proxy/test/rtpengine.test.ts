import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createLogger } from '@tandem/observability/log.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { openMediaRelay } from '../src/adapters/media-relay.ts'
import { openRtpengine } from '../src/adapters/rtpengine.ts'
import type { MediaEngine, MediaLeg, MediaPeer } from '../src/domain/media-engine.ts'
import { PLAIN_MEDIA } from '../src/domain/media-policy.ts'
import { type CallEdge, plan, somePorts, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { description, until } from './rtp-endpoint.ts'

const reason = whyNoRtpengine()
const skip = reason === undefined ? {} : { skip: reason }
const log = createLogger({ service: 'edge-proxy', level: 'silent' })
const plain: MediaPeer = { address: '127.0.0.1', behindNat: false }

function engineOf(control: readonly string[]): MediaEngine {
  const firstPort = Number(somePorts().split('-')[0])
  const now = () => performance.now()
  const reserve = openMediaRelay({ address: '127.0.0.1', firstPort, lastPort: firstPort + 99, now })
  return openRtpengine({ control, now, log, reserve })
}

let legs = 0
const leg = (engine: MediaEngine, emergency = false) =>
  engine.openLeg({ legId: `leg-${++legs}`, emergency, ...PLAIN_MEDIA })
const offered = (from: MediaLeg, port: number, to: MediaLeg) =>
  new Promise<string | undefined>((done) => from.offer(description(port), plain, to, done))
const answered = (from: MediaLeg, port: number, to: MediaLeg) =>
  new Promise<string | undefined>((done) => from.answer(description(port), plain, to, done))
const portOf = (text: string | undefined): number => Number(/m=audio (\d+)/.exec(text ?? '')?.[1])

describe('several rtpengines', skip, () => {
  let first: Rtpengine
  let second: Rtpengine
  before(async () => {
    first = await startRtpengine()
    second = await startRtpengine()
  })
  after(async () => {
    await first?.close()
    await second?.close()
  })

  test('take calls in turn, and have none left when the calls are over', async () => {
    const engine = engineOf([first.control, second.control])
    const pairs = [1, 2, 3, 4].map(() => [leg(engine), leg(engine)] as const)
    for (const [a, b] of pairs) {
      assert.ok(await offered(a, 40_000, b))
      assert.ok(await answered(b, 40_002, a))
    }
    assert.deepEqual([(await first.calls()).length, (await second.calls()).length], [2, 2])
    for (const each of pairs.flat()) each.close()
    await engine.close()
    assert.deepEqual([(await first.calls()).length, (await second.calls()).length], [0, 0])
  })

  test('one that is not there is left out, and the call that asked is not lost', async () => {
    const nobody = `udp://127.0.0.1:${await steadyPort()}`
    const engine = engineOf([nobody, second.control])
    for (let n = 0; n < 3; n++) {
      const port = portOf(await offered(leg(engine), 40_000, leg(engine)))
      assert.ok(second.carries(port), `port ${port}`)
    }
    await engine.close()
  })

  test('what a killed one carried is anchored at another one with the next offer', async () => {
    const engine = engineOf([first.control, second.control])
    const [a, b] = [leg(engine), leg(engine)]
    const before = portOf(await offered(a, 40_000, b))
    const toAlice = portOf(await answered(b, 40_002, a))
    const [carrier, other] = first.carries(before) ? [first, second] : [second, first]
    await carrier.crash()
    const after = portOf(await offered(a, 40_000, b))
    const again = portOf(await answered(b, 40_002, a))
    assert.ok(other.carries(after), 'the other one')
    assert.notEqual(again, toAlice)
    await carrier.start()
    await engine.close()
  })
})

describe('a leg to a browser', skip, () => {
  let daemon: Rtpengine
  let engine: MediaEngine
  before(async () => {
    daemon = await startRtpengine()
    engine = engineOf([daemon.control])
  })
  after(async () => {
    await engine?.close()
    await daemon?.close()
  })
  const browser = (port: number) =>
    description(port, {
      protocol: 'UDP/TLS/RTP/SAVPF',
      more: [
        'a=ice-ufrag:abcd',
        'a=ice-pwd:abcdefghijklmnopqrstuvwx',
        'a=candidate:1 1 UDP 2113937151 192.0.2.77 50000 typ host',
        `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
        'a=setup:actpass',
        'a=mid:0',
        'a=rtcp-mux',
      ],
    })

  test('is offered DTLS-SRTP with ICE and rtcp-mux, when a phone calls it', async () => {
    const a = leg(engine)
    const b = engine.openLeg({ legId: 'browser-1', emergency: false, ...PLAIN_MEDIA, keying: 'dtls' })
    const offer = (await offered(a, 40_000, b)) ?? ''
    assert.match(offer, /^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m)
    for (const each of [/^a=fingerprint:sha-256 /m, /^a=setup:/m, /^a=rtcp-mux$/m, /^a=ice-pwd:/m, /^a=candidate:/m])
      assert.match(offer, each)
    assert.doesNotMatch(offer, /a=crypto/)
  })

  test('is answered in DTLS-SRTP when it calls, and the trunk sees plain RTP and nothing of the browser', async () => {
    const a = engine.openLeg({ legId: 'browser-2', emergency: false, ...PLAIN_MEDIA, keying: 'dtls' })
    const b = leg(engine)
    const offer = await new Promise<string | undefined>((done) => a.offer(browser(40_000), plain, b, done))
    assert.match(offer ?? '', /^m=audio \d+ RTP\/AVP /m)
    assert.doesNotMatch(offer ?? '', /192\.0\.2\.77|ice-|fingerprint|candidate|setup|rtcp-mux/)
    const answer = (await answered(b, 40_002, a)) ?? ''
    assert.match(answer, /^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /m)
    assert.match(answer, /^a=setup:(active|passive)$/m)
    for (const each of [/^a=fingerprint:sha-256 /m, /^a=rtcp-mux$/m, /^a=ice-ufrag:/m, /^a=candidate:/m])
      assert.match(answer, each)
  })
})

describe('no rtpengine answers', () => {
  test('a call gets no media, within a second and with 503; a call for help gets the embedded relay', async () => {
    const engine = engineOf([`udp://127.0.0.1:${await steadyPort()}`])
    const started = performance.now()
    const why = await new Promise((done) =>
      leg(engine).offer(description(40_000), plain, leg(engine), (text, status) => done([text, status])),
    )
    assert.deepEqual(why, [undefined, 503])
    assert.ok(performance.now() - started < whenBusy(1250))
    const [a, b] = [leg(engine, true), leg(engine, true)]
    assert.ok(portOf(await offered(a, 40_000, b)) > 0)
    assert.ok(portOf(await answered(b, 40_002, a)) > 0)
    await engine.close()
  })
})

describe('calls through an edge whose media rtpengine carries', skip, () => {
  let daemon: Rtpengine
  let house: CallEdge
  before(async () => {
    daemon = await startRtpengine()
    house = await startCallEdge({
      edge: {
        media: { relay: 'rtpengine', control: [daemon.control], address: '127.0.0.1', ports: somePorts() },
      },
    })
  })
  after(async () => {
    await house?.close()
    await daemon?.close()
  })

  test('both hear each other, hold and resume, and the record has the counts of both legs', async () => {
    house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
    const invited = house.itspA.nextInvite((i) => i.call !== undefined)
    const call = await house.alice.call('912065550100')
    await call.answered
    const pstn = (await invited).call
    await call.audio.hears(house.itspA.tone)
    await pstn?.audio.hears(house.alice.tone)
    assert.equal((await daemon.calls()).length, 1)
    await call.hold()
    await call.hangUp()
    const records = await house.ended(2)
    for (const { media } of records) {
      assert.ok((media?.received.packets ?? 0) > 2 && (media?.sent.packets ?? 0) > 2, JSON.stringify(media))
      assert.ok((media?.received.bytes ?? 0) >= 200 * (media?.received.packets ?? 0))
    }
    await until(() => house.calls.status().calls === 0, 'the call is over')
    assert.deepEqual(await daemon.calls(), [])
  })

  test('the next trunk is tried when the first refuses, and heard', async () => {
    house.itspA.setBehaviour({ status: 503 })
    house.route(() => plan([toTrunk('itsp-a', '12065550100'), toTrunk('itsp-b', '12065550100')]))
    const call = await house.alice.call('912065550100')
    await call.answered
    await call.audio.hears(house.itspB.tone)
    await call.hangUp()
    await house.ended(3)
    assert.deepEqual(await daemon.calls(), [])
  })

  test('a placed call is heard on both sides', async () => {
    house.itspA.setBehaviour('answer')
    house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
    const invited = house.itspA.nextInvite((i) => i.call !== undefined)
    assert.equal((await house.calls.placeCall('alice', '912065550100')).kind, 'placed')
    const phone = await house.alice.nextCall()
    await phone.answer()
    const pstn = (await invited).call
    await pstn?.audio.hears(house.alice.tone)
    await phone.audio.hears(house.itspA.tone)
    await phone.hangUp()
    await house.ended(2)
  })

  test('a call is transferred, blind and attended: whoever is left hears the other, and nothing is left of the rest', async () => {
    house.route(({ dialled }) =>
      dialled === '1001'
        ? plan([toUser('alice')], { caller: { number: '+12065550177' } })
        : dialled === '1002'
          ? plan([toUser('bob')], { callee: { user: 'bob' } })
          : plan([toTrunk('itsp-a', dialled)], { caller: { number: '+12065550177' } }),
    )
    for (const way of ['blind', 'attended', 'busy'] as const) {
      const ringing = house.alice.nextCall()
      const pstn = await house.itspB.call({ from: '+12065550177', to: '1001' })
      const first = await ringing
      await first.answer()
      await pstn.answered
      const one = house.questions.at(-1)?.callId
      if (way === 'busy') {
        house.itspA.setPhone('12065550191', 'busy')
        await first.transfer('sip:12065550191@acme.example')
        assert.equal(await first.transferred(), 486)
        await Promise.all([pstn.audio.hears(house.alice.tone), first.audio.hears(house.itspB.tone)])
      } else if (way === 'blind') {
        await first.transfer('sip:12065550190@acme.example')
        assert.equal(await first.transferred(), 200)
        const there = await house.itspA.nextInvite((i) => i.number === '12065550190' && i.call !== undefined)
        await Promise.all([pstn.audio.hears(house.itspA.tone), there.call?.audio.hears(house.itspB.tone)])
      } else {
        await first.hold()
        const asking = house.bob.nextCall()
        const second = await house.alice.call('1002')
        const bob = await asking
        await bob.answer()
        await second.answered
        await second.audio.hears(house.bob.tone)
        await first.transfer('sip:bob@acme.example', { instead: second })
        assert.equal(await first.transferred(), 200)
        await Promise.all([pstn.audio.hears(house.bob.tone), bob.audio.hears(house.itspB.tone)])
      }
      await pstn.hangUp()
      await until(() => house.calls.status().calls === 0, 'the call is over')
      const records = () => house.records.filter((r) => r.callId === one || r.joined === one)
      await until(() => records().length >= (way === 'attended' ? 4 : 3), 'every leg has its record')
      const legs = records()
      assert.equal(new Set(legs.map((r) => r.legId)).size, legs.length)
      for (const { media, sipStatus, reason } of legs)
        if (sipStatus === 200 && reason !== 'transferred')
          assert.ok((media?.received.packets ?? 0) > 2 && (media?.sent.packets ?? 0) > 2, JSON.stringify(media))
    }
    assert.deepEqual(await daemon.calls(), [])
  })

  test('it is killed: a new call gets 503, a call for help goes out and is heard', async () => {
    await daemon.crash()
    house.route(({ dialled }) =>
      plan([toTrunk('itsp-a', dialled === '911' ? '911' : '12065550100')], {
        emergency: dialled === '911',
        dialled,
      }),
    )
    const refused = await house.alice.call('912065550100')
    await assert.rejects(refused.answered, /503/)
    const invited = house.itspA.nextInvite((i) => i.call !== undefined)
    const call = await house.alice.call('911')
    await call.answered
    await (await invited).call?.audio.hears(house.alice.tone)
    await call.audio.hears(house.itspA.tone)
    await call.hangUp()
    await daemon.start()
  })
})
