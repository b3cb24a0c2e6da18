/**
 * An edge is lost under calls of every kind: with SRTP, past the edge, of phones behind TLS and WebSockets, through another
 * edge, by rtpengine; and one that lives, but is cut off from NATS (docs/adr/0150). There is no TCP for phones: edges
 * reach each other over UDP.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LegRecord } from '@tandem/contracts/call.ts'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import type { Phone } from '@tandem/testing/phone.ts'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type BrokenLine, startLine } from './broken-line.ts'
import { plan, toUser } from './call-edge.ts'
import { until, WITHIN } from './edge-processes.ts'
import { bodyOf, HandCallee, HandCaller } from './hand-call.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { SrtpPhone } from './srtp-phone.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'
import { A, B, hearing, startTwoEdges, type Talk, type TwoEdges } from './two-edges.ts'

/** In no site's network. */
const OUTSIDE = '127.0.0.2'
const PSTN = '+12065550100'
const BOB = '+14255551002'
const ERIN = '+14255551005'
const PASSWORD = PASSWORDS.ALICE_PASSWORD

const { users } = testConfiguration()
const { alice } = users
assert.ok(alice)
const like = (n: number) => ({ ...alice, did: `+1425555100${n}`, extension: `100${n}` })
const DIDS: Readonly<Record<string, string>> = { '1004': 'dave', [BOB]: 'bob', [ERIN]: 'erin' }
const decide = (dialled: string) => {
  const user = DIDS[dialled]
  return user === undefined ? undefined : plan([toUser(user)], { dialled })
}

/** Killed under so many calls: all of them are at A within 5 s. */
async function killed(house: TwoEdges, edge: ChildProcess, calls: number): Promise<void> {
  await until('all are written down', async () => (await house.keys()).length === calls)
  await house.edges.end(edge, 'SIGKILL')
  const at = performance.now()
  await until('the other edge has all', async () => (await house.edges.calls())['edge-a'] === calls)
  const ms = performance.now() - at
  assert.ok(ms < whenBusy(5000), `taken over after ${Math.round(ms)} ms`)
}

/** This side hangs up. */
async function ends(talk: Talk, side: 0 | 1): Promise<void> {
  await talk[side].hangUp()
  assert.deepEqual(await talk[1 - side]?.ended, { by: 'peer', why: 'hung-up' })
}

/** A phone takes one call after the other. */
const inTurn = async (call: () => Promise<Talk>): Promise<[Talk, Talk]> => [await call(), await call()]

/** The records of both legs of a call, by the Call-ID of one. */
async function recordsOf(house: TwoEdges, callId: string): Promise<readonly LegRecord[]> {
  const id = () => house.records.find((r) => r.sipCallId === callId)?.callId
  const legs = () => house.records.filter((r) => r.callId === id())
  await until('a record of each leg', () => legs().length >= 2)
  return legs()
}

async function recorded(house: TwoEdges, callId: string, endedBy: string, takeovers: number): Promise<void> {
  const legs = await recordsOf(house, callId)
  assert.equal(new Set(legs.map((r) => r.legId)).size, 2)
  for (const r of legs)
    assert.deepEqual([r.endedBy, r.estimated, r.takeovers ?? 0, r.durationMs > 500], [endedBy, false, takeovers, true])
}

