/** Two edge processes on one NATS; one is killed with -9, and the other goes on with its calls. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import { CALLS_BUCKET } from '@tandem/contracts/held-call.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { type Itsp, startItsp } from '@tandem/testing/itsp.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { plan, somePorts, toTrunk } from './call-edge.ts'
import { type EdgeProcesses, edgeProcesses, until, WITHIN } from './edge-processes.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'

const A = '127.0.0.1'
const B = '127.0.0.3'

let nats: PrivateNats
let folder: string
let itsp: Itsp
let ports: { inside: number; carrier: number }
let console: Bus
let edges: EdgeProcesses
const records: LegRecord[] = []
const phones: Phone[] = []

before(async () => {
  nats = await startPrivateNats()
  folder = await mkdtemp(join(tmpdir(), 'tandem-takeover-'))
  itsp = await startItsp({ name: 'Carrier A' })
  ports = { inside: await steadyPort(), carrier: await steadyPort() }
  console = await nats.bus('console')
  const routing = await nats.bus('routing')
  routing.answer(ResolveRoute, ({ dialled }) => plan([toTrunk('itsp-a', dialled.slice(1))], { dialled }))
  const billing = await nats.bus('billing')
  billing.hear(CallEnded, (record) => void records.push(record as LegRecord))
  await Promise.all([routing.flush(), billing.flush()])
  const document: ConfigurationDocument = {
    ...testConfiguration(),
    edge: {
      listen: {
        inside: { url: `udp://127.0.0.1:${ports.inside}`, digest: ['md5'] },
        carrier: { url: `udp://127.0.0.1:${ports.carrier}` },
      },
      media: { relay: 'embedded', address: '127.0.0.1', ports: somePorts() },
      cluster: { secret: { env: 'CLUSTER_SECRET' } },
    },
    routes: [{ name: 'all', match: '^\\+', usages: ['national'], trunks: ['itsp-a'] }],
    trunks: {
      'itsp-a': { to: [itsp.uri], from: [`127.0.0.1:${itsp.port}`], listener: 'carrier', emergency: true },
    },
  }
  edges = await edgeProcesses({ nats, console, folder, document })
})
after(async () => {
  await Promise.all(phones.map((phone) => phone.close()))
  await edges?.close()
  await itsp?.close()
  await nats?.close()
  await rm(folder, { recursive: true, force: true })
})

async function phoneAt(name: string, address: string, password: string): Promise<Phone> {
  const server = `udp://${address}:${ports.inside}`
  const phone = await startPhone({ name, server, password, domain: 'acme.example' })
  phones.push(phone)
  await phone.register()
  return phone
}

type Talk = readonly [near: CallHandle, far: CallHandle]

async function talk(phone: Phone, number: string): Promise<Talk> {
  const call = await phone.call(`9${number}`)
  const invite = await itsp.nextInvite((i) => i.number === number, WITHIN)
  await call.answered
  await until('the carrier has the call', async () => invite.call !== undefined)
  const far = invite.call as CallHandle
  await hearing([call, far])
  return [call, far]
}

/** Both hear the other in what comes from now on. */
async function hearing([near, far]: Talk): Promise<void> {
  const [here, there] = [near.audio.packetsReceived, far.audio.packetsReceived]
  await until(
    'packets both ways',
    async () => near.audio.packetsReceived > here + 60 && far.audio.packetsReceived > there + 60,
  )
  await Promise.all([near.audio.hears(far.audio.tone, WITHIN), far.audio.hears(near.audio.tone, WITHIN)])
}

const legsOf = ([near, far]: Talk): LegRecord[] =>
  records.filter((r) => r.sipCallId === near.callId || r.sipCallId === far.callId)

async function keys(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of (await (await nats.bus('edge-proxy')).bucket(CALLS_BUCKET)).list()) found.push(key)
  return found
}

