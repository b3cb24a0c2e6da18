/** What every media engine does: the embedded relay and rtpengine run the same tests (media-engines.test.ts). */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseSdp, type Sdp } from '@tandem/sdp/parse.ts'
import { type Report, timeOfSenderReport, writeRtcp } from '@tandem/testing/rtcp.ts'
import type { Keying, MediaEngine, MediaLeg, MediaPeer, NoDescription } from '../src/domain/media-engine.ts'
import { PLAIN_MEDIA } from '../src/domain/media-policy.ts'
import { description, type Endpoint, endpoint, rtp, telephoneEvent, until } from './rtp-endpoint.ts'
import { Keys } from './srtp-keys.ts'

export interface EngineUnderTest {
  readonly engine: MediaEngine
  /** Counts the gaps and the jitter of what comes, not only what far ends report. */
  readonly ownCount: boolean
  /** Never gives the key of one side to the other (rtpengine does where both may have the same). */
  readonly ownKeys: boolean
  close(): Promise<void>
}

const plain: MediaPeer = { address: '127.0.0.1', behindNat: false }
const RTCP = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 7])

export function mediaSuite(name: string, open: () => Promise<EngineUnderTest>, skip: string | undefined): void {
  describe(`${name} as media engine`, skip === undefined ? {} : { skip }, () => {
    let under: EngineUnderTest
    const endpoints: Endpoint[] = []
    before(async () => {
      under = await open()
    })
    after(async () => {
      for (const each of endpoints) each.close()
      await under?.close()
    })
    const someone = async (address?: string): Promise<Endpoint> => {
      const made = await endpoint(address)
      endpoints.push(made)
      return made
    }
    let legs = 0
    const leg = (keying: Keying = 'off', emergency = false) =>
      under.engine.openLeg({ legId: `${name}-${++legs}`, emergency, ...PLAIN_MEDIA, keying })

    /** alice offers, bob answers. */
    const call = async (more: { alicePeer?: MediaPeer; aliceSays?: Sdp } = {}) => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg(), leg()]
      const offer = await offered(a, more.aliceSays ?? description(alice.port), b, more.alicePeer)
      const answer = await answered(b, description(bob.port), a)
      a.connect(b)
      return { alice, bob, a, b, toBob: portOf(offer), toAlice: portOf(answer), offer, answer }
    }

    test('carries RTP and RTCP both ways, and counts what crossed the wire', async () => {
      const { alice, bob, a, b, toBob, toAlice } = await call()
      assert.equal(toAlice % 2, 0)
      alice.send(rtp(1), toAlice)
      await until(() => bob.heard.length === 1, 'bob hears alice')
      assert.deepEqual(bob.heard[0], rtp(1))
      bob.send(rtp(9, 0, 3), toBob)
      await until(() => alice.heard.length === 1, 'alice hears bob')
      alice.sendRtcp(RTCP, toAlice + 1)
      await until(() => bob.heardRtcp.length === 1, 'bob gets RTCP')
      const [ofA, ofB] = await Promise.all([settled(a), settled(b)])
      a.close()
      b.close()
      assert.deepEqual([ofA?.received.packets, ofA?.received.bytes], [1, 200], '172 bytes and 28 of headers')
      assert.deepEqual([ofA?.sent.packets, ofA?.sent.bytes], [1, 200])
      assert.deepEqual([ofB?.received.packets, ofB?.sent.packets], [1, 1])
      assert.deepEqual([ofA?.rtcpReceived, ofB?.rtcpSent], [1, 1])
    })

    test('a description tells nothing of the other side, and its o= line is ours through the call', async () => {
      const inside = description(40_000, {
        more: ['a=x-inside:10.1.2.3 5000', 'a=candidate:1 1 UDP 1 10.1.2.3 5 typ host'],
      })
      const { a, b, offer } = await call({ aliceSays: inside })
      assert.doesNotMatch(offer, /10\.1\.2\.3|candidate|x-inside/)
      const again = await offered(a, inside, b)
      assert.equal(line(again, 'o='), line(offer, 'o='), 'nothing has changed (RFC 3264 8)')
      const held = await offered(a, description(40_000, { direction: 'sendonly' }), b)
      assert.match(held, /a=sendonly/)
      const version = (text: string) => Number(line(text, 'o=').split(' ')[2])
      assert.equal(version(held), version(offer) + 1)
      assert.equal(line(held, 'o=').split(' ')[1], line(offer, 'o=').split(' ')[1])
      assert.equal(portOf(held), portOf(offer), 'the same port through the call')
    })

    test('early media is heard before the answer, on the ports of the answer', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg(), leg()]
      const toBob = portOf(await offered(a, description(alice.port), b))
      const early = await answered(b, description(bob.port), a)
      b.connect(a)
      bob.send(rtp(1), toBob)
      await until(() => alice.heard.length === 1, 'alice hears the announcement')
      const final = await answered(b, description(bob.port), a)
      assert.equal(final, early, 'the answer says what the early one has said')
    })

    test('DTMF passes as it is (RFC 4733), payload type and marker with it', async () => {
      const { alice, bob, toAlice } = await call()
      const key = [
        telephoneEvent(1, 5, false, 160),
        telephoneEvent(2, 5, false, 320),
        telephoneEvent(3, 5, true, 480),
      ] as const
      key[0][1] = 0x80 | 101
      for (const packet of key) alice.send(packet, toAlice)
      await until(() => bob.heard.length === 3, 'bob gets the digit')
      assert.deepEqual(bob.heard, [...key])
    })

    test('packets of a stranger are dropped, from another port and from another address', async () => {
      const { alice, bob, a, toAlice } = await call()
      const [stranger, far] = [await someone(), await someone('127.0.0.9')]
      stranger.send(rtp(1, 0, 66), toAlice)
      far.send(rtp(2, 0, 66), toAlice)
      await new Promise((go) => setTimeout(go, 50))
      alice.send(rtp(3), toAlice)
      await until(() => bob.heard.length > 0, 'bob hears alice')
      stranger.send(rtp(4, 0, 66), toAlice)
      alice.send(rtp(5), toAlice)
      await until(() => bob.heard.length > 1, 'bob hears alice again')
      await new Promise((go) => setTimeout(go, 50))
      assert.deepEqual(bob.heard, [rtp(3), rtp(5)])
      a.close()
    })

    test('in a call that has gone on for a while strangers are kept out, and who moves by a new offer is heard there', async () => {
      const { alice, bob, a, b, toAlice, toBob } = await call()
      const [stranger, moved] = [await someone(), await someone()]
      for (let n = 1; n <= 80; n++) {
        alice.send(rtp(n), toAlice)
        bob.send(rtp(n, 0, 3), toBob)
        if (n % 10 === 0) await until(() => bob.heard.length === n && alice.heard.length === n, `both hear ${n}`)
      }
      stranger.send(rtp(81, 0, 66), toAlice)
      await new Promise((go) => setTimeout(go, 50))
      assert.equal(bob.heard.length, 80)
      assert.equal(portOf(await offered(a, description(moved.port), b)), toBob)
      await answered(b, description(bob.port), a)
      moved.send(rtp(82), toAlice)
      await until(() => bob.heard.length === 81, 'bob hears alice from where she is now')
      bob.send(rtp(81, 0, 3), toBob)
      await until(() => moved.heard.length === 1, 'alice hears bob there')
      assert.equal(alice.heard.length, 80)
      a.close()
      b.close()
    })

    test('nobody carries the audio away: what is for alice goes where she said, whoever sends', async () => {
      const { alice, bob, toAlice, toBob } = await call()
      const stranger = await someone()
      for (let n = 0; n < 5; n++) stranger.send(rtp(n, 0, 66), toAlice)
      await new Promise((go) => setTimeout(go, 50))
      bob.send(rtp(1), toBob)
      await until(() => alice.heard.length === 1, 'alice hears bob')
      assert.equal(stranger.heard.length, 0)
    })

    test('a peer behind a NAT is heard from its signalling address, and answered where it sends from', async () => {
      const nat = { address: '127.0.0.1', behindNat: true }
      const { alice, bob, toAlice, toBob } = await call({
        alicePeer: nat,
        aliceSays: description(9000, { address: '10.255.0.9' }),
      })
      alice.send(rtp(1), toAlice)
      await until(() => bob.heard.length === 1, 'bob hears alice')
      bob.send(rtp(2), toBob)
      await until(() => alice.heard.length === 1, 'alice hears bob at the port that her packet came from')
    })

    test('on hold with 0.0.0.0 nothing is sent there', async () => {
      const { alice, bob, a, b, toBob } = await call()
      const held = await offered(a, description(alice.port, { address: '0.0.0.0' }), b)
      assert.match(held, /c=IN IP4 0\.0\.0\.0|a=sendonly|a=inactive/)
      await answered(b, description(bob.port, { direction: 'recvonly' }), a)
      bob.send(rtp(1), toBob)
      await new Promise((go) => setTimeout(go, 60))
      assert.equal(alice.heard.length, 0)
    })

    test('a peer that moves with a new offer is heard there, and no longer where it was', async () => {
      const { alice, bob, a, b, toAlice, toBob } = await call()
      const moved = await someone()
      const offer = await offered(a, description(moved.port), b)
      const answer = await answered(b, description(bob.port), a)
      assert.deepEqual([portOf(offer), portOf(answer)], [toBob, toAlice], 'our ports stay')
      alice.send(rtp(1), toAlice)
      moved.send(rtp(2), toAlice)
      await until(() => bob.heard.length > 0, 'bob hears the new place')
      await new Promise((go) => setTimeout(go, 50))
      assert.deepEqual(bob.heard, [rtp(2)])
      bob.send(rtp(3), toBob)
      await until(() => moved.heard.length === 1, 'the new place hears bob')
    })

    test('the callee may offer, too', async () => {
      const { alice, bob, a, b, toAlice, toBob } = await call()
      const offer = await offered(b, description(bob.port, { formats: '8 101' }), a)
      const answer = await answered(a, description(alice.port, { formats: '8 101' }), b)
      assert.match(offer, /^m=audio \d+ RTP\/AVP 8 101$/m)
      assert.deepEqual([portOf(answer), portOf(offer)], [toBob, toAlice])
      alice.send(rtp(1), toAlice)
      await until(() => bob.heard.length === 1, 'bob hears alice')
    })

    test('forks do not disturb each other, and the one that answers is heard', async () => {
      const [alice, bob, carol] = [await someone(), await someone(), await someone()]
      const [a, b, c] = [leg(), leg(), leg()]
      const toBob = portOf(await offered(a, description(alice.port), b))
      const toCarol = portOf(await offered(a, description(alice.port), c))
      assert.notEqual(toBob, toCarol)
      const toAlice = portOf(await answered(c, description(carol.port), a))
      c.connect(a)
      b.close()
      alice.send(rtp(1), toAlice)
      await until(() => carol.heard.length === 1, 'carol hears alice')
      carol.send(rtp(2), toCarol)
      await until(() => alice.heard.length === 1, 'alice hears carol')
      assert.equal(bob.heard.length, 0)
    })

    test('one who was rung first keeps his ports when the number is dialled for him (a placed call)', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [nobody, a, b] = [leg(), leg(), leg()]
      const toAlice = portOf(await offered(nobody, description(9), a))
      nobody.close()
      await new Promise((go) => setTimeout(go, 20))
      const toBob = portOf(await offered(a, description(alice.port), b))
      const answer = await answered(b, description(bob.port), a)
      b.connect(a)
      assert.equal(portOf(answer), toAlice)
      alice.send(rtp(1), toAlice)
      await until(() => bob.heard.length === 1, 'bob hears alice')
      bob.send(rtp(2), toBob)
      await until(() => alice.heard.length === 1, 'alice hears bob')
    })

    test('a leg that requires SRTP is offered RTP/SAVP, and what goes there is secret (RFC 4568)', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg(), leg('required')]
      const offer = await offered(a, description(alice.port), b)
      assert.match(offer, /^m=audio \d+ RTP\/SAVP 0 8 101$/m)
      const keys = new Keys(offer)
      const answer = await answered(b, description(bob.port, { protocol: 'RTP/SAVP', more: [keys.line] }), a)
      b.connect(a)
      assert.match(answer, /^m=audio \d+ RTP\/AVP 0 8 101$/m)
      assert.doesNotMatch(answer, /crypto/)
      alice.send(rtp(1), portOf(answer))
      await until(() => bob.heard.length === 1, 'bob gets a packet')
      const secret = bob.heard[0] as Buffer
      assert.notDeepEqual(secret.subarray(0, 172), rtp(1))
      assert.deepEqual(keys.theirs.unprotectRtp(secret), rtp(1))
      bob.send(keys.ours.protectRtp(rtp(7, 0, 9)) as Buffer, portOf(offer))
      await until(() => alice.heard.length === 1, 'alice hears bob')
      assert.deepEqual(alice.heard[0], rtp(7, 0, 9))
      const [ofB] = await Promise.all([settled(b), settled(a)])
      assert.deepEqual([ofB?.received.bytes, ofB?.sent.packets], [210, 1], 'ten bytes of tag crossed the wire, too')
    })

    test('a caller with SRTP is answered in RTP/SAVP under its tag, and talks to one without', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg('optional'), leg()]
      const keys = new Keys(undefined, 3)
      const says = description(alice.port, {
        protocol: 'RTP/SAVP',
        more: ['a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA', keys.line],
      })
      const offer = await offered(a, says, b)
      assert.match(offer, /^m=audio \d+ RTP\/AVP 0 8 101$/m)
      assert.doesNotMatch(offer, /crypto/)
      const answer = await answered(b, description(bob.port), a)
      b.connect(a)
      assert.match(answer, /^m=audio \d+ RTP\/SAVP /m)
      keys.heard(answer)
      alice.send(keys.ours.protectRtp(rtp(1)) as Buffer, portOf(answer))
      await until(() => bob.heard.length === 1, 'bob hears alice')
      assert.deepEqual(bob.heard[0], rtp(1))
      bob.send(rtp(2, 0, 9), portOf(offer))
      await until(() => alice.heard.length === 1, 'alice gets a packet')
      assert.deepEqual(keys.theirs.unprotectRtp(alice.heard[0] as Buffer), rtp(2, 0, 9))
      alice.sendRtcp(keys.ours.protectRtcp(RTCP) as Buffer, portOf(answer) + 1)
      await until(() => bob.heardRtcp.length === 1, 'bob gets RTCP')
      if (under.ownCount) {
        // SRTCP is read under the keys of the leg
        const report = writeRtcp(7, [{ source: 9, fractionLost: 0, lost: 1, highest: 3, jitter: 0, lsr: 0, dlsr: 0 }])
        alice.sendRtcp(keys.ours.protectRtcp(report) as Buffer, portOf(answer) + 1)
        await until(() => a.counts()?.sent.lost === 1, 'her report is read')
      }
      // the same description again changes nothing, and the packets go on
      assert.equal(await offered(a, says, b), offer)
      assert.equal(await answered(b, description(bob.port), a), answer)
      alice.send(keys.ours.protectRtp(rtp(2)) as Buffer, portOf(answer))
      await until(() => bob.heard.length === 2, 'bob hears alice after the refresh')
    })

    test('where SRTP is optional it is offered as an opportunity (RFC 8643), taken or not', async () => {
      for (const takes of [true, false]) {
        const [alice, bob] = [await someone(), await someone()]
        const [a, b] = [leg(), leg('optional')]
        const offer = await offered(a, description(alice.port), b)
        assert.match(offer, /^m=audio \d+ RTP\/AVP 0 8 101$/m)
        const keys = new Keys(offer)
        const answer = await answered(b, description(bob.port, takes ? { more: [keys.line] } : {}), a)
        b.connect(a)
        alice.send(rtp(1), portOf(answer))
        await until(() => bob.heard.length === 1, 'bob gets a packet')
        const got = bob.heard[0] as Buffer
        assert.deepEqual(takes ? keys.theirs.unprotectRtp(got) : got, rtp(1))
      }
    })

    test('SRTP on both sides is carried', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg('required'), leg('required')]
      const keysA = new Keys(undefined, 1)
      const offer = await offered(a, description(alice.port, { protocol: 'RTP/SAVP', more: [keysA.line] }), b)
      assert.equal(offer.includes(keysA.text), !under.ownKeys)
      const keysB = new Keys(offer)
      const answer = await answered(b, description(bob.port, { protocol: 'RTP/SAVP', more: [keysB.line] }), a)
      b.connect(a)
      assert.equal(answer.includes(keysB.text), !under.ownKeys)
      keysA.heard(answer)
      alice.send(keysA.ours.protectRtp(rtp(1)) as Buffer, portOf(answer))
      await until(() => bob.heard.length === 1, 'bob gets a packet')
      assert.deepEqual(keysB.theirs.unprotectRtp(bob.heard[0] as Buffer), rtp(1))
      bob.send(keysB.ours.protectRtp(rtp(2, 0, 9)) as Buffer, portOf(offer))
      await until(() => alice.heard.length === 1, 'alice gets a packet')
      assert.deepEqual(keysA.theirs.unprotectRtp(alice.heard[0] as Buffer), rtp(2, 0, 9))
    })

    for (const keying of ['off', 'required'] as const)
      test(`a call that another engine had goes on here (SRTP ${keying}): told anew in the same sessions, then answered`, async () => {
        const [alice, bob] = [await someone(), await someone()]
        const protocol = keying === 'off' ? 'RTP/AVP' : 'RTP/SAVP'
        const says = (port: number, keys: Keys, version = 1) =>
          description(port, { protocol, version, ...(keying === 'off' ? {} : { more: [keys.line] }) })
        const keysA = new Keys(undefined, 7)
        const [a, b] = [leg(keying), leg(keying)]
        const heardA = says(alice.port, keysA)
        const saidB = await offered(a, heardA, b)
        const keysB = new Keys(saidB)
        const heardB = says(bob.port, keysB)
        const saidA = await answered(b, heardB, a)
        for (const each of [a, b]) each.close()

        // as adopted-call.ts: both are told anew by what was heard and said before
        const other = await open()
        const next = (side: string) =>
          other.engine.openLeg({ legId: `${name}-next-${keying}-${side}`, emergency: false, ...PLAIN_MEDIA, keying })
        const [a2, b2] = [next('a'), next('b')]
        b2.resume?.(saidB)
        const toB = await offered(a2, heardA, b2)
        a2.resume?.(saidA)
        const toA = await answered(b2, heardB, a2)
        a2.connect(b2)
        const origin = (text: string) => line(text, 'o=').split(' ')
        for (const [before, after] of [
          [saidA, toA],
          [saidB, toB],
        ] as const) {
          assert.equal(origin(after)[1], origin(before)[1], 'the same session')
          assert.equal(Number(origin(after)[2]), Number(origin(before)[2]) + 1, 'its next version (RFC 3264 8)')
          assert.notEqual(portOf(after), portOf(before))
        }
        // each answers what it was told, with a key of its own
        const [newA, newB] = keying === 'off' ? [keysA, keysB] : [new Keys(toA), new Keys(toB)]
        await answered(b2, says(bob.port, newB, 2), a2)
        await answered(a2, says(alice.port, newA, 2), b2)
        const out = (keys: Keys, packet: Buffer) =>
          keying === 'off' ? packet : (keys.ours.protectRtp(packet) as Buffer)
        const into = (keys: Keys, packet: Buffer | undefined) =>
          keying === 'off' ? packet : keys.theirs.unprotectRtp(packet as Buffer)
        alice.send(out(newA, rtp(1)), portOf(toA))
        await until(() => bob.heard.length > 0, 'bob hears alice')
        assert.deepEqual(into(newB, bob.heard[0]), rtp(1))
        bob.send(out(newB, rtp(2, 0, 9)), portOf(toB))
        await until(() => alice.heard.length > 0, 'alice hears bob')
        assert.deepEqual(into(newA, alice.heard[0]), rtp(2, 0, 9))
        for (const each of [a2, b2]) each.close()
        await other.close()
      })

    test('what is not authentic is not passed on, even from the right port', async () => {
      const [alice, bob] = [await someone(), await someone()]
      const [a, b] = [leg('required'), leg()]
      const keys = new Keys(undefined, 1)
      await offered(a, description(alice.port, { protocol: 'RTP/SAVP', more: [keys.line] }), b)
      const answer = await answered(b, description(bob.port), a)
      b.connect(a)
      keys.heard(answer)
      alice.send(rtp(1), portOf(answer))
      const changed = keys.ours.protectRtp(rtp(2)) as Buffer
      changed[40] = (changed[40] as number) ^ 1
      alice.send(changed, portOf(answer))
      alice.send(keys.ours.protectRtp(rtp(3)) as Buffer, portOf(answer))
      await until(() => bob.heard.length > 0, 'bob hears alice')
      assert.deepEqual(bob.heard, [rtp(3)])
    })

    test('an offer that a leg may not take is refused with 488, but never that of a call for help', async () => {
      const secure = description(40_000, { protocol: 'RTP/SAVP', more: [new Keys(undefined, 1).line] })
      const plainOne = description(40_000)
      const refused = (keying: Keying, sdp: Sdp) =>
        assert.rejects(offered(leg(keying), sdp, leg()), /no description: 488/)
      await refused('off', secure)
      await refused('required', plainOne)
      await refused('optional', description(40_000, { protocol: 'RTP/SAVP' }))
      await refused('off', description(40_000, { protocol: 'UDP/TLS/RTP/SAVPF' }))
      assert.ok(await offered(leg('off', true), secure, leg('off', true)))
      assert.ok(await offered(leg('required', true), plainOne, leg('off', true)))
    })

    test('RFC 3550 6.4.1: loss, jitter and round trip of each leg, as its far end reports them', async () => {
      const { alice, bob, a, b, toBob, toAlice } = await call()
      const [ofAlice, ofBob] = [7, 9]
      for (let n = 1; n <= 50; n++) {
        // two of alice's fifty are lost before they reach us
        if (n !== 10 && n !== 20) alice.send(rtp(n, n * 160, ofAlice), toAlice)
        bob.send(rtp(n, n * 160, ofBob), toBob)
        if (n % 10 === 0) await new Promise((go) => setTimeout(go, 10))
      }
      await until(() => bob.heard.length === 48 && alice.heard.length === 50, 'both have heard the other')
      const sender = { timestamp: 8000, packets: 50, octets: 8000 }
      /** Answers the other's last sender report, and says that it left `wayMs` sooner than it did: so far away it seems. */
      const report = async (from: Endpoint, ssrc: number, about: Omit<Report, 'lsr' | 'dlsr'>, wayMs: number) => {
        await new Promise((go) => setTimeout(go, wayMs + 20))
        const last = from.heardRtcp.at(-1)
        const lsr = last === undefined ? 0 : (timeOfSenderReport(last) ?? 0)
        const dlsr = Math.round(((performance.now() - arrivedMs - wayMs) * 65_536) / 1000)
        const block = { ...about, lsr, dlsr: lsr === 0 ? 0 : dlsr }
        const port = from === alice ? toAlice : toBob
        from.sendRtcp(writeRtcp(ssrc, [block], { ...sender, wallMs: Date.now() }), port + 1)
      }
      let arrivedMs = 0
      const arrived = async (at: Endpoint, count: number) => {
        await until(() => at.heardRtcp.length === count, 'a report is passed on')
        arrivedMs = performance.now()
      }
      const heard = { highest: 50, fractionLost: 0 }
      for (let round = 1; round <= 3; round++) {
        // bob lacks three more than we do: 5 of 50, jitter 10 ms, 120 ms away; alice lacks none, 2 ms, 40 ms away
        await report(alice, ofAlice, { ...heard, source: ofBob, lost: 0, jitter: 16 }, 40)
        await arrived(bob, round)
        await report(bob, ofBob, { ...heard, source: ofAlice, lost: 5, fractionLost: 26, jitter: 80 }, 120)
        await arrived(alice, round)
        // rtpengine takes one report a second
        if (round < 3) await new Promise((go) => setTimeout(go, 1050))
      }
      const [ofA, ofB] = await Promise.all([settled(a), settled(b)])
      a.close()
      b.close()
      assert.deepEqual([ofB?.sent.lost, ofB?.sent.jitterMs], [5, 10])
      assert.ok(Math.abs((ofB?.sent.lossPercent ?? 0) - 10) < 1, `${ofB?.sent.lossPercent} %`)
      assert.ok(Math.abs((ofB?.sent.lossPeakPercent ?? 0) - 10) < 1, `${ofB?.sent.lossPeakPercent} %`)
      assert.deepEqual([ofA?.sent.lost, ofA?.sent.lossPercent, ofA?.sent.jitterMs], [0, 0, 2])
      const away = (ms: number | undefined, least: number) =>
        assert.ok(ms && ms > least - 3 && ms < least + 3000, `${ms} ms`)
      away(ofA?.roundTripMs, 40)
      away(ofB?.roundTripMs, 120)
      assert.deepEqual([ofA?.received.lost, ofB?.received.lost], under.ownCount ? [2, 0] : [undefined, undefined])
      if (under.ownCount) assert.equal(ofA?.received.lossPercent, 4)
    })

    test('where no far end reports, nothing is said of what it hears or how far it is', async () => {
      const { alice, bob, a, b, toAlice } = await call()
      alice.send(rtp(1), toAlice)
      await until(() => bob.heard.length === 1, 'bob hears alice')
      const [ofA, ofB] = await Promise.all([settled(a), settled(b)])
      a.close()
      b.close()
      for (const each of [ofA, ofB]) {
        assert.equal(each?.roundTripMs, undefined)
        assert.deepEqual(Object.keys(each?.sent ?? {}), ['packets', 'bytes'])
      }
      assert.deepEqual(Object.keys(ofB?.received ?? {}), ['packets', 'bytes'], 'bob has sent nothing')
    })

    test('RFC 3550 6.4: a peer that sends reports alone is not silent', async () => {
      const { alice, a, b, toAlice } = await call()
      const report = () => alice.sendRtcp(writeRtcp(7, []), toAlice + 1)
      report()
      await until(() => a.lastHeard() !== undefined, 'she is heard')
      const first = a.lastHeard() as number
      const going = setInterval(report, 50)
      await until(() => (a.lastHeard() as number) > first + 100, 'she is heard again')
      clearInterval(going)
      a.close()
      b.close()
    })

    test('says when a peer was heard last, and never that it is silent while it talks', async () => {
      const { alice, bob, a, b, toAlice, toBob } = await call()
      assert.equal(a.lastHeard(), undefined)
      let sequence = 0
      const talk = setInterval(() => {
        alice.send(rtp(++sequence), toAlice)
        bob.send(rtp(sequence, 0, 3), toBob)
      }, 20)
      await until(() => a.lastHeard() !== undefined && b.lastHeard() !== undefined, 'both are heard')
      const started = performance.now()
      await new Promise((go) => setTimeout(go, 300))
      assert.ok((a.lastHeard() as number) >= started - 2500)
      clearInterval(talk)
      a.close()
      b.close()
    })
  })
}

function offered(from: MediaLeg, sdp: Sdp, to: MediaLeg, peer: MediaPeer = plain): Promise<string> {
  return new Promise((done, fail) => from.offer(sdp, peer, to, given(done, fail)))
}

function answered(from: MediaLeg, sdp: Sdp, to: MediaLeg, peer: MediaPeer = plain): Promise<string> {
  return new Promise((done, fail) => from.answer(sdp, peer, to, given(done, fail)))
}

const given =
  (done: (text: string) => void, fail: (why: Error) => void) =>
  (text: string | undefined, why?: NoDescription): void =>
    text === undefined ? fail(new Error(`no description: ${why}`)) : done(text)

const settled = (leg: MediaLeg) => new Promise<ReturnType<MediaLeg['counts']>>((done) => leg.settle(done))

function portOf(text: string): number {
  const parsed = parseSdp(text)
  if (parsed.kind !== 'sdp') throw new Error(parsed.reason)
  return parsed.sdp.media[0]?.port ?? 0
}

const line = (text: string, start: string): string => text.split('\r\n').find((each) => each.startsWith(start)) ?? ''
