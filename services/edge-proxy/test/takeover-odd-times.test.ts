/** Takeovers at odd times: an edge that only slept, requests before a lease is over, phones behind connections, and the end of an edge. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, afterEach, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CallEnded } from '@tandem/contracts/call.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { callId } from '@tandem/sip/message/read.ts'
import type { Phone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { plan, toTrunk } from './call-edge.ts'
import { until, WITHIN } from './edge-processes.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'
import { A, B, hearing, startTwoEdges, type TwoEdges } from './two-edges.ts'

let house: TwoEdges
const toCarrier: SipMessage[] = []
const { sites } = testConfiguration()
/** The link of the branch has place for two calls of PCMU. */
function fromBranch(dialled: string) {
  const decided = plan([toTrunk('itsp-a', dialled.slice(1))], { dialled })
  return { ...decided, caller: { ...decided.caller, site: 'branch' } }
}
before(async () => {
  house = await startTwoEdges({
    onCarrierMessage: (message) => void toCarrier.push(message),
    edge: { interim: '2s' },
    document: { sites: { ...sites, branch: { networks: ['10.2.0.0/16'], bandwidth: '200kbit/s' } } },
    decide: (dialled) => (dialled.startsWith('92065559') ? fromBranch(dialled) : undefined),
  })
})
after(() => house?.close())
afterEach(() => house?.edges.close())

/** BYEs that the carrier got in this call; what is sent again is one. */
function byesAt(carrierCallId: string): number {
  const byes = toCarrier.filter(
    (m): m is SipRequest => m.kind === 'request' && m.method === 'BYE' && callId(m) === carrierCallId,
  )
  return new Set(byes.map((m) => m.headers.get('via'))).size
}

test('an edge that slept for 10 s finds its calls taken: one owner, one BYE a side, one record a leg, whatever waited for it', {
  timeout: 90_000,
}, async () => {
  const sleeper = await house.edges.start('edge-b', B)
  await house.edges.start('edge-a', A)
  const alice = await house.phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD)
  const stays = await house.talk(alice, '2065550111')
  const leaves = await house.talk(alice, '2065550112')
  await until('both are written down', async () => (await house.keys()).length === 2)
  const slept = performance.now()
  sleeper.kill('SIGSTOP')
  // her BYE lies in the socket of the one that sleeps
  const hungUp = leaves[0].hangUp()
  await until('the other has taken them', async () => ((await house.edges.calls())['edge-a'] ?? 0) > 0)
  await hearing(stays)
  assert.equal((await leaves[1].ended).why, 'hung-up')
  await sleep(Math.max(0, 10_000 - (performance.now() - slept)))
  sleeper.kill('SIGCONT')
  await until('it has none any more', async () => (await house.edges.calls())['edge-b'] === 0)
  await house.edges.callsAre({ 'edge-a': 1, 'edge-b': 0 })
  await hungUp
  await hearing(stays)
  for (const side of stays)
    assert.ok(side.audio.from?.startsWith(`${A}:`), 'its audio is anchored at the one that took it')
  assert.equal(await stays[0].hold(), 200)
  assert.equal(await stays[0].resume(), 200)
  // what it still had to tell or to hang up would come now: its interim is due every 2 s
  await sleep(2500)
  assert.deepEqual([stays[0].state, stays[1].state], ['established', 'established'])
  await stays[1].hangUp()
  assert.deepEqual(await stays[0].ended, { by: 'peer', why: 'hung-up' })
  await until('two records a call', async () => [stays, leaves].every((talk) => house.legsOf(talk).length === 2))
  await until('nothing is left in the bucket', async () => (await house.keys()).length === 0)
  assert.deepEqual([byesAt(stays[1].callId), byesAt(leaves[1].callId)], [0, 1])
  assert.equal(stays[0].requests.filter((r) => r.method === 'BYE').length, 1)
  const legs = [stays, leaves].flatMap(house.legsOf)
  assert.equal(new Set(legs.map((r) => r.legId)).size, 4)
  assert.deepEqual([...new Set(legs.map((r) => r.edge))], ['edge-a'], 'all told by the one that took them')
  assert.deepEqual([...new Set(house.legsOf(stays).map((r) => `${r.estimated} ${r.takeovers}`))], ['false 1'])
})

