/** Two edge processes on one NATS; one is killed with -9, and the other goes on with its calls. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type CapturedMessage, SipCaptured } from '@tandem/contracts/call.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { until, WITHIN } from './edge-processes.ts'
import { PASSWORDS } from './start-edge.ts'
import { A, B, hearing, startTwoEdges, type TwoEdges } from './two-edges.ts'

let house: TwoEdges
/** Messages for the ladder, and which edge has told them. */
const captured: (CapturedMessage & { edge: string })[] = []
before(async () => {
  house = await startTwoEdges()
  const ladders = await house.nats.bus('console')
  ladders.hear(SipCaptured, ({ edge, messages }) => void captured.push(...messages.map((m) => ({ ...m, edge }))))
  await ladders.flush()
})
after(() => house?.close())

/** What both edges have seen of the call stands in one order, under the time since it began. */
async function oneLadder(callId: string): Promise<void> {
  const ladder = () => captured.filter((m) => m.callId === callId).toSorted((a, b) => a.offsetUs - b.offsetUs)
  const starts = (method: string) => ladder().filter((m) => m.text.startsWith(method))
  await until('both BYEs are told', async () => starts('BYE ').length === 2)
  const [first] = ladder()
  assert.ok(first?.edge === 'edge-b' && first.text.startsWith('INVITE '))
  const byes = starts('BYE ')
  assert.deepEqual(new Set(byes.map((m) => m.edge)), new Set(['edge-a']))
  for (const bye of byes) {
    const apart = Date.parse(bye.at) - Date.parse(first.at) - bye.offsetUs / 1000
    assert.ok(Math.abs(apart) < 500, `${apart} ms`)
  }
}

test('an edge that is killed: the other goes on with its calls, and so does its own next life when it is alone', async () => {
  const survivor = await house.edges.start('edge-a', A)
  const doomed = await house.edges.start('edge-b', B)
  const alice = await house.phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD)
  const one = await house.talk(alice, '2065550101')
  const two = await house.talk(alice, '2065550102')
  await until('both are written down', async () => (await house.keys()).length === 2)
  await house.edges.callsAre({ 'edge-a': 0, 'edge-b': 2 })

  await house.edges.end(doomed, 'SIGKILL')
  await until('the other edge has both', async () => (await house.edges.calls())['edge-a'] === 2)
  await hearing(one)
  await hearing(two)
  assert.ok(one[0].audio.from?.startsWith(`${A}:`) && one[1].audio.from?.startsWith(`${A}:`))

  // its next life finds nothing that is its own
  const again = await house.edges.start('edge-b', B)
  assert.equal(await two[0].hold(), 200)
  await until('the carrier is held', async () => two[1].held)
  assert.equal(await two[0].resume(), 200)
  await one[0].hangUp()
  assert.deepEqual(await one[1].ended, { by: 'peer', why: 'hung-up' })
  await until('two records', async () => house.legsOf(one).length === 2)
  await oneLadder(house.legsOf(one)[0]?.callId ?? '')
  await house.edges.callsAre({ 'edge-a': 1, 'edge-b': 0 })

  // the edge that has it now is killed, too, while the other is not there: its own next life has it
  await house.edges.end(again, 'SIGTERM')
  await house.edges.end(survivor, 'SIGKILL')
  const next = await house.edges.start('edge-a', A)
  await until('the next life has the call', async () => (await house.edges.calls())['edge-a'] === 1)
  await hearing(two)
  await two[1].hangUp()
  assert.deepEqual(await two[0].ended, { by: 'peer', why: 'hung-up' })
  await until('two records', async () => house.legsOf(two).length === 2)
  for (const record of [...house.legsOf(one), ...house.legsOf(two)]) {
    assert.equal(record.estimated, false)
    assert.ok(record.media && record.media.received.packets > 60, 'its packets are counted')
  }
  assert.deepEqual([house.legsOf(one)[0]?.takeovers, house.legsOf(two)[0]?.takeovers], [1, 2])
  assert.deepEqual([house.legsOf(one)[0]?.endedBy, house.legsOf(two)[0]?.endedBy], ['caller', 'callee'])
  await until('nothing is left in the bucket', async () => (await house.keys()).length === 0)
  await house.edges.end(next, 'SIGKILL')
})