const noRtpengine = whyNoRtpengine()
// each has edges and a NATS of its own
describe('a loss', { concurrency: true }, () => {
  describe('an edge with the embedded relay', { concurrency: 1 }, () => {
    let folder: string
    let house: TwoEdges
    let line: BrokenLine
    const secure: SrtpPhone[] = []

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tandem-lost-'))
      const pair = await (await makeAuthority(folder, 'ca')).issue('edge', 'DNS:acme.example')
      house = await startTwoEdges({
        listen: ({ more }) => ({ remote: { url: `tls://127.0.0.1:${more}`, ...pair, digest: ['md5'] } }),
        document: {
          sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq', mediaBypass: true } },
          users: { ...users, carol: { ...like(3), srtp: 'required' }, dave: like(4), erin: like(5) },
        },
        edge: { registration: { minimum: '1s' } },
        decide,
      })
      line = await startLine(house.nats.port)
      await house.edges.start('edge-a', A)
    })
    after(async () => {
      for (const phone of secure) phone.close()
      await house?.close()
      await line?.close()
      await rm(folder, { recursive: true, force: true })
    })

    const edgeB = () => house.edges.start('edge-b', B, `nats://127.0.0.1:${line.port}`)
    const tls = (address: string) => `tls://${address}:${house.ports.more}`
    const outside = (user: string, address: string) =>
      house.phoneAt(user, address, user === 'bob' ? PASSWORDS.BOB_PASSWORD : PASSWORD, {
        server: tls(address),
        bind: OUTSIDE,
      })

    /** The PSTN calls in at A, whose phone hangs on B. */
    const callsIn = async (phone: Phone, number: string): Promise<Talk> => {
      const far = await house.itsp.call({ from: PSTN, to: number })
      const near = await phone.nextCall(WITHIN)
      await near.answer()
      await far.answered
      await hearing([near, far])
      return [near, far]
    }

    const secureCall = async (number: string): Promise<[SrtpPhone, CallHandle]> => {
      const phone = await SrtpPhone.register({ port: house.ports.inside, address: B }, 'carol', PASSWORD)
      secure.push(phone)
      const coming = house.itsp.nextInvite((i) => i.number === number && i.call !== undefined, WITHIN)
      await phone.call('carol', `9${number}`)
      const talk: [SrtpPhone, CallHandle] = [phone, (await coming).call as CallHandle]
      await decoded(talk)
      return talk
    }

    const decoded = async ([phone, far]: [SrtpPhone, CallHandle]): Promise<void> => {
      const before = far.audio.packetsReceived
      await until('the carrier gets packets', () => far.audio.packetsReceived > before + 60)
      await Promise.all([phone.hears(far.audio.tone), far.audio.hears(phone.tone, WITHIN)])
    }

    const neighbours = async (caller: Phone, callee: Phone): Promise<Talk> => {
      const near = await caller.call('1004')
      const far = await callee.nextCall(WITHIN)
      await far.answer()
      await near.answered
      await hearing([near, far])
      return [near, far]
    }

    test('that is killed: calls with SRTP, past the edge and of phones over TLS go on at the other, and so do those that it passed on', {
      timeout: 120_000,
    }, async () => {
      const doomed = await edgeB()
      // another phone of his at the same address, which knows nothing of his calls
      await outside('bob', A)
      const [bob, erin] = [await outside('bob', B), await outside('erin', B)]
      const [inside, dave] = [await house.phoneAt('alice', B, PASSWORD), await house.phoneAt('dave', B, PASSWORD)]
      const [encrypted, overTls, past, through] = await Promise.all([
        Promise.all([secureCall('2065550161'), secureCall('2065550162')]),
        Promise.all([house.talk(bob, '2065550163'), house.talk(bob, '2065550164')]),
        inTurn(() => neighbours(inside, dave)),
        inTurn(() => callsIn(erin, ERIN)),
      ])
      const direct = ([near, far]: Talk) => {
        for (const [here, there] of [
          [near, far],
          [far, near],
        ] as const)
          assert.equal(here.audio.from, `${there.audio.address}:${there.audio.port}`, 'not through an edge')
      }
      past.forEach(direct)
      assert.deepEqual(await house.edges.calls(), { 'edge-a': 2, 'edge-b': 6 })

      await killed(house, doomed, 8)
      for (const [phone] of encrypted) phone.moveTo(A)
      await Promise.all(encrypted.map(([phone]) => phone.toldAnew()))
      await Promise.all([...encrypted.map(decoded), ...[...past, ...through].map(hearing)])
      past.forEach(direct)

      // phones over TLS come back at the other edge, and are told at once
      for (const phone of [bob, erin]) await phone.moveTo(tls(A))
      const registered = performance.now()
      await Promise.all([bob.register(), erin.register()])
      const told = (call: CallHandle) => call.requests.some((r) => r.method === 'INVITE')
      for (const [near] of [...overTls, ...through]) await until('the phone is told', () => told(near))
      const ms = performance.now() - registered
      assert.ok(ms < whenBusy(3000), `told after ${Math.round(ms)} ms`)
      await Promise.all([...overTls, ...through].map(hearing))
      for (const [near] of [...overTls, ...through]) {
        assert.ok(near.audio.from?.startsWith(`${A}:`))
        assert.match(near.dialog?.remoteTarget ?? '', new RegExp(`@${A}:${house.ports.more};transport=tls$`))
      }

      const [near, hung] = encrypted[0]
      await near.hangUp()
      assert.deepEqual(await hung.ended, { by: 'peer', why: 'hung-up' })
      await recorded(house, near.callId, 'caller', 1)
      const [phone, carrier] = encrypted[1]
      await Promise.all([phone.hungUp(), carrier.hangUp()])
      await recorded(house, phone.callId, 'callee', 1)
      for (const talks of [past, overTls]) {
        await ends(talks[0], 0)
        await recorded(house, talks[0][0].callId, 'caller', 1)
        await ends(talks[1], 1)
        await recorded(house, talks[1][0].callId, 'callee', 1)
      }
      // those were at A from the beginning
      await ends(through[0], 0)
      await recorded(house, through[0][0].callId, 'callee', 0)
      await ends(through[1], 1)
      await recorded(house, through[1][0].callId, 'caller', 0)
      await until('nothing is left in the bucket', async () => (await house.keys()).length === 0)
    })

    test('that is cut off from NATS and lives keeps its calls; its phones are rung through it, and reach help', {
      timeout: 120_000,
    }, async () => {
      await edgeB()
      const erin = await outside('erin', B)
      // what A hears of it is over before its call
      await erin.register({ expires: 2 })
      const dave = await house.phoneAt('dave', B, PASSWORD)
      const stays = await house.talk(dave, '2065550171')
      await until('it is written down', async () => (await house.keys()).length === 1)
      await line.cut()
      const leaseIsOver = sleep(3500)
      const help = await dave.call('911')
      const psap = await house.itsp.nextInvite((i) => i.number === '911' && i.call !== undefined, WITHIN)
      await help.answered
      await hearing([help, psap.call as CallHandle])
      await help.hangUp()
      const refused = await (await dave.call('92065550172')).ended
      assert.deepEqual([refused.why, refused.status], ['rejected', 503])

      await leaseIsOver
      assert.deepEqual(await house.edges.calls(), { 'edge-a': 0 }, 'nobody has taken its call')
      const [rung] = await Promise.all([callsIn(erin, ERIN), hearing(stays)])
      assert.ok(stays[0].audio.from?.startsWith(`${B}:`))
      await ends(rung, 0)

      await line.mend()
      await until('it is back', async () => (await house.edges.calls())['edge-b'] === 1)
      await ends(stays, 1)
      await recorded(house, stays[0].callId, 'callee', 0)
      await recorded(house, help.callId, 'caller', 0)
    })
  })

  describe('an edge whose audio is by rtpengine', {
    concurrency: 1,
    ...(noRtpengine ? { skip: noRtpengine } : {}),
  }, () => {
    let daemon: Rtpengine
    let house: TwoEdges
    const browsers: RawPeer[] = []

    before(async () => {
      daemon = await startRtpengine()
      house = await startTwoEdges({
        media: { relay: 'rtpengine', control: [daemon.control] },
        listen: ({ more }) => ({ web: { url: `ws://127.0.0.1:${more}`, digest: ['md5'] } }),
        decide,
      })
      await house.edges.start('edge-a', A)
    })
    after(async () => {
      for (const browser of browsers) browser.close()
      await house?.close()
      await daemon?.close()
    })

    /** What a browser writes: it knows no address of its own. */
    const contact = '<sip:bob@k3n9d7.invalid;transport=ws>'
    const browserAt = async (address: string): Promise<RawPeer> => {
      const browser = await rawPeer('WS', { port: house.ports.more, address }, { from: OUTSIDE })
      browsers.push(browser)
      const { status } = await registerUser(browser, 'bob', PASSWORDS.BOB_PASSWORD, { contact })
      assert.equal(status, 200)
      return browser
    }

    test('that is killed: the other goes on with its calls, and a browser that comes back there is rung', {
      timeout: 120_000,
    }, async () => {
      const doomed = await house.edges.start('edge-b', B)
      const inside = await house.phoneAt('alice', B, PASSWORD)
      const first = await browserAt(B)
      const web = new HandCaller(first, '92065550183', house.ports.more, { user: 'bob', body: browserSays('actpass') })
      const [one, two] = await Promise.all([house.talk(inside, '2065550181'), house.talk(inside, '2065550182')])
      web.ack(await web.hears(200))
      await killed(house, doomed, 3)
      await first.closed
      const browser = await browserAt(A)
      web.peer = browser
      const again = await web.asked('INVITE')
      assert.match(bodyOf(again), /^a=fingerprint:sha-256 /m)
      web.reply(again, 200, { body: browserSays('active') })
      await web.asked('ACK')
      assert.equal((await web.ask('BYE')).status, 200)
      await recorded(house, web.invite.headers.get('call-id') ?? '', 'caller', 1)
      await Promise.all([hearing(one), hearing(two)])
      await ends(one, 0)
      await ends(two, 1)
      await recorded(house, one[0].callId, 'caller', 1)
      await recorded(house, two[0].callId, 'callee', 1)

      const caller = await house.itsp.call({ from: PSTN, to: BOB })
      const rung = await HandCallee.take(browser, 'bob@k3n9d7.invalid')
      rung.says(180, 'browser')
      assert.equal(await caller.ringing, 180)
      rung.says(200, 'browser', { body: browserSays('active') })
      await rung.asked('ACK', 'browser')
      await caller.answered
      const gone = caller.hangUp()
      rung.reply(await rung.asked('BYE', 'browser'), 200)
      await gone
    })
  })
})

/** As a browser writes it (RFC 8829), without its audio: DTLS and ICE are not tried. */
function browserSays(setup: 'active' | 'actpass'): string {
  return [
    ...['v=0', 'o=- 7 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0'],
    ...['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', `a=setup:${setup}`, 'a=mid:0', 'a=rtcp-mux'],
    ...[`a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=rtpmap:0 PCMU/8000', 'a=sendrecv', ''],
  ].join('\r\n')
}
