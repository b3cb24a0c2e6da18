import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HangUp, PlaceCall } from '@tandem/contracts/edge.ts'
import { type CallEdge, plan, reject, startCallEdge, toTrunk } from './call-edge.ts'

let house: CallEdge
before(async () => {
  house = await startCallEdge({
    b: { digestAccounts: { acme: 'itsp-secret' } },
    trunks: { 'itsp-b': { credentials: { user: 'acme', password: { env: 'ITSP_PASSWORD' } } } },
  })
})
after(async () => {
  await house.close()
})

test('the console places a call: the user is rung, then the number; it hangs up from there too', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const console = await house.edge.nats.bus('console')
  const asked = await console.ask(PlaceCall, { from: 'alice', to: '912065550100' })
  assert.ok(asked.kind === 'answer' && asked.answer.kind === 'placed')
  const rung = await house.alice.nextCall()
  await rung.answer()
  const far = await house.itspA.nextInvite((i) => i.call !== undefined)
  await far.call?.answered
  await rung.audio.hears(house.itspA.tone)
  await far.call?.audio.hears(house.alice.tone)
  const ended = await console.ask(HangUp, { callId: asked.answer.callId })
  assert.deepEqual(ended, { kind: 'answer', answer: { found: true } })
  assert.equal((await rung.ended).why, 'hung-up')
  const records = await house.ended(2)
  assert.deepEqual(new Set(records.map((r) => r.endedBy)), new Set(['tandem']))
  const unknown = await console.ask(HangUp, { callId: 'nobody' })
  assert.deepEqual(unknown, { kind: 'answer', answer: { found: false } })
})

test('the number does not answer: the user is hung up on', async () => {
  house.itspA.setPhone('12065550109', { status: 404 })
  house.route(() => plan([toTrunk('itsp-a', '12065550109')]))
  assert.equal((await house.calls.placeCall('alice', '912065550109')).kind, 'placed')
  const rung = await house.alice.nextCall()
  await rung.answer()
  assert.equal((await rung.ended).why, 'hung-up')
  assert.equal(house.calls.status().legs, 0)
})

test('the user hangs up before the number answers', async () => {
  house.itspA.setPhone('12065550110', 'ring')
  house.route(() => plan([toTrunk('itsp-a', '12065550110')]))
  await house.calls.placeCall('alice', '912065550110')
  const rung = await house.alice.nextCall()
  await rung.answer()
  const far = await house.itspA.nextInvite((i) => i.number === '12065550110' && i.call !== undefined)
  await rung.hangUp()
  assert.equal((await far.call?.ended)?.why, 'cancelled')
})

test('who cannot be called, who is not there, and 911 are refused with a reason', async () => {
  house.route(() => reject(403, 'not allowed'))
  assert.deepEqual(await house.calls.placeCall('alice', '1'), { kind: 'refused', status: 403, reason: 'not allowed' })
  assert.equal(((await house.calls.placeCall('nobody', '1')) as { status: number }).status, 404)
  assert.equal(((await house.calls.placeCall('alice', '911')) as { status: number }).status, 403)
  assert.equal(house.calls.status().legs, 0)
})

test('a trunk that challenges gets the credentials, on the same Call-ID with the next CSeq', async () => {
  house.route(() => plan([toTrunk('itsp-b', '12065550100')]))
  const call = await house.alice.call('912065550100')
  await call.answered
  const invite = await house.itspB.nextInvite()
  assert.match(invite.request.headers.get('authorization') ?? '', /^Digest username="acme"/)
  assert.match(invite.request.headers.get('cseq') ?? '', /^2 INVITE/)
  await call.audio.hears(house.itspB.tone)
  assert.equal(await call.hold(), 200)
  await call.hangUp()
  const records = await house.ended(2)
  assert.equal(records.find((r) => r.party.kind === 'trunk')?.attempt, 1)
})