test('a peer that is gone when its edge is: the leg ends where it was proven last, and says that it is estimated', async () => {
  const doomed = await house.edges.start('edge-b', B)
  const bob = await house.phoneAt('bob', B, PASSWORDS.BOB_PASSWORD)
  const [near, far] = await house.talk(bob, '2065550103')
  await until('it is written down', async () => (await house.keys()).length === 1)
  await house.edges.end(doomed, 'SIGKILL')
  // both hang up at an edge that is not there: their BYEs are lost
  void near.hangUp()
  void far.hangUp()
  const survivor = await house.edges.start('edge-a', A)
  await until('both legs are recorded', async () => house.legsOf([near, far]).length === 2)
  for (const record of house.legsOf([near, far])) {
    assert.equal(record.estimated, true)
    // this edge has never heard the other: what was written down is all that is proven
    assert.ok(record.durationMs > 0 && record.durationMs < 2000, `${record.durationMs} ms`)
  }
  await house.edges.end(survivor, 'SIGKILL')
})

test('an edge that stops hands its calls over; they are transferred like any other', async () => {
  const leaving = await house.edges.start('edge-b', B)
  const survivor = await house.edges.start('edge-a', A)
  const bob = await house.phoneAt('bob', B, PASSWORDS.BOB_PASSWORD)
  const [blind, first, second] = await Promise.all([
    house.talk(bob, '2065550104'),
    house.talk(bob, '2065550105'),
    house.talk(bob, '2065550106'),
  ])
  const all = [blind, first, second]
  const help = await bob.call('911')
  const psap = (await house.itsp.nextInvite((i) => i.number === '911' && i.call !== undefined, WITHIN))
    .call as CallHandle
  await help.answered
  await until('the edges know each other', async () => Object.keys(await house.edges.calls()).length === 2)
  const stopped = house.edges.end(leaving, 'SIGTERM')
  await until('the other has them', async () => (await house.edges.calls())['edge-a'] === 4)
  await stopped
  await Promise.all(all.map(hearing))
  assert.equal((await blind[0].transfer('sip:92065550107@acme.example')).status, 202)
  assert.equal(await blind[0].transferred(WITHIN), 200)
  const there = (await house.itsp.nextInvite((i) => i.number === '2065550107' && i.call !== undefined, WITHIN)).call
  await hearing([there as CallHandle, blind[1]])
  // a target that is busy leaves the call as it was
  house.itsp.setPhone('2065550108', 'busy')
  assert.equal((await first[0].transfer('sip:92065550108@acme.example')).status, 202)
  await until('he hears that it failed', async () => first[0].progress.at(-1) === 486)
  await hearing(first)
  assert.equal((await first[0].transfer('sip:92065550106@acme.example', { instead: second[0] })).status, 202)
  await until('both far ends are one call', async () => first[0].progress.at(-1) === 200)
  await hearing([first[1], second[1]])
  await Promise.all([first[0].ended, second[0].ended])
  // SP-37: the PSAP sends its caller on, over the same trunk; its place stayed with the edge that has gone
  assert.equal((await psap.transfer('sip:+12065550911@psap.example')).status, 202)
  assert.equal(await psap.transferred(WITHIN), 200)
  const next = await house.itsp.nextInvite((i) => i.number === '+12065550911' && i.call !== undefined, WITHIN)
  assert.equal(help.state, 'established')
  await help.hangUp()
  await Promise.all([psap.ended, next.call?.ended])
  await blind[1].hangUp()
  await first[1].hangUp()
  assert.deepEqual(await second[1].ended, { by: 'peer', why: 'hung-up' })
  await until('two records a call', async () => all.every((talking) => house.legsOf(talking).length === 2))
  const legs = all.flatMap(house.legsOf)
  assert.equal(new Set(legs.map((r) => r.legId)).size, 6, 'each leg has one')
  assert.deepEqual([...new Set(legs.map((r) => r.estimated))], [false])
  assert.equal(legs.filter((r) => r.reason === 'transferred').length, 3)
  await until('nothing is left in the bucket', async () => (await house.keys()).length === 0)
  await house.edges.end(survivor, 'SIGKILL')
})
