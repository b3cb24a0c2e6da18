/** A browser as a phone: SIP.js in Chromium over WSS, DTLS-SRTP and ICE to rtpengine, plain RTP to the carrier. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { type BrowserPhone, startBrowserPhone, WAIT_MS, whyNoBrowser } from './browser-phone.ts'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { testConfiguration } from './start-edge.ts'

const reason = whyNoRtpengine() ?? whyNoBrowser()
/** Hz that the browser speaks; the carrier has its own. */
const TONE = 620

describe('a browser as a phone', reason === undefined ? {} : { skip: reason }, () => {
  let folder: string
  let rtpengine: Rtpengine
  let edge: CallEdge
  let browser: BrowserPhone

  const phone = <T>(call: string): Promise<T> => browser.run<T>(call)

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tandem-browser-'))
    const pair = await (await makeAuthority(folder, 'ca')).issue('edge', 'DNS:localhost,IP:127.0.0.1')
    rtpengine = await startRtpengine()
    const { users } = testConfiguration()
    const carol = { did: '+14255551003', site: 'hq', policy: 'staff', password: { env: 'CAROL_PASSWORD' } }
    edge = await startCallEdge({
      env: { CAROL_PASSWORD: 'carol-secret' },
      document: { users: { ...users, carol } },
      listeners: { browser: { url: 'wss://127.0.0.1:0', ...pair } },
      edge: { media: { relay: 'rtpengine', address: '127.0.0.1', control: [rtpengine.control] } },
    })
    browser = await startBrowserPhone()
    const options = {
      server: `wss://127.0.0.1:${edge.edge.port('browser')}`,
      ...{ user: 'carol', domain: 'acme.example', password: 'carol-secret', hz: TONE },
    }
    await phone(`register(${JSON.stringify(options)})`)
  })
  after(async () => {
    await browser?.close()
    await edge?.close()
    await rtpengine?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** The browser knows that it is over, and rtpengine has forgotten it. */
  const ends = async () => {
    const limit = performance.now() + WAIT_MS
    while ((await phone('state()')) !== 'Terminated' || (await rtpengine.calls()).length > 0) {
      assert.ok(performance.now() < limit, 'the call is over')
      await new Promise((done) => setTimeout(done, 50))
    }
  }

  test('is registered over WSS', () => {
    const [binding] = edge.edge.core.edge.bindings.of('carol')
    assert.equal(binding?.wire()?.transport, 'WSS')
    assert.match(binding?.contact.uriText ?? '', /\.invalid;transport=ws/)
  })

  test('calls a number behind a trunk of plain RTP, and both hear each other', async () => {
    edge.route(() => plan([toTrunk('itsp-a', '+12065550100')]))
    const up = phone(`call('sip:912065550100@acme.example')`)
    const invite = await edge.itspA.nextInvite()
    // nothing of the browser crosses to the carrier
    assert.match(invite.body, /m=audio \d+ RTP\/AVP /)
    assert.doesNotMatch(invite.body, /fingerprint|candidate|ice-|rtcp-mux|\.invalid/)
    await up
    await invite.call?.audio.hears(TONE, WAIT_MS)
    await browser.hears(edge.itspA.tone)
    await browser.negotiated()
    await phone('bye()')
    await invite.call?.ended
    const records = await edge.ended(2)
    for (const { media } of records) assert.ok((media?.received.packets ?? 0) > 0, 'counted on both sides')
  })

  test('is called from the trunk, and both hear each other', async () => {
    edge.route(() => plan([toUser('carol')]))
    const call = await edge.itspA.call({ from: '+12065550111', to: '+14255551003' })
    await call.answered
    await call.audio.hears(TONE, WAIT_MS)
    await browser.hears(edge.itspA.tone)
    await browser.negotiated()
    await call.hangUp()
    await ends()
  })
})
