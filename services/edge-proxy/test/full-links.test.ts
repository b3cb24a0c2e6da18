/** edge.md E8, routing.md R9: the bandwidth of a link between sites, by real calls: who gets no place is told why, and every end gives it back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ownLoopback } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { type CallEdge, plan, somePorts, startCallEdge, toTrunk, toUser } from './call-edge.ts'
import { until } from './rtp-endpoint.ts'
import { testConfiguration } from './start-edge.ts'

let house: CallEdge
before(async () => {
  const { sites } = testConfiguration()
  const first = Number(somePorts().split('-')[0])
  // media for two calls, and a reserve for calls for help
  const ports = `${first}-${first + 9}`
  house = await startCallEdge({
    // a call of PCMU takes 80 kbit/s and some headers: there is place for one
    document: { sites: { ...sites, hq: { ...sites?.hq, bandwidth: '100kbit/s' } } } as never,
    trunks: { 'itsp-b': { limits: { calls: 1 } } },
    edge: { media: { relay: 'embedded', address: ownLoopback(), ports, inactivity: '2s' } },
  })
})
after(() => house.close())

const FULL = '399 acme.example "The link to site hq has no bandwidth left of its 100 kbit/s"'
const out = (trunks: readonly string[] = ['itsp-a']) =>
  house.route(({ dialled }) =>
    dialled === '1002'
      ? plan([toUser('bob')], { callee: { user: 'bob', site: 'hq' } })
      : plan(
          trunks.map((trunk) => toTrunk(trunk, '12065550100', { noResponseMs: 300 })),
          { emergency: dialled === '911', dialled },
        ),
  )
const dial = async (): Promise<CallHandle> => {
  const call = await house.alice.call('912065550100')
  call.answered.catch(() => {})
  return call
}
const over = () => until(() => house.calls.status().legs === 0, 'every leg is over')

/** There is one place, neither more nor less. */
async function onePlace(after: string): Promise<void> {
  await over()
  out()
  const call = await dial()
  await call.answered.catch((error: unknown) => assert.fail(`after ${after}: ${String(error)}`))
  const second = await house.bob.call('912065550100')
  await assert.rejects(second.answered, /503/, after)
  await call.hangUp()
  await over()
}

test('RFC 3261 20.43: whoever finds the link full gets 503 with a Warning that names it; no trunk helps, calls inside and for help do', async () => {
  out(['itsp-a', 'itsp-b'])
  const call = await dial()
  await call.answered
  const second = await house.bob.call('912065550100')
  await assert.rejects(second.answered, /503/)
  const [refusal] = second.responses.slice(-1)
  assert.equal(refusal?.headers.get('warning'), FULL)
  assert.equal(house.itspB.received.length, 0, 'every trunk is behind the same link')
  const inside = await house.alice.call('1002')
  const rung = await house.bob.nextCall()
  await rung.answer()
  await inside.answered
  await inside.hangUp()
  const help = await house.bob.call('911')
  await help.answered
  await help.hangUp()
  await call.hangUp()
  await onePlace('BYE')
})

test('a full trunk is passed over for the next one before anybody is refused; the Warning names the full one', async () => {
  house.itspA.setBehaviour({ status: 503 })
  out(['itsp-b', 'itsp-a'])
  const coming = await house.itspB.call({ from: '+12065550177', to: '1002' })
  const rung = await house.bob.nextCall()
  const call = await dial()
  await assert.rejects(call.answered, /503/)
  assert.equal(
    call.responses.at(-1)?.headers.get('warning'),
    '399 acme.example "Trunk itsp-b carries its 1 calls"',
    'the other trunk was asked, and refused',
  )
  assert.ok(house.itspA.received.length > 1)
  rung.reject()
  await assert.rejects(coming.answered)
  house.itspA.setBehaviour('answer')
  await onePlace('failover to a trunk that refuses')
})

test('CANCEL, busy, silence and a callee that hangs up give the place back', async () => {
  out()
  house.itspA.setBehaviour('ring')
  const ringing = await dial()
  await ringing.ringing
  await ringing.hangUp()
  await over()
  house.itspA.setBehaviour('busy')
  await assert.rejects((await dial()).answered, /486/)
  house.itspA.setBehaviour('silent')
  await assert.rejects((await dial()).answered, /504/)
  house.itspA.setBehaviour({ kind: 'answer', hangUpAfterMs: 50 })
  const call = await dial()
  await call.answered
  await call.ended
  house.itspA.setBehaviour('answer')
  await onePlace('all of these')
})

test('a call that has fallen silent on both sides gives the place back when it is hung up', async () => {
  out()
  const call = await dial()
  await call.answered
  const { call: far } = await house.itspA.nextInvite((i) => i.call?.state === 'established')
  const second = await house.bob.call('912065550100')
  await assert.rejects(second.answered, /503/)
  assert.equal(second.responses.at(-1)?.headers.get('warning'), FULL)
  call.audio.fallSilent(false)
  far?.audio.fallSilent(false)
  assert.equal((await call.ended).by, 'peer')
  await onePlace('silence')
})

test('a call for which there is no media port takes no place', async () => {
  out()
  // calls inside take no place on the link, but all the ports
  const inside: CallHandle[] = []
  for (;;) {
    const call = await house.alice.call('1002')
    const rung = await house.bob.nextCall(4000).catch(() => undefined)
    if (rung === undefined) break
    await rung.answer()
    await call.answered
    inside.push(call)
    assert.ok(inside.length < 4)
  }
  const refused = await dial()
  await assert.rejects(refused.answered, /503/)
  assert.equal(refused.responses.at(-1)?.headers.get('warning'), undefined, 'it is not the link')
  for (const call of inside) await call.hangUp()
  await onePlace('a media failure')
})
