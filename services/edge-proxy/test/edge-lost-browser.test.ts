/** An edge is lost under the call of a browser: SIP.js in Chromium comes back at another one, and both hear each other again. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { type BrokenLine, startLine } from './broken-line.ts'
import { type BrowserPhone, startBrowserPhone, WAIT_MS, whyNoBrowser } from './browser-phone.ts'
import { until } from './edge-processes.ts'
import { killed, recorded, startWebHouse } from './lost-calls.ts'
import { PASSWORDS } from './start-edge.ts'
import { A, B, type TwoEdges } from './two-edges.ts'

const skip = whyNoRtpengine() ?? whyNoBrowser()
const TONE = 620
let daemon: Rtpengine
let house: TwoEdges
let browser: BrowserPhone
let line: BrokenLine

before(async () => {
  if (skip !== undefined) return
  daemon = await startRtpengine()
  house = await startWebHouse(daemon.control)
  browser = await startBrowserPhone()
})
after(async () => {
  await browser?.close()
  await line?.close()
  await house?.close()
  await daemon?.close()
})

test('the edge of a browser is killed in its call: it comes back at the other, is told where its audio goes now, and both hear each other', {
  ...(skip === undefined ? {} : { skip }),
  timeout: 120_000,
}, async () => {
  const doomed = await house.edges.start('edge-b', B)
  line = await startLine(house.ports.more, B)
  const options = {
    ...{ server: `ws://127.0.0.1:${line.port}`, user: 'bob', domain: 'acme.example' },
    ...{ password: PASSWORDS.BOB_PASSWORD, hz: TONE },
  }
  await browser.run(`register(${JSON.stringify(options)})`)
  const up = browser.run(`call('sip:92065550190@acme.example')`)
  const invite = await house.itsp.nextInvite((i) => i.number === '2065550190', WAIT_MS)
  await up
  await until('the carrier has the call', async () => invite.call !== undefined)
  const far = invite.call
  assert.ok(far)
  await far.audio.hears(TONE, WAIT_MS)
  await browser.hears(house.itsp.tone)
  await browser.negotiated()

  line.towards(A)
  await killed(house, doomed, 1)
  const [heard, played] = [far.audio.packetsReceived, await browser.played()]
  await until('audio goes both ways', async () => {
    return far.audio.packetsReceived > heard + 60 && (await browser.played()) > played + 60
  })
  await Promise.all([far.audio.hears(TONE, WAIT_MS), browser.hears(house.itsp.tone)])
  await browser.negotiated()
  await browser.run('bye()')
  await far.ended
  await recorded(house, far.callId, 'caller', 1)
})
