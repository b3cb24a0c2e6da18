/** Calls by baresip, a phone that we did not write: alice in the office over UDP, bob at home over TLS behind a NAT. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ReceivedInvite } from '@tandem/testing/itsp.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { type Baresip, baresipMissing } from './baresip.ts'
import { callOf, type Enterprise, forBaresip, insideBaresip, outsideBaresip, startEnterprise } from './enterprise.ts'
import { eventually } from './platform.ts'

const skip = baresipMissing()
const CALLER = '+13605550199'
const WITHIN = 30_000
let here: Enterprise
let alice: Baresip
let bob: Baresip

before(async () => {
  if (skip) return
  here = await startEnterprise(forBaresip)
  alice = await insideBaresip(here.platform, 'alice')
  bob = await outsideBaresip(here.platform, 'bob')
})
after(async () => {
  if (skip) return
  await alice?.stop()
  await bob?.stop()
  await here?.close()
})

const atA = async (number: string): Promise<ReceivedInvite> =>
  await here.a.nextInvite((i) => i.number === number, WITHIN)

/** The PSTN calls a DID and baresip picks up. */
async function pstnCalls(phone: Baresip, did: string): Promise<CallHandle> {
  const call = await here.a.call({ from: CALLER, to: did })
  const rings = await phone.next('CALL_INCOMING')
  assert.match(rings.peeruri ?? '', /3605550199/)
  await phone.command('accept')
  await call.answered
  await phone.next('CALL_ESTABLISHED')
  return call
}

/** Packets come again, and they are the tone of the phone. */
async function hearsAgain(far: CallHandle, phone: Baresip): Promise<void> {
  const before = far.audio.packetsReceived
  await eventually('packets from the phone', async () => far.audio.packetsReceived > before + 60, WITHIN)
  assert.ok(far.audio.heard(phone.tone), 'the tone of the phone')
}

/** Gives how many packets went to the phone before it held. */
async function holdAndResume(phone: Baresip, far: CallHandle): Promise<number> {
  await hasHeard(phone, far.audio.tone)
  await phone.command('hold')
  await eventually('the far end is held', async () => far.held, WITHIN)
  const sent = far.audio.packetsSent
  await new Promise((done) => setTimeout(done, 200))
  assert.ok(far.audio.packetsSent <= sent + 1, 'who is held sends nothing')
  await phone.command('resume')
  await eventually('the far end is not held any more', async () => !far.held, WITHIN)
  await hearsAgain(far, phone)
  await eventually('packets to the phone', async () => far.audio.packetsSent > sent + 60, WITHIN)
  return sent
}

/** Its own count, once a call is over. */
async function receivedMoreThan(phone: Baresip, packets: number): Promise<void> {
  await phone.next('CALL_CLOSED')
  const said = async () => (phone.packets()?.received ?? 0) > packets
  await eventually(`more than ${packets} packets received, not ${phone.packets()?.received}`, said, WITHIN)
}

/** What it hears is written into its file. */
async function hasHeard(phone: Baresip, hz: number): Promise<void> {
  await eventually(`${hz} Hz in the sound that the phone received`, async () => await phone.heard(hz), WITHIN)
}

test('alice in the office dials an outside number, talks, holds, resumes and hangs up', { skip }, async () => {
  await alice.command('dial', '912065550100')
  const far = await callOf(await atA('12065550100'))
  await alice.next('CALL_ESTABLISHED')
  await far.audio.hears(alice.tone, WITHIN)
  const before = await holdAndResume(alice, far)
  await alice.command('hangup')
  assert.deepEqual(await far.ended, { by: 'peer', why: 'hung-up' })
  assert.ok(far.audio.packetsReceived > 60)
  await receivedMoreThan(alice, before + 30)
})

test('the other side of an outside call hangs up, and so does her phone', { skip }, async () => {
  await alice.command('dial', '912065550111')
  const far = await callOf(await atA('12065550111'))
  await alice.next('CALL_ESTABLISHED')
  await far.audio.hears(alice.tone, WITHIN)
  await far.hangUp()
  await alice.next('CALL_CLOSED')
})

test("the PSTN calls alice's DID: her phone in the office rings, answers, both hear each other, the PSTN hangs up", {
  skip,
}, async () => {
  const call = await pstnCalls(alice, '14255551001')
  await call.audio.hears(alice.tone, WITHIN)
  await hasHeard(alice, call.audio.tone)
  await call.hangUp()
  await alice.next('CALL_CLOSED')
})

test("the PSTN calls bob's DID: his phone at home behind a NAT answers over TLS, both hear each other, he holds, resumes and hangs up", {
  skip,
}, async () => {
  const call = await pstnCalls(bob, '14255551002')
  await call.audio.hears(bob.tone, WITHIN)
  const before = await holdAndResume(bob, call)
  await bob.command('hangup')
  assert.deepEqual(await call.ended, { by: 'peer', why: 'hung-up' })
  await receivedMoreThan(bob, before + 30)
})

test('bob calls an outside number from home as from the office', { skip }, async () => {
  await bob.command('dial', '912065550112')
  const far = await callOf(await atA('12065550112'))
  await bob.next('CALL_ESTABLISHED')
  await far.audio.hears(bob.tone, WITHIN)
  await bob.command('hangup')
  assert.equal((await far.ended).why, 'hung-up')
})

test('two phones by baresip, one inside and one outside, call each other by extension and hear each other', {
  skip,
}, async () => {
  await alice.command('dial', '1002')
  await bob.next('CALL_INCOMING')
  await bob.command('accept')
  await alice.next('CALL_ESTABLISHED')
  await bob.next('CALL_ESTABLISHED')
  await new Promise((done) => setTimeout(done, 2000))
  await bob.command('hangup')
  await alice.next('CALL_CLOSED')
  await hasHeard(alice, bob.tone)
  await hasHeard(bob, alice.tone)
})

for (const [status, reason] of [
  [486, /^486 /],
  [603, /^603 /],
] as const) {
  test(`${status} of carrier A comes to her phone, and carrier B is not asked`, { skip }, async () => {
    const asked = here.b.received.length
    here.a.setPhone('12065550113', { status, ring: true })
    await alice.command('dial', '912065550113')
    await atA('12065550113')
    assert.match((await alice.next('CALL_CLOSED')).param ?? '', reason)
    assert.equal(here.b.received.length, asked)
  })
}

test('bob declines at home: the caller in the PSTN is told busy', { skip }, async () => {
  const call = await here.a.call({ from: CALLER, to: '14255551002' })
  await bob.next('CALL_INCOMING')
  await bob.command('hangup')
  await assert.rejects(call.answered)
  assert.equal((await call.ended).status, 486)
})

test('she hangs up while it still rings: the carrier gets a CANCEL', { skip }, async () => {
  here.a.setPhone('12065550114', 'ring')
  await alice.command('dial', '912065550114')
  const far = await callOf(await atA('12065550114'))
  await alice.next('CALL_RINGING')
  await alice.command('hangup')
  assert.equal((await far.ended).why, 'cancelled')
})
