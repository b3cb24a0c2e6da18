/** An edge whose audio is by rtpengine is lost under its calls: plain, with SRTP, and of a browser as far as SIP goes (its audio: edge-lost-browser.test.ts). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { until, WITHIN } from './edge-processes.ts'
import { bodyOf, HandCallee, HandCaller } from './hand-call.ts'
import {
  BOB,
  ends,
  killed,
  OUTSIDE,
  PASSWORD,
  PSTN,
  recorded,
  secureAnew,
  secureCall,
  secureEnds,
  startWebHouse,
} from './lost-calls.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { PASSWORDS } from './start-edge.ts'
import { A, B, hearing, type TwoEdges } from './two-edges.ts'

const skip = whyNoRtpengine()
let daemon: Rtpengine
let house: TwoEdges
const browsers: RawPeer[] = []

before(async () => {
  if (skip !== undefined) return
  daemon = await startRtpengine()
  house = await startWebHouse(daemon.control)
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

test('an edge whose audio is by rtpengine is killed: the other goes on with its calls, and a browser that comes back there is rung', {
  ...(skip === undefined ? {} : { skip }),
  timeout: 120_000,
}, async () => {
  const doomed = await house.edges.start('edge-b', B)
  const inside = await house.phoneAt('alice', B, PASSWORD)
  const first = await browserAt(B)
  const coming = house.itsp.nextInvite((i) => i.number === '2065550183' && i.call !== undefined, WITHIN)
  const web = new HandCaller(first, '92065550183', house.ports.more, { user: 'bob', body: browserSays('actpass') })
  const [one, two, secure] = await Promise.all([
    house.talk(inside, '2065550181'),
    house.talk(inside, '2065550182'),
    secureCall(house, '2065550184'),
  ])
  web.ack(await web.hears(200))
  await killed(house, doomed, 4)
  await first.closed
  const browser = await browserAt(A)
  web.peer = browser
  const again = await web.asked('INVITE')
  // RFC 8842 4: another fingerprint than the lost edge's, or the browser would go on with the keys of that one
  assert.match(bodyOf(again), /^a=fingerprint:sha-384 /m)
  assert.match(bodyOf(again), /^a=setup:actpass/m)
  web.reply(again, 200, { body: browserSays('active') })
  await web.asked('ACK')
  // the carrier is told when the browser has answered: an end before that would be proven by one side only
  const far = (await coming).call
  await until('the carrier is told', () => far?.requests.some(({ method }) => method === 'INVITE') ?? false)
  assert.equal((await web.ask('BYE')).status, 200)
  await recorded(house, web.invite.headers.get('call-id') ?? '', 'caller', 1)
  await Promise.all([hearing(one), hearing(two), secureAnew(secure, A)])
  await secureEnds(house, secure, 'caller')
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

/** As a browser writes it (RFC 8829), without its audio: DTLS and ICE are not tried. */
function browserSays(setup: 'active' | 'actpass'): string {
  return [
    ...['v=0', 'o=- 7 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 0.0.0.0'],
    ...['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', `a=setup:${setup}`, 'a=mid:0', 'a=rtcp-mux'],
    ...[`a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=rtpmap:0 PCMU/8000', 'a=sendrecv', ''],
  ].join('\r\n')
}
