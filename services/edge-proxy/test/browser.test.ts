/** A browser as a phone: SIP.js in Chromium over WSS, DTLS-SRTP and ICE to rtpengine, plain RTP to the carrier. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { type Browser, chromium, type Page } from 'playwright-core'
import { type CallEdge, plan, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { testConfiguration } from './start-edge.ts'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const reason = whyNoRtpengine() ?? (executablePath === undefined ? 'no Chromium on this machine' : undefined)
/** Hz that the browser speaks; the carrier has its own. */
const TONE = 620
const WAIT_MS = 20_000

describe('a browser as a phone', reason === undefined ? {} : { skip: reason }, () => {
  let folder: string
  let rtpengine: Rtpengine
  let edge: CallEdge
  let browser: Browser
  let server: Server
  let tab: Page

  /** A method of the phone in the page (browser/phone.js). */
  const phone = <T>(call: string): Promise<T> => tab.evaluate(`window.phone.${call}`)

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
    server = await servePage()
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
        ...['--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
        ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--ignore-certificate-errors'],
        '--allow-loopback-in-peer-connection',
      ],
    })
    const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true })
    tab = await context.newPage()
    const { port } = server.address() as { port: number }
    await tab.goto(`http://localhost:${port}/`)
    const options = {
      server: `wss://127.0.0.1:${edge.edge.port('browser')}`,
      ...{ user: 'carol', domain: 'acme.example', password: 'carol-secret', hz: TONE },
    }
    await phone(`register(${JSON.stringify(options)})`)
  })
  after(async () => {
    await browser?.close()
    server?.close()
    await edge?.close()
    await rtpengine?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Within the width of a bin and the drift of clocks. */
  const hears = async (hz: number) => {
    const limit = performance.now() + WAIT_MS
    for (;;) {
      const heard = await phone<number>('hears()')
      if (Math.abs(heard - hz) < 15) return
      assert.ok(performance.now() < limit, `the browser hears ${heard} Hz, not ${hz}`)
      await new Promise((done) => setTimeout(done, 100))
    }
  }
  /** The browser knows that it is over, and rtpengine has forgotten it. */
  const ends = async () => {
    const limit = performance.now() + WAIT_MS
    while ((await phone('state()')) !== 'Terminated' || (await rtpengine.calls()).length > 0) {
      assert.ok(performance.now() < limit, 'the call is over')
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  const negotiated = async () => {
    const limit = performance.now() + WAIT_MS
    let media = await phone<Record<string, string>>('media()')
    // audio may pass while a nominated pair is still being checked
    while (media.ice !== 'succeeded' && performance.now() < limit) media = await phone('media()')
    assert.equal(media.dtls, 'connected', JSON.stringify(media))
    assert.match(media.srtp ?? '', /^(AES|AEAD)/)
    assert.equal(media.ice, 'succeeded')
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
    await hears(edge.itspA.tone)
    await negotiated()
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
    await hears(edge.itspA.tone)
    await negotiated()
    await call.hangUp()
    await ends()
  })
})

/** The page, its script, and SIP.js as it comes from npm. */
async function servePage(): Promise<Server> {
  const sip = join(import.meta.dirname, '../../../node_modules/sip.js/lib')
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname)
    const file = path.startsWith('/sip.js/')
      ? join(sip, path.slice('/sip.js'.length))
      : join(import.meta.dirname, 'browser/phone.js')
    if (path === '/') {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>phone</title><script type="module" src="/phone.js"></script>')
      return
    }
    readFile(file).then(
      (text) => {
        response.setHeader('content-type', 'text/javascript')
        response.end(text)
      },
      () => response.writeHead(404).end(),
    )
  })
  server.listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  return server
}