test('requests that come to another edge before the lease of the dead one is over find their calls, by UDP and by a new connection', {
  timeout: 90_000,
}, async () => {
  const doomed = await house.edges.start('edge-b', B)
  await house.edges.start('edge-a', A)
  const by = (scheme: string, address: string) => ({ server: `${scheme}://${address}:${house.ports.inside}` })
  const alice = await house.phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD)
  const bob = await house.phoneAt('bob', B, PASSWORDS.BOB_PASSWORD)
  const alicesOther = await house.phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD, by('tcp', B))
  const bobsOther = await house.phoneAt('bob', B, PASSWORDS.BOB_PASSWORD, by('tcp', B))
  const [holds, leaves] = [await house.talk(alice, '2065550121'), await house.talk(bob, '2065550122')]
  const [registers, asks] = [await house.talk(alicesOther, '2065550123'), await house.talk(bobsOther, '2065550124')]
  await until('all are written down', async () => (await house.keys()).length === 4)
  await house.edges.end(doomed, 'SIGKILL')
  await Promise.all([alice, bob].map((phone) => phone.moveTo(by('udp', A).server)))
  await Promise.all([alicesOther, bobsOther].map((phone) => phone.moveTo(by('tcp', A).server)))
  // one phone behind TCP registers anew and is told; the other asks for something in its call
  const registered = alicesOther.register()
  const answers = await Promise.all([holds[0].hold(), asks[0].hold(), leaves[0].hangUp(), registered])
  assert.deepEqual(answers.slice(0, 2), [200, 200])
  assert.equal((await leaves[1].ended).why, 'hung-up')
  await until('the carrier is held', async () => holds[1].held && asks[1].held)
  assert.deepEqual([await holds[0].resume(), await asks[0].resume()], [200, 200])
  const going = [holds, registers, asks]
  await Promise.all(going.map(hearing))
  for (const talk of going) {
    await talk[1].hangUp()
    assert.deepEqual(await talk[0].ended, { by: 'peer', why: 'hung-up' })
  }
  await until('two records a call', async () => [...going, leaves].every((talk) => house.legsOf(talk).length === 2))
  const legs = going.flatMap(house.legsOf)
  assert.deepEqual([...new Set(legs.map((r) => `${r.estimated} ${r.takeovers} ${r.endedBy}`))], ['false 1 callee'])
  // of the carrier's leg nothing is known after the last word of the dead edge: only the phone has spoken since
  const ends = house.legsOf(leaves).map((r) => [r.role, r.endedBy, r.estimated])
  assert.deepEqual(ends.sort(), [
    ['callee', 'caller', true],
    ['caller', 'caller', false],
  ])
})

test('the last edge that is told to stop takes no calls, lets those that are up go on, and is gone when they are over', {
  timeout: 90_000,
}, async () => {
  const edge = await house.edges.start('edge-a', A)
  const alice = await house.phoneAt('alice', A, PASSWORDS.ALICE_PASSWORD)
  const bob = await house.phoneAt('bob', A, PASSWORDS.BOB_PASSWORD)
  const talk = await house.talk(alice, '2065550141')
  const gone = once(edge, 'exit')
  edge.kill('SIGTERM')
  const probe = async () => (await bob.send('OPTIONS', `sip:${A}:${house.ports.inside}`)).status
  await until('probes hear that it stops', async () => (await probe()) === 503)
  const refused = await bob.call('92065550142')
  const ended = await refused.ended
  assert.deepEqual([ended.why, ended.status], ['rejected', 503])
  assert.ok(Number(refused.responses.at(-1)?.headers.get('retry-after')) > 0, 'with a time to try again')
  await hearing(talk)
  assert.equal(await talk[0].hold(), 200)
  await talk[0].hangUp()
  assert.deepEqual(await talk[1].ended, { by: 'peer', why: 'hung-up' })
  assert.deepEqual(await gone, [0, null])
  await until('two records', async () => house.legsOf(talk).length === 2)
  assert.deepEqual([...new Set(house.legsOf(talk).map((r) => r.endedBy))], ['caller'], 'she did, not the edge')
})

