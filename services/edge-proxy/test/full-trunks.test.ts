/** routing.md R9: when a trunk or a link is full the next one is tried, then 503 says in words which one is full. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type CallEdge, plan, startCallEdge, toTrunk } from './call-edge.ts'

let house: CallEdge
before(async () => {
  house = await startCallEdge({
    trunks: { 'itsp-a': { limits: { calls: 1 } }, 'itsp-b': { limits: { bandwidth: '100kbit/s' } } },
  })
})
after(() => house.close())

const numberOfCalls = () => house.calls.calls.size
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (condition()) return
    await pause(20)
  }
  assert.fail(what)
}
const both = () => house.route(() => plan([toTrunk('itsp-a', '12065550100'), toTrunk('itsp-b', '12065550100')]))

test('the first call takes the first trunk, the second the next, the third is told why there is no place', async () => {
  both()
  const first = await house.alice.call('912065550100')
  await first.answered
  const second = await house.bob.call('912065550100')
  await second.answered
  assert.deepEqual([house.itspA.received.length, house.itspB.received.length], [1, 1])
  const third = await house.bob.call('912065550100')
  await assert.rejects(third.answered, /503/)
  const [record] = await house.ended(1)
  assert.equal(record?.endedBy, 'tandem')
  assert.equal(record?.reason, 'Trunk itsp-b has no bandwidth left of its 100 kbit/s')
  await Promise.all([first.hangUp(), second.hangUp()])
  await until('the calls end', () => numberOfCalls() === 0)
})
test('a call from a full trunk is refused with the reason; the hang-up makes place again', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const first = await house.alice.call('912065550100')
  await first.answered
  const came = await house.itspA.call({ from: '+12065550199', to: '+14255551002' })
  await assert.rejects(came.answered, /503/)
  await first.hangUp()
  await until('the call ends', () => numberOfCalls() === 0)
  const again = await house.bob.call('912065550100')
  await again.answered
  await again.hangUp()
  await until('the call ends', () => numberOfCalls() === 0)
})
test('a call that is given up while it rings, is busy or finds nobody keeps no place', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  house.itspA.setBehaviour('busy')
  for (let i = 0; i < 3; i++) await assert.rejects((await house.alice.call('912065550100')).answered, /486/)
  house.itspA.setBehaviour('ring')
  for (let i = 0; i < 3; i++) {
    const call = await house.alice.call('912065550100')
    call.answered.catch(() => {})
    await call.ringing
    await call.hangUp()
    await until('the call ends', () => numberOfCalls() === 0)
  }
  house.route(() => plan([toTrunk('itsp-a', '12065550100', { noResponseMs: 300 })]))
  house.itspA.setBehaviour('silent')
  await assert.rejects((await house.alice.call('912065550100')).answered, /504/)
  await until('the silent call ends', () => numberOfCalls() === 0)
  house.itspA.setBehaviour('answer')
  const call = await house.alice.call('912065550100')
  await call.answered
  await call.hangUp()
  await until('the call ends', () => numberOfCalls() === 0)
})
test('calls for help go out on full trunks, and take no place of anybody', async () => {
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const ordinary = await house.alice.call('912065550100')
  await ordinary.answered
  house.route((q) => plan([toTrunk('itsp-a', '911')], { emergency: true, dialled: q.dialled }))
  const help = await house.bob.call('911')
  await help.answered
  await ordinary.hangUp()
  await until('one call is left', () => numberOfCalls() === 1)
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  const next = await house.alice.call('912065550100')
  await next.answered
  await Promise.all([next.hangUp(), help.hangUp()])
})
