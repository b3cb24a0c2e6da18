/** Calls that we place (`tandem call`) to phones and carriers with SRTP and without, by both media engines. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { plan, somePorts, toTrunk } from './call-edge.ts'
import { bodyOf, HandCallee } from './hand-call.ts'
import { type HandHouse, startHandHouse } from './hand-house.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { type Endpoint, endpoint, rtp, until } from './rtp-endpoint.ts'
import { Keys } from './srtp-keys.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'

type Control = readonly [control: string, close: () => Promise<void>]

placedCalls('the embedded relay', undefined, undefined)
placedCalls(
  'rtpengine',
  async () => {
    const daemon = await startRtpengine()
    return [daemon.control, () => daemon.close()]
  },
  whyNoRtpengine(),
)

function placedCalls(engine: string, start: (() => Promise<Control>) | undefined, skip: string | undefined): void {
  describe(`calls that are placed, by ${engine}`, skip === undefined ? {} : { skip }, () => {
    let control: Control | undefined
    let here: HandHouse
    let carol: RawPeer
    let dave: RawPeer
    const ends: Endpoint[] = []

    before(async () => {
      control = await start?.()
      const { users } = testConfiguration()
      const { alice } = users
      assert.ok(alice)
      const [relay, controls] = control ? ['rtpengine' as const, { control: [control[0]] }] : ['embedded' as const, {}]
      here = await startHandHouse({
        edge: { media: { relay, ...controls, address: '127.0.0.1', ports: somePorts() } },
        trunks: { 'itsp-a': { srtp: 'required' } },
        document: {
          users: {
            ...users,
            carol: { ...alice, did: '+14255551003', extension: '1003', srtp: 'required' },
            dave: { ...alice, did: '+14255551004', extension: '1004' },
          },
        },
      })
      const inside = { port: here.house.edge.port('inside') }
      carol = await rawPeer('UDP', inside)
      dave = await rawPeer('UDP', inside)
      assert.equal((await registerUser(carol, 'carol', PASSWORDS.ALICE_PASSWORD)).status, 200)
      assert.equal((await registerUser(dave, 'dave', PASSWORDS.ALICE_PASSWORD)).status, 200)
    })
    after(async () => {
      for (const end of ends) end.close()
      carol?.close()
      dave?.close()
      await here?.close()
      await control?.[1]()
    })

    /** Answers as it is offered, and talks. */
    class Talker {
      readonly end: Endpoint
      readonly keys: Keys | undefined
      readonly #clear: (Buffer | undefined)[] = []
      #offer: string

      private constructor(end: Endpoint, offer: string) {
        this.end = end
        this.keys = offer.includes('a=crypto:') ? new Keys(offer) : undefined
        this.#offer = offer
      }

      static async of(offer: string): Promise<Talker> {
        const end = await endpoint()
        ends.push(end)
        return new Talker(end, offer)
      }

      get answer(): string {
        return [
          ...['v=0', 'o=- 7 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
          `m=audio ${this.end.port} ${this.#offer.includes('RTP/SAVP') ? 'RTP/SAVP' : 'RTP/AVP'} 0 101`,
          ...['a=rtpmap:101 telephone-event/8000', ...(this.keys ? [this.keys.line] : []), ''],
        ].join('\r\n')
      }

      /** What it was offered last. */
      offered(offer: string): void {
        this.#offer = offer
        this.keys?.heard(offer)
      }

      say(packet: Buffer): void {
        const port = Number(/^m=audio (\d+)/m.exec(this.#offer)?.[1])
        this.end.send(this.keys ? (this.keys.ours.protectRtp(packet) as Buffer) : packet, port)
      }

      /** Heard, in the clear. */
      has(packet: Buffer): boolean {
        // each is read once: a second time it is a replay (RFC 3711 3.3.2)
        for (const got of this.end.heard.slice(this.#clear.length))
          this.#clear.push(this.keys ? this.keys.theirs.unprotectRtp(Buffer.from(got)) : got)
        return this.#clear.some((clear) => clear?.equals(packet) === true)
      }
    }

    let numbers = 12_065_550_700

    /** The phone of `user` is placed into a call, and picks up. */
    const pickedUp = async (user: 'carol' | 'dave', number: string) => {
      assert.equal((await here.house.calls.placeCall(user, `9${number}`)).kind, 'placed')
      const rung = await HandCallee.take(user === 'carol' ? carol : dave, 'sip:')
      const phone = await Talker.of(bodyOf(rung.invite))
      assert.equal(phone.keys !== undefined, user === 'carol')
      rung.says(200, 'p', { body: phone.answer })
      await rung.asked('ACK', 'p')
      return { rung, phone }
    }

    const answered = async (dialled: HandCallee): Promise<Talker> => {
      const far = await Talker.of(bodyOf(dialled.invite))
      dialled.says(200, 'a', { body: far.answer })
      await dialled.asked('ACK', 'a')
      return far
    }

    const twoAtOnce = async (user: 'carol' | 'dave', number: string) => {
      const branch = (trunk: string) => ({
        role: 'callee' as const,
        delayMs: 0,
        attempts: [toTrunk(trunk, number)],
      })
      here.house.route(() => plan([], { branches: [branch('itsp-a'), branch('itsp-b')] }))
      const placed = await pickedUp(user, number)
      const first = await HandCallee.take(here.near, number)
      return { ...placed, first, second: await HandCallee.take(here.far, number) }
    }

    /** Where the second has ports of its own the phone is told of them. */
    const moves = async (rung: HandCallee, phone: Talker): Promise<void> => {
      if (engine !== 'rtpengine') return
      const moved = await rung.asked('INVITE', 'p')
      phone.offered(bodyOf(moved))
      rung.reply(moved, 200, { body: phone.answer })
      await rung.asked('ACK', 'p')
    }

    const hangUp = async (rung: HandCallee, dialled: HandCallee): Promise<void> => {
      const hung = rung.ask('p', 'BYE')
      dialled.reply(await dialled.asked('BYE', 'a'), 200)
      assert.equal((await hung).status, 200)
      await here.assertEmpty()
    }

    const bothHear = async (phone: Talker, far: Talker): Promise<void> => {
      phone.say(rtp(1, 160, 5))
      await until(() => far.has(rtp(1, 160, 5)), 'the number hears the phone')
      far.say(rtp(2, 320, 6))
      await until(() => phone.has(rtp(2, 320, 6)), 'the phone hears the number')
    }

    for (const [user, trunk] of [
      ['carol', 'itsp-b'],
      ['dave', 'itsp-a'],
      ['carol', 'itsp-a'],
      ['dave', 'itsp-b'],
    ] as const) {
      const how = (secure: boolean) => (secure ? 'SRTP' : 'plain RTP')
      test(`a phone with ${how(user === 'carol')}, a carrier with ${how(trunk === 'itsp-a')}`, async () => {
        const number = String(++numbers)
        here.house.route(() => plan([toTrunk(trunk, number)]))
        const { rung, phone } = await pickedUp(user, number)
        const dialled = await HandCallee.take(trunk === 'itsp-a' ? here.near : here.far, number)
        const far = await answered(dialled)
        assert.equal(far.keys !== undefined, trunk === 'itsp-a')
        await bothHear(phone, far)
        await hangUp(rung, dialled)
      })
    }

    test('the first carrier, with SRTP, refuses; the next one, without, is heard', async () => {
      const number = String(++numbers)
      here.house.route(() => plan([toTrunk('itsp-a', number), toTrunk('itsp-b', number)]))
      const { rung, phone } = await pickedUp('carol', number)
      ;(await HandCallee.take(here.near, number)).says(503, 'x')
      const dialled = await HandCallee.take(here.far, number)
      await bothHear(phone, await answered(dialled))
      await hangUp(rung, dialled)
    })

    test('two are dialled at once: whichever answers is heard', async () => {
      const { rung, phone, first, second } = await twoAtOnce('dave', String(++numbers))
      first.says(180, 'x')
      const far = await answered(second)
      first.says(487, 'x')
      await moves(rung, phone)
      await bothHear(phone, far)
      await hangUp(rung, second)
    })

    // ADR 156: rtpengine has keys for each pair of legs, and the phone knows those of the first branch only
    for (const user of ['carol', 'dave'] as const) {
      const early = engine !== 'rtpengine' || user === 'dave'
      const when = early ? 'before its answer' : 'from its answer on'
      test(`two are dialled at once by ${user}: the second, which plays, is heard ${when}`, async () => {
        const number = String(++numbers)
        const { rung, phone, first, second } = await twoAtOnce(user, number)
        first.says(180, 'x')
        const far = await Talker.of(bodyOf(second.invite))
        second.says(183, 'a', { body: far.answer })
        // what comes before the relay knows where it goes to is lost
        const played: Buffer[] = []
        const play = () => {
          const packet = rtp(101 + played.length, 16_000 + 160 * played.length, 6)
          played.push(packet)
          far.say(packet)
          return played.some((one) => phone.has(one))
        }
        if (early) await until(play, 'the phone hears the ringback')
        else for (let i = 0; i < 10; i++, await pause(20)) assert.ok(!play(), 'under keys that the phone does not have')
        second.says(200, 'a', { body: far.answer })
        await second.asked('ACK', 'a')
        first.says(487, 'x')
        await moves(rung, phone)
        far.say(rtp(1000, 160_000, 6))
        await until(() => phone.has(rtp(1000, 160_000, 6)), 'the phone hears the number')
        await hangUp(rung, second)
      })
    }
  })
}
