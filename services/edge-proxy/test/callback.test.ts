/** Emergency services call back (RFC 6881 ED-68, SP-35; RFC 7090; docs/adr/0115). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { EmergencyEnded, EmergencyStarted } from '@tandem/contracts/emergency.ts'
import type { RouteDecision } from '@tandem/contracts/routing.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import { createHelpCalls, phonesOf } from '../src/domain/help-calls.ts'
import { type CallEdge, plan, reject, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'

const DID = '+14255551001'
let house: CallEdge
let other: Phone

before(async () => {
  const { emergency } = testConfiguration()
  house = await startCallEdge({
    trunks: { 'itsp-a': { limits: { calls: 1 } }, 'itsp-b': { emergency: false } },
    document: { emergency: { ...emergency, trunks: ['itsp-a'], callback: '5s' } } as never,
  })
  const server = `udp://127.0.0.1:${house.edge.port('inside')}`
  other = await startPhone({ name: 'alice', server, password: PASSWORDS.ALICE_PASSWORD, domain: 'acme.example' })
  await other.register()
  house.locate({
    ...{ kind: 'found', place: { ref: 'hq-lobby', civic: { country: 'US' } }, source: 'port', confidence: 1 },
    ...{ determinedAt: '2026-01-01T00:00:00.000Z', routeClass: 'direct', user: 'alice', callback: DID },
  } as never)
})
after(async () => {
  await other?.close()
  await house?.close()
})

/** What the router makes of calls to alice, who forwards them all. */
const forwarded = (): RouteDecision =>
  plan([toTrunk('itsp-a', '12065550142')], {
    ...{ dialled: DID, normalised: DID, caller: { number: '+12065550911' } },
    callee: { user: 'alice', number: DID, costCentre: 'sales' },
  })
const silent = async (phone: Phone): Promise<void> => {
  await assert.rejects(phone.nextCall(150), 'it does not ring')
}
async function callForHelp(): Promise<void> {
  house.route(() => undefined)
  const help = await house.alice.call('911')
  await help.answered
  await help.hangUp()
}

test('before a call for help a number is forwarded as its user wants; a mark that nobody knows is taken away', async () => {
  house.route(() => plan([toUser('bob')], { callee: { user: 'bob' } }))
  const call = await house.itspA.call({ from: '+1', to: '+14255551002', headers: [['Priority', 'psap-callback']] })
  const rung = await house.bob.nextCall()
  assert.equal(rung.invite.headers.has('priority'), false, 'RFC 7090 5.3: "MUST remove the PSAP callback marking"')
  rung.reject()
  await assert.rejects(call.answered)
})

test('RFC 6881 SP-35: the call back rings the phone that called for help, whatever is forwarded, and no other', async () => {
  await callForHelp()
  house.route(forwarded)
  const asked = house.itspA.received.length
  const back = await house.itspA.call({ from: '+12065550911', to: DID, headers: [['Priority', 'psap-callback']] })
  const rung = await house.alice.nextCall()
  assert.equal(rung.invite.headers.get('priority'), 'psap-callback', 'RFC 7090 4: from a carrier of emergency calls')
  await silent(other)
  await rung.answer()
  await back.answered
  await back.audio.hears(house.alice.tone)
  assert.equal(house.itspA.received.length, asked, 'the mobile is not called')
  await back.hangUp()
  const records = await house.ended(2)
  assert.equal(records.find((r) => r.role === 'callee')?.user, 'alice')
  assert.equal(
    records.every((r) => !r.emergency),
    true,
    'it is a call like any other for the bill',
  )
})

test('no limit, no refusal of the router and no missing router keeps it out', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')], { normalised: '+12065550100' }))
  const ordinary = await house.bob.call('912065550100')
  await ordinary.answered
  const full = await house.itspA.call({ from: '+12065550911', to: '+14255551002' })
  await assert.rejects(full.answered, /503/, 'the trunk is full')
  house.calls.drain(true)
  for (const decide of [forwarded, () => ({ ...reject(482, 'a circle'), normalised: DID }), () => undefined]) {
    house.route(decide)
    // as this carrier writes numbers
    const back = await house.itspA.call({ from: '+12065550911', to: '4255551001' })
    const rung = await house.alice.nextCall()
    assert.equal(rung.invite.headers.has('priority'), false)
    await rung.answer()
    await back.answered
    await back.hangUp()
  }
  house.calls.drain(false)
  await ordinary.hangUp()
})

test('when the time is over calls are forwarded as before; a call for help at another edge counts here too', async () => {
  const elsewhere = await house.edge.nats.bus('edge-proxy')
  const story = { callId: 'at-another-edge', at: new Date().toISOString() }
  elsewhere.tell(EmergencyStarted, {
    ...{ ...story, legId: 'x', test: false, dialled: '911', user: 'bob', callback: '+14255551002' },
    ...{ sourceAddress: '192.0.2.7', routeClass: 'direct', standingOrder: [] },
  })
  house.route(() => ({ ...forwarded(), normalised: '+14255551002' }))
  house.itspA.setPhone('12065550142', 'busy')
  const rings = async (): Promise<boolean> => {
    const back = await house.itspB.call({ from: '+12065550911', to: '+14255551002' })
    back.answered.catch(() => {})
    const rung = await house.bob.nextCall(1500).catch(() => undefined)
    await back.hangUp()
    return rung !== undefined
  }
  await eventually('the fact has come', rings)
  elsewhere.tell(EmergencyEnded, {
    ...story,
    at: new Date(Date.now() - 5000).toISOString(),
    answered: true,
    durationMs: 1,
  })
  await eventually('the time is over', async () => !(await rings()))
})

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000
  while (!(await holds())) assert.ok(performance.now() < end, what)
}

test('the phone is known by its instance, else by where it called from; when it is gone all of them ring', () => {
  const call = { callId: 'c', callback: DID, user: 'alice', instance: 'urn:uuid:1', source: '192.0.2.1:5060', at: 0 }
  const phone = (instance: string | undefined, source: string) => ({ instance, source }) as never
  const [moved, same, third] = [phone('urn:uuid:1', '192.0.2.9:1'), phone(undefined, '192.0.2.1:5060'), phone('x', 'y')]
  assert.deepEqual(phonesOf([call], [same, moved, third]), [moved])
  assert.deepEqual(phonesOf([call], [third, same]), [same])
  assert.deepEqual(phonesOf([call], [third]), [third])
})

test('a number is found however a carrier writes it; the end may be heard before the beginning; what is past is forgotten', () => {
  const calls = createHelpCalls()
  const call = { callId: 'c', callback: '+442079460000', user: 'alice', instance: undefined, source: 'x', at: 1000 }
  calls.ended('c', 5000)
  calls.began(call)
  for (const written of ['+442079460000', '442079460000', '02079460000', '0044 20 7946 0000', '79460000'])
    assert.deepEqual(calls.like(written, 5000), [call], written)
  for (const written of ['460000', '2079460001', '12079460000', ''])
    assert.deepEqual(calls.like(written, 5000), [], written)
  assert.deepEqual(calls.of('+442079460000', 5001), [])
  calls.began({ ...call, callId: 'd', at: 6000 })
  // behind the number of a site the newest eight
  for (let n = 0; n < 20; n++) calls.began({ ...call, callId: `e${n}`, user: `u${n}`, at: 7000 })
  assert.equal(calls.of('+442079460000', 7000).length, 8)
  assert.equal(calls.of('+442079460000', 7000).at(-1)?.user, 'u19')
})
