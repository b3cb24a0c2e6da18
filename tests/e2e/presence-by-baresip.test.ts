/** Who is on the phone, as a real phone shows it: baresip watches alice, sipp and our own phone try the rules of RFC 6665. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Phone } from '@tandem/testing/phone.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type Baresip, baresipMissing } from './baresip.ts'
import { callOf, type Enterprise, forBaresip, outsideBaresip, startEnterprise } from './enterprise.ts'
import { eventually } from './platform.ts'
import { findSipp, startSipp } from './sipp.ts'

const noBaresip = baresipMissing('presence')
const noSipp = findSipp() === undefined ? 'sipp is not installed (Debian: sip-tester)' : false
const WITHIN = 30_000
const ALICE = 'sip:alice@acme.example'
let here: Enterprise
let alice: Phone
let carol: Phone
let watcher: Baresip | undefined
const heardByCarol: string[] = []

before(async () => {
  here = await startEnterprise(forBaresip)
  alice = await here.insidePhone('alice')
  carol = await here.insidePhone('carol', { heard: heardByCarol })
  if (!noBaresip) watcher = await outsideBaresip(here.platform, 'bob', { watches: [ALICE] })
})
after(async () => {
  await watcher?.stop()
  await here?.close()
})

/** What baresip lists of alice; resolves with the ms until it says so. */
async function watcherSees(word: string): Promise<number> {
  const began = performance.now()
  const phone = watcher as Baresip
  await eventually(
    `baresip shows alice ${word}`,
    async () => {
      const listed = await phone.command('contacts')
      if (new RegExp(`\\b${word}\\b.*${ALICE}`).test(listed)) return true
      throw new Error(listed)
    },
    WITHIN,
  )
  return performance.now() - began
}

/** Bodies of the NOTIFYs that baresip received, oldest first. */
function notified(): string[] {
  const text = (watcher as Baresip).log()
  return [...text.matchAll(/^NOTIFY sip:[\s\S]*?(<\?xml[\s\S]*?<\/presence>)/gm)].map((m) => m[1] as string)
}

test('baresip at home watches alice: online, busy within a second while she is on the phone, online after', {
  skip: noBaresip,
}, async () => {
  await watcherSees('Online')
  const call = await alice.call('912065550100')
  const far = await callOf(await here.a.nextInvite((i) => i.number === '12065550100', WITHIN))
  await call.answered
  const busyAfter = await watcherSees('Busy')
  assert.ok(busyAfter <= whenBusy(1000), `shown after ${Math.round(busyAfter)} ms`)
  await call.hangUp()
  const onlineAfter = await watcherSees('Online')
  assert.ok(onlineAfter <= whenBusy(1000), `shown after ${Math.round(onlineAfter)} ms`)
  await far.ended
})

test('its NOTIFYs are PIDF as old phones read it: default namespace, prefix rpid, a self-closing activity', {
  skip: noBaresip,
}, async () => {
  const inCall = notified().find((body) => body.includes('on-the-phone'))
  assert.ok(inCall, notified().join('\n'))
  assert.match(inCall, /<presence xmlns="urn:ietf:params:xml:ns:pidf"/)
  assert.match(inCall, /entity="sip:alice@acme\.example"/)
  assert.match(inCall, /<basic>open<\/basic>/)
  assert.match(inCall, /<rpid:on-the-phone\/>/)
  const text = (watcher as Baresip).log()
  assert.match(text, /^Content-Type: application\/pidf\+xml\r?$/m)
  assert.match(text, /^Subscription-State: active;expires=\d+\r?$/m)
})

test('she answers on her mobile: baresip shows her busy although none of her phones is used', {
  skip: noBaresip,
}, async () => {
  const mobile = '12065550142'
  here.a.setPhone(mobile, { kind: 'answer', answerAfterMs: 2500 })
  try {
    const call = await here.a.call({ from: '+13605550199', to: '14255551001' })
    await call.answered
    await watcherSees('Busy')
    await eventually('it was told of the mobile', async () => /mobile/.test(notified().at(-1) ?? ''), WITHIN)
    await call.hangUp()
    await watcherSees('Online')
  } finally {
    here.a.setPhone(mobile, 'ring')
  }
})

test('her phone unregisters: baresip shows her offline, and online when it is back', { skip: noBaresip }, async () => {
  await alice.unregister()
  await watcherSees('Offline')
  await alice.register()
  await watcherSees('Online')
})

test('sipp subscribes with digest: NOTIFY at once, and a last one with terminated when it ends with Expires 0', {
  skip: noSipp,
}, async () => {
  const run = await startSipp({
    scenario: 'user-subscribes.xml',
    target: `127.0.0.1:${here.platform.ports.inside}`,
    localPort: await steadyPort(),
    calls: 3,
    rate: 10,
    user: 'bob',
    password: here.platform.secrets.BOB_PASSWORD as string,
    keys: { presentity: 'alice' },
  })
  const { successful, failed, errors } = await run.done
  assert.deepEqual([successful, failed], [3, 0], errors)
})

const subscribe = async (presentity: string, headers: [string, string][]) =>
  await carol.send('SUBSCRIBE', `sip:${presentity}@acme.example`, undefined, headers)

test('what cannot be watched is refused: an unknown package with 489, too brief an interval with 423, an unknown user with 404', async () => {
  const unknown = await subscribe('alice', [['Event', 'winfo']])
  assert.equal(unknown.status, 489)
  assert.match(unknown.headers.get('allow-events') ?? '', /presence/)
  const event: [string, string] = ['Event', 'presence']
  const brief = await subscribe('alice', [event, ['Expires', '1']])
  assert.equal(brief.status, 423)
  assert.ok(Number(brief.headers.get('min-expires')) > 1)
  assert.equal((await subscribe('nobody', [event])).status, 404)
  const other = await subscribe('alice', [event, ['Accept', 'application/xpidf+xml']])
  assert.equal(other.status, 406)
})

test('a question without subscription (Expires 0) is answered with one NOTIFY that ends', async () => {
  heardByCarol.length = 0
  const answer = await subscribe('alice', [
    ['Event', 'presence'],
    ['Expires', '0'],
  ])
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('expires'), '0')
  const notify = await eventually('a NOTIFY', async () => heardByCarol.find((t) => t.startsWith('NOTIFY ')), WITHIN)
  assert.match(notify, /^Subscription-State: terminated;reason=timeout\r$/m)
  assert.match(notify, /<basic>open<\/basic>/)
})