test('an edge that is killed: the other goes on with its calls, and so does its own next life when it is alone', async () => {
  const survivor = await edges.start('edge-a', A)
  const doomed = await edges.start('edge-b', B)
  const alice = await phoneAt('alice', B, PASSWORDS.ALICE_PASSWORD)
  const one = await talk(alice, '2065550101')
  const two = await talk(alice, '2065550102')
  await until('both are written down', async () => (await keys()).length === 2)
  assert.deepEqual(await edges.calls(), { 'edge-a': 0, 'edge-b': 2 })

  await edges.end(doomed, 'SIGKILL')
  await until('the other edge has both', async () => (await edges.calls())['edge-a'] === 2)
  await hearing(one)
  await hearing(two)
  assert.ok(one[0].audio.from?.startsWith(`${A}:`) && one[1].audio.from?.startsWith(`${A}:`))

  // its next life finds nothing that is its own
  const again = await edges.start('edge-b', B)
  assert.equal(await two[0].hold(), 200)
  await until('the carrier is held', async () => two[1].held)
  assert.equal(await two[0].resume(), 200)
  await one[0].hangUp()
  assert.deepEqual(await one[1].ended, { by: 'peer', why: 'hung-up' })
  await until('two records', async () => legsOf(one).length === 2)
  assert.deepEqual(await edges.calls(), { 'edge-a': 1, 'edge-b': 0 })

  // the edge that has it now is killed, too, while the other is not there: its own next life has it
  await edges.end(again, 'SIGTERM')
  await edges.end(survivor, 'SIGKILL')
  const next = await edges.start('edge-a', A)
  await until('the next life has the call', async () => (await edges.calls())['edge-a'] === 1)
  await hearing(two)
  await two[1].hangUp()
  assert.deepEqual(await two[0].ended, { by: 'peer', why: 'hung-up' })
  await until('two records', async () => legsOf(two).length === 2)
  for (const record of [...legsOf(one), ...legsOf(two)]) {
    assert.equal(record.estimated, false)
    assert.ok(record.media && record.media.received.packets > 60, 'its packets are counted')
  }
  assert.deepEqual([legsOf(one)[0]?.takeovers, legsOf(two)[0]?.takeovers], [1, 2])
  assert.deepEqual([legsOf(one)[0]?.endedBy, legsOf(two)[0]?.endedBy], ['caller', 'callee'])
  await until('nothing is left in the bucket', async () => (await keys()).length === 0)
  await edges.end(next, 'SIGKILL')
})

test('a peer that is gone when its edge is: the leg ends where it was proven last, and says that it is estimated', async () => {
  const doomed = await edges.start('edge-b', B)
  const bob = await phoneAt('bob', B, PASSWORDS.BOB_PASSWORD)
  const [near, far] = await talk(bob, '2065550103')
  await until('it is written down', async () => (await keys()).length === 1)
  await edges.end(doomed, 'SIGKILL')
  // both hang up at an edge that is not there: their BYEs are lost
  void near.hangUp()
  void far.hangUp()
  const survivor = await edges.start('edge-a', A)
  await until('both legs are recorded', async () => legsOf([near, far]).length === 2)
  for (const record of legsOf([near, far])) {
    assert.equal(record.estimated, true)
    // this edge has never heard the other: what was written down is all that is proven
    assert.ok(record.durationMs > 0 && record.durationMs < 2000, `${record.durationMs} ms`)
  }
  await edges.end(survivor, 'SIGKILL')
})

test('an edge that stops hands its calls over; they are transferred like any other', async () => {
  const leaving = await edges.start('edge-b', B)
  const survivor = await edges.start('edge-a', A)
  const bob = await phoneAt('bob', B, PASSWORDS.BOB_PASSWORD)
  const [blind, first, second] = await Promise.all([
    talk(bob, '2065550104'),
    talk(bob, '2065550105'),
    talk(bob, '2065550106'),
  ])
  const all = [blind, first, second]
  const help = await bob.call('911')
  const psap = (await itsp.nextInvite((i) => i.number === '911' && i.call !== undefined, WITHIN)).call as CallHandle
  await help.answered
  await until('the edges know each other', async () => Object.keys(await edges.calls()).length === 2)
  const stopped = edges.end(leaving, 'SIGTERM')
  await until('the other has them', async () => (await edges.calls())['edge-a'] === 4)
  await stopped
  await Promise.all(all.map(hearing))
  assert.equal((await blind[0].transfer('sip:92065550107@acme.example')).status, 202)
  assert.equal(await blind[0].transferred(WITHIN), 200)
  const there = (await itsp.nextInvite((i) => i.number === '2065550107' && i.call !== undefined, WITHIN)).call
  await hearing([there as CallHandle, blind[1]])
  // a target that is busy leaves the call as it was
  itsp.setPhone('2065550108', 'busy')
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
  const next = await itsp.nextInvite((i) => i.number === '+12065550911' && i.call !== undefined, WITHIN)
  assert.equal(help.state, 'established')
  await help.hangUp()
  await Promise.all([psap.ended, next.call?.ended])
  await blind[1].hangUp()
  await first[1].hangUp()
  assert.deepEqual(await second[1].ended, { by: 'peer', why: 'hung-up' })
  await until('two records a call', async () => all.every((talking) => legsOf(talking).length === 2))
  const legs = all.flatMap(legsOf)
  assert.equal(new Set(legs.map((r) => r.legId)).size, 6, 'each leg has one')
  assert.deepEqual([...new Set(legs.map((r) => r.estimated))], [false])
  assert.equal(legs.filter((r) => r.reason === 'transferred').length, 3)
  await until('nothing is left in the bucket', async () => (await keys()).length === 0)
  await edges.end(survivor, 'SIGKILL')
})
