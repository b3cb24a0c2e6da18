/** SRTP by baresip, which we did not write: phones at home over TLS with keys in SDP, a carrier without. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Baresip, baresipMissing } from './baresip.ts'
import { callOf, type Enterprise, forBaresip, outsideBaresip, startEnterprise } from './enterprise.ts'
import { eventually } from './platform.ts'

const skip = baresipMissing() || baresipMissing('srtp')
const WITHIN = 30_000
let here: Enterprise
let bob: Baresip
let carol: Baresip

before(async () => {
  if (skip) return
  here = await startEnterprise((document) => {
    const changed = forBaresip(document)
    // biome-ignore lint/suspicious/noExplicitAny: a document of YAML, read by its own schema
    const { users } = changed as any
    users.carol.srtp = 'required'
    return changed
  })
  bob = await outsideBaresip(here.platform, 'bob', { srtp: 'srtp' })
  carol = await outsideBaresip(here.platform, 'carol', { srtp: 'srtp-mand' })
})
after(async () => {
  if (skip) return
  await bob?.stop()
  await carol?.stop()
  await here?.close()
})

async function hasHeard(phone: Baresip, hz: number): Promise<void> {
  await eventually(`${hz} Hz in the sound that the phone received`, async () => await phone.heard(hz), WITHIN)
}

for (const [name, number] of [
  ['carol', '12065550120'],
  ['bob', '12065550121'],
] as const) {
  const how = name === 'carol' ? 'demands SRTP (RTP/SAVP, RFC 4568)' : 'offers SRTP if it may be (RTP/AVP, RFC 8643)'
  test(`a phone over TLS that ${how} calls out through a carrier with plain RTP: both hear each other`, {
    skip,
  }, async () => {
    const phone = name === 'carol' ? carol : bob
    await phone.command('dial', `9${number}`)
    const invite = await here.a.nextInvite((i) => i.number === number, WITHIN)
    assert.match(invite.body, /^m=audio \d+ RTP\/AVP /m)
    assert.doesNotMatch(invite.body, /crypto/)
    const far = await callOf(invite)
    await phone.next('CALL_ESTABLISHED')
    await far.audio.hears(phone.tone, WITHIN)
    await hasHeard(phone, far.audio.tone)
    assert.match(phone.log(), /SRTP is Enabled \(cryptosuite=AES_CM_128_HMAC_SHA1_80\)/)
    await phone.command('hangup')
    await far.ended
  })
}

test('the PSTN calls a phone that demands SRTP: it is heard, and hears', { skip }, async () => {
  const call = await here.a.call({ from: '+13605550199', to: '14255551003' })
  await carol.next('CALL_INCOMING')
  await carol.command('accept')
  await call.answered
  await carol.next('CALL_ESTABLISHED')
  await call.audio.hears(carol.tone, WITHIN)
  await hasHeard(carol, call.audio.tone)
  await call.hangUp()
  await carol.next('CALL_CLOSED')
})
