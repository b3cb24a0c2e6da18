/** Forwarding and simultaneous ring as the configuration has it: the router's own decisions, carried out by an edge (docs/adr/0062). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Phone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { type CallEdge, startCallEdge } from '../../../services/edge-proxy/test/call-edge.ts'
import { decideRoute } from '../../../services/routing/src/domain/decide-route.ts'
import { tableWith } from '../../../services/routing/test/acme.ts'

const BOB = '+14255551002'
const CALLER = '+12065550177'
let house: CallEdge
before(async () => {
  house = await startCallEdge()
})
after(() => house.close())

/** `bob`: his `forward`; `alice`: more of hers. */
function configured(bob: string, alice = ''): void {
  const staff = 'policy: staff, costCentre: support,'
  const sales = 'costCentre: sales,'
  const table = tableWith(
    [staff, `${staff} mobile: "+12065550143", ${bob === '' ? '' : `forward: { ${bob} },`}`],
    [sales, `${sales} ${alice}`],
  )
  house.route((question) => decideRoute(question, table, Date.now()))
}
const callBob = (headers: [string, string][] = []): Promise<CallHandle> =>
  house.itspB.call({ from: CALLER, to: BOB, headers })
const none = (phone: Phone) => assert.rejects(phone.nextCall(100), 'it does not ring')

/** The call has come to a number through carrier A, with these reasons, the last one first; it is answered and over. */
async function reached(call: CallHandle, number: string, reasons: readonly string[]): Promise<void> {
  await call.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === number && i.call !== undefined)
  const diversions = request.headers.getAll('diversion')
  assert.deepEqual(
    diversions.map((value) => /reason=([\w-]+)/.exec(value)?.[1]),
    reasons,
  )
  assert.equal(request.headers.getAll('history-info').join(', ').split(';index=').length - 1, reasons.length + 1)
  await call.audio.hears(house.itspA.tone)
  await call.hangUp()
}

test('always: to a number, to the mobile, to a user and on to his number; no phone of his rings', async () => {
  configured('always: "912065550150"')
  await reached(await callBob(), '12065550150', ['unconditional'])
  configured('always: mobile')
  await reached(await callBob(), '12065550143', ['unconditional'])
  configured('always: alice', 'forward: { always: "912065550151" },')
  await reached(await callBob(), '12065550151', ['unconditional', 'unconditional'])
  configured('always: alice')
  const call = await callBob()
  const rung = await house.alice.nextCall()
  assert.match(rung.invite.headers.get('diversion') ?? '', /^<sip:\+14255551002@acme\.example>;reason=unconditional$/)
  await call.hangUp()
  await none(house.bob)
})

test('busy goes to a number, nobody answers goes to a user, nobody is there goes to the mobile', async () => {
  configured('busy: "912065550152", noAnswer: alice, after: 1s, unreachable: mobile')
  const busy = await callBob()
  ;(await house.bob.nextCall()).reject(486)
  await reached(busy, '12065550152', ['user-busy'])
  const unanswered = await callBob()
  const rung = await house.bob.nextCall()
  const next = await house.alice.nextCall()
  assert.equal((await rung.ended).why, 'cancelled')
  assert.match(next.invite.headers.get('diversion') ?? '', /reason=no-answer/)
  await next.answer()
  await unanswered.answered
  await unanswered.hangUp()
  await house.bob.unregister()
  await reached(await callBob(), '12065550143', ['unavailable'])
  await house.bob.register()
})

test('simultaneous ring: the mobile answers through the trunk, and the phone hears that the call was taken elsewhere', async () => {
  configured('')
  house.itspA.setPhone('12065550142', { kind: 'answer', answerAfterMs: 200 })
  const call = await house.itspB.call({ from: CALLER, to: '+14255551001' })
  const desk = await house.alice.nextCall()
  await reached(call, '12065550142', ['follow-me'])
  assert.equal((await desk.ended).why, 'cancelled')
  const records = await house.ended(3)
  assert.equal(records.find((r) => r.role === 'mobile')?.user, 'alice')
})

test('what goes in a circle ends: between users at once, over a carrier when it comes back', async () => {
  configured('always: alice', 'forward: { always: bob },')
  await assert.rejects((await callBob()).answered, /482/)
  configured('busy: alice', 'forward: { busy: bob, noAnswer: bob, unreachable: bob },')
  house.itspA.setPhone('12065550142', 'busy')
  const twice = await callBob()
  ;(await house.bob.nextCall()).reject(486)
  ;(await house.alice.nextCall()).reject(486)
  await assert.rejects(twice.answered, /486/, 'nobody is rung twice')
  configured('always: "912065550153"')
  const out = await callBob()
  await out.answered
  const { request } = await house.itspA.nextInvite((i) => i.number === '12065550153')
  const told = request.headers.getAll('history-info').map((value): [string, string] => ['History-Info', value])
  const back = await house.itspA.call({ from: CALLER, to: BOB, headers: told })
  await assert.rejects(back.answered, /482/, 'by History-Info alone')
  await out.hangUp()
})