test('a call that billing has given up while no edge had it is taken up after all: its true end is a correction', {
  timeout: 90_000,
}, async () => {
  const doomed = await house.edges.start('edge-a', A)
  const alice = await house.phoneAt('alice', A, PASSWORDS.ALICE_PASSWORD)
  const talk = await house.talk(alice, '2065550151')
  const answered = house.answers.filter((leg) => [talk[0].callId, talk[1].callId].includes(leg.sipCallId))
  assert.deepEqual([answered.length, answered[0]?.nextMs], [2, 2000])
  await until('it is written down', async () => (await house.keys()).length === 1)
  await house.edges.end(doomed, 'SIGKILL')
  for (const leg of answered) {
    const { nextMs, setupMs, codec, ...known } = leg
    const times = { startedAt: leg.at, answeredAt: leg.at, endedAt: leg.at, durationMs: 0 }
    const estimate = { ...known, ...times, endedBy: 'tandem' as const, sipStatus: 200, estimated: true }
    await house.billing.record(CallEnded, estimate, { messageId: `${leg.legId}:estimated` })
  }
  await house.edges.start('edge-a', A)
  await hearing(talk)
  await talk[1].hangUp()
  await talk[0].ended
  const wanted = answered.map((leg) => leg.legId).sort()
  // a record of an earlier call that was told a moment before a kill -9 may be told again as one: it changes nothing
  const corrections = () => house.corrections.filter((r) => wanted.includes(r.legId))
  await until('both corrections', async () => corrections().length === 2, WITHIN)
  assert.deepEqual(
    corrections()
      .map((r) => r.legId)
      .sort(),
    wanted,
  )
  for (const record of corrections()) assert.deepEqual([record.estimated, record.endedBy], [false, 'callee'])
})

test('kill -9 and the link of a site: a call that is taken over keeps its part of it, one that only rang gives it back', {
  timeout: 90_000,
}, async () => {
  const doomed = await house.edges.start('edge-b', B)
  await house.edges.start('edge-a', A)
  const alice = await house.phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD)
  const bob = await house.phoneAt('bob', A, PASSWORDS.BOB_PASSWORD)
  house.itsp.setPhone('2065559002', 'ring')
  const full = '399 acme.example "The link to site branch has no bandwidth left of its 200 kbit/s"'
  /** It rings; or it is refused since the link is full. */
  const admitted = async (phone: Phone, number: string): Promise<CallHandle | undefined> => {
    const call = await phone.call(`9${number}`)
    const rung = await Promise.race([call.ringing, call.answered]).catch(() => undefined)
    if (rung === undefined && call.state !== 'established') {
      await call.ended
      assert.equal(call.responses.at(-1)?.headers.get('warning'), full)
      return undefined
    }
    return call
  }
  const place = async (what: string, phone: Phone, number: string): Promise<CallHandle> => {
    let call: CallHandle | undefined
    await until(what, async () => {
      call = await admitted(phone, number)
      return call !== undefined
    })
    return call as CallHandle
  }
  const stays = await place('a first call', alice, '2065559001')
  const far = (await house.itsp.nextInvite((i) => i.number === '2065559001', WITHIN)).call as CallHandle
  await stays.answered
  const rings = await place('a second call', alice, '2065559002')
  rings.answered.catch(() => {})
  assert.equal(await admitted(bob, '2065559003'), undefined)
  await until('it is written down', async () => (await house.keys()).length === 1)
  await house.edges.end(doomed, 'SIGKILL')
  await until('the other edge has the call', async () => (await house.edges.calls())['edge-a'] === 1)
  await place('the part of the call that only rang', bob, '2065559003')
  assert.equal(await admitted(bob, '2065559004'), undefined, 'the call that goes on has the other part')
  await hearing([stays, far])
  await stays.hangUp()
  await place('its part, when it is over', bob, '2065559004')
})
