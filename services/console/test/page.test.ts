import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  CallAnswered,
  CallRinging,
  CallStarted,
  type CapturedMessage,
  type Leg,
  SipCaptured,
} from '@tandem/contracts/call.ts'
import { PresenceChanged, ReadPresence } from '@tandem/contracts/presence.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Browser, chromium } from 'playwright-core'
import { type Console, startConsole } from '../src/service.ts'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const skip = executablePath === undefined ? 'no Chromium on this machine' : false
const page = join(import.meta.dirname, '../dist/page')

let nats: PrivateNats
let served: Console
let browser: Browser
let profile: string
before(async () => {
  if (skip) return
  nats = await startPrivateNats()
  const presence = await nats.bus('presence')
  presence.answer(ReadPresence, (): { states: [] } => ({ states: [] }))
  await presence.flush()
  served = await startConsole({
    bus: await nats.bus('console'),
    log: createLogger({ service: 'console', level: 'silent' }),
    host: '127.0.0.1',
    port: 0,
    tokens: [],
    openOnLoopback: true,
    page,
  })
  profile = await mkdtemp(join(tmpdir(), 'tandem-page-'))
  browser = await chromium.launch({
    executablePath: executablePath as string,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
})
after(async () => {
  await browser?.close()
  await served?.stop()
  await nats?.close()
  if (profile) await rm(profile, { recursive: true, force: true })
})

function leg(legId: string, role: Leg['role'], party: Leg['party']): Leg {
  return {
    callId: 'call-1',
    legId,
    seq: 1,
    edge: 'e1',
    at: new Date().toISOString(),
    role,
    party,
    user: 'alice',
    from: '+14255551001',
    dialled: '912065550100',
    to: '+12065550100',
    emergency: false,
    attempt: 1,
    sipCallId: 'x',
  }
}
const messages: [number, 'received' | 'sent', string, string, string][] = [
  [
    0,
    'received',
    'user:alice',
    'leg-a',
    'INVITE sip:912065550100@acme.example SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n',
  ],
  [350, 'sent', 'user:alice', 'leg-a', 'SIP/2.0 100 Trying\r\n\r\n'],
  [
    1900,
    'sent',
    'trunk:itsp-a',
    'leg-b',
    'INVITE sip:12065550100@127.0.0.1:5080 SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n',
  ],
  [2600, 'received', 'trunk:itsp-a', 'leg-b', 'SIP/2.0 180 Ringing\r\n\r\n'],
  [2900, 'sent', 'user:alice', 'leg-a', 'SIP/2.0 180 Ringing\r\n\r\n'],
  [250_000, 'received', 'trunk:itsp-a', 'leg-b', 'SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n'],
  [250_400, 'sent', 'user:alice', 'leg-a', 'SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n'],
  [255_000, 'received', 'user:alice', 'leg-a', 'ACK sip:edge@127.0.0.1:5060 SIP/2.0\r\n\r\n'],
  [255_300, 'sent', 'trunk:itsp-a', 'leg-b', 'ACK sip:12065550100@127.0.0.1:5080 SIP/2.0\r\n\r\n'],
]

test('the page shows a call as it goes up, its ladder after a click, the message behind an arrow, and who is on the phone', {
  skip,
}, async () => {
  const edge = await nats.bus('edge-proxy')
  const presence = await nats.bus('presence')
  const tab = await browser.newPage({ viewport: { width: 1680, height: 900 } })
  const errors: string[] = []
  tab.on('pageerror', (e) => errors.push(e.message))
  tab.on('console', (m) => {
    // the configuration is not applied in this test: its 404 is no fault of the page
    if (m.type() === 'error' && !m.text().includes('404')) errors.push(m.text())
  })
  await tab.goto(`http://127.0.0.1:${served.port}/`)
  await tab.getByText('No calls in the last hour').waitFor()
  await tab.getByText('Demonstration').waitFor()

  const alice = { kind: 'user', user: 'alice' } as const
  const carrier = { kind: 'trunk', trunk: 'itsp-a' } as const
  edge.tell(CallStarted, leg('leg-a', 'caller', alice))
  edge.tell(CallStarted, leg('leg-b', 'callee', carrier))
  edge.tell(CallRinging, { ...leg('leg-b', 'callee', carrier), status: 180, earlyMedia: false })
  const row = tab.locator('[data-call="call-1"]')
  await row.getByText('ringing').waitFor()
  edge.tell(CallAnswered, { ...leg('leg-b', 'callee', carrier), setupMs: 250 })
  edge.tell(CallAnswered, { ...leg('leg-a', 'caller', alice), setupMs: 252 })
  await row.getByText('up', { exact: true }).waitFor()
  presence.tell(PresenceChanged, {
    user: 'alice',
    availability: 'busy',
    activities: ['on-the-phone'],
    device: 'mobile',
    since: new Date().toISOString(),
    version: 2,
  })
  await tab.locator('[data-presence="alice"]').getByText('on the phone (mobile)').waitFor()

  edge.tell(SipCaptured, {
    edge: 'e1',
    messages: messages.map(
      ([offsetUs, direction, peer, legId, text]): CapturedMessage => ({
        callId: 'call-1',
        legId,
        at: new Date().toISOString(),
        offsetUs,
        direction,
        peer,
        transport: 'UDP',
        local: '127.0.0.1:5060',
        remote: '127.0.0.1:5080',
        text,
      }),
    ),
  })
  await row.click()
  const ladder = tab.getByTestId('ladder')
  await ladder.getByText('trunk:itsp-a').waitFor()
  assert.equal(await ladder.locator('svg g[role="button"]').count(), messages.length)
  await ladder.getByText('INVITE (SDP)').last().click()
  assert.match((await tab.getByTestId('message').textContent()) ?? '', /^INVITE sip:12065550100@127\.0\.0\.1:5080/)
  const picture = await tab.screenshot({
    path: process.env.TANDEM_SCREENSHOTS
      ? join(process.env.TANDEM_SCREENSHOTS, 'live-calls.png')
      : join(profile, 'live-calls.png'),
  })
  assert.ok(picture.length > 10_000)
  assert.deepEqual(errors, [])
})
