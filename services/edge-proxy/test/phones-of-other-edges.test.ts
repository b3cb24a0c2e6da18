/** Two edge processes: a phone that registered at one is rung by a call that comes in at the other (docs/adr/0120). */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Bucket } from '@tandem/bus/bucket.ts'
import { CallEnded, type LegRecord } from '@tandem/contracts/call.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import { BINDINGS_BUCKET, type HeldBinding } from '@tandem/contracts/held-binding.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import type { SipMessage } from '@tandem/sip/message/message.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import { type Itsp, startItsp } from '@tandem/testing/itsp.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type Phone, startPhone } from '@tandem/testing/phone.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { plan, somePorts, toUser } from './call-edge.ts'
import { type EdgeProcesses, edgeProcesses, until, WITHIN } from './edge-processes.ts'
import { PASSWORDS, testConfiguration } from './start-edge.ts'

const A = '127.0.0.1'
const B = '127.0.0.3'
/** In no site's network. */
const OUTSIDE = '127.0.0.2'

let nats: PrivateNats
let folder: string
let itsp: Itsp
let edges: EdgeProcesses
let ports: { inside: number; tls: number; carrier: number }
let a: ChildProcess
const bound: Body<typeof RegistrationBound>[] = []
const removed: Body<typeof RegistrationRemoved>[] = []
const records: LegRecord[] = []
const phones: Phone[] = []
let questions = 0
let held: Bucket

before(async () => {
  nats = await startPrivateNats()
  folder = await mkdtemp(join(tmpdir(), 'tandem-phones-'))
  const media = somePorts()
  ports = { inside: await portBeside(media), tls: await portBeside(media), carrier: await portBeside(media) }
  itsp = await startItsp({ name: 'Carrier A', target: `udp://${B}:${ports.carrier}` })
  const console = await nats.bus('console')
  console.hear(RegistrationBound, (b) => void bound.push(b))
  console.hear(RegistrationRemoved, (b) => void removed.push(b))
  const routing = await nats.bus('routing')
  routing.answer(ResolveRoute, ({ dialled }) => {
    questions++
    return plan([toUser(dialled.endsWith('1002') ? 'bob' : 'alice')], { dialled })
  })
  const billing = await nats.bus('billing')
  billing.hear(CallEnded, (record) => void records.push(record as LegRecord))
  await Promise.all([routing.flush(), billing.flush(), console.flush()])
  held = await (await nats.bus('edge-proxy')).bucket(BINDINGS_BUCKET)
  const pair = await (await makeAuthority(folder, 'ca')).issue('edge', 'DNS:acme.example')
  edges = await edgeProcesses({
    ...{ nats, console, folder },
    document: {
      ...testConfiguration(),
      edge: {
        listen: {
          inside: { url: `udp://127.0.0.1:${ports.inside}`, digest: ['md5'] },
          'inside-tcp': { url: `tcp://127.0.0.1:${ports.inside}`, digest: ['md5'] },
          remote: { url: `tls://127.0.0.1:${ports.tls}`, ...pair },
          carrier: { url: `udp://127.0.0.1:${ports.carrier}` },
        },
        media: { relay: 'embedded', address: '127.0.0.1', ports: media },
        cluster: { secret: { env: 'CLUSTER_SECRET' } },
      },
      routes: [{ name: 'all', match: '^\\+', usages: ['national'], trunks: ['itsp-a'] }],
      trunks: {
        'itsp-a': { to: [itsp.uri], from: [`127.0.0.1:${itsp.port}`], listener: 'carrier', emergency: true },
      },
    },
  })
  a = await edges.start('edge-a', A)
  await edges.start('edge-b', B)
})
after(async () => {
  await Promise.all(phones.map((phone) => phone.close()))
  await edges?.close()
  await itsp?.close()
  await nats?.close()
  await rm(folder, { recursive: true, force: true })
})

/** A listener's port lies outside the relay's. */
async function portBeside(media: string): Promise<number> {
  const [first = 0, last = 0] = media.split('-').map(Number)
  const port = await steadyPort()
  return port < first || port > last ? port : await portBeside(media)
}

async function phoneAt(user: 'alice' | 'bob', server: string, bind: string, seen?: (m: SipMessage) => void) {
  const password = user === 'alice' ? PASSWORDS.ALICE_PASSWORD : PASSWORDS.BOB_PASSWORD
  const onMessage = seen ? { onMessage: seen } : {}
  const phone = await startPhone({ name: user, server, password, domain: 'acme.example', bind, ...onMessage })
  phones.push(phone)
  await phone.register()
  await until('the other edge can know', async () => (await heldAt(new URL(server).hostname, user)).length > 0)
  return phone
}

/** What the edge at this address has written for the others of a user. */
async function heldAt(address: string, user: string): Promise<HeldBinding[]> {
  const found: HeldBinding[] = []
  for await (const { value } of held.list()) found.push(JSON.parse(Buffer.from(value).toString()))
  const edge = address === A ? 'edge-a' : 'edge-b'
  return found.filter((b) => b.owner.edge === edge && b.user === user)
}

/** The PSTN calls in at edge B. */
async function rings(phone: Phone, number: string): Promise<{ far: CallHandle; near: CallHandle }> {
  const far = await itsp.call({ from: '+12065550100', to: number })
  const near = await phone.nextCall(WITHIN)
  await near.answer()
  await far.answered
  await Promise.all([near.audio.hears(far.audio.tone, WITHIN), far.audio.hears(near.audio.tone, WITHIN)])
  return { far, near }
}

const until2Records = async (call: CallHandle): Promise<readonly LegRecord[]> => {
  const id = () => records.find((r) => r.sipCallId === call.callId)?.callId
  const legs = () => records.filter((r) => r.callId === id())
  await until('two records', () => legs().length === 2)
  return legs()
}

test('a phone over TLS at A is rung by the PSTN at B: audio both ways, hold, and either side hangs up', async () => {
  const heard: SipMessage[] = []
  const bob = await phoneAt('bob', `tls://${A}:${ports.tls}`, OUTSIDE, (m) => heard.push(m))
  const asked = questions
  const one = await rings(bob, '+14255551002')
  assert.equal(questions, asked + 1, 'the router is asked once')
  await edges.callsAre({ 'edge-a': 0, 'edge-b': 1 })
  assert.ok(one.near.audio.from?.startsWith(`${B}:`), 'the audio does not go through A')
  const invite = heard.find((m) => m.kind === 'request' && m.method === 'INVITE')
  const text = invite === undefined ? B : Buffer.from(writeMessage(invite)).toString().split('\r\n\r\n', 1)[0]
  assert.ok(!text?.includes(B), `nothing tells the phone of the other edge: ${text}`)
  assert.equal(await one.near.hold(), 200)
  await until('the PSTN is held', () => one.far.held)
  assert.equal(await one.near.resume(), 200)
  await one.far.hangUp()
  assert.deepEqual(await one.near.ended, { by: 'peer', why: 'hung-up' })
  const two = await rings(bob, '+14255551002')
  await two.near.hangUp()
  assert.deepEqual(await two.far.ended, { by: 'peer', why: 'hung-up' })
  const legs = [...(await until2Records(one.far)), ...(await until2Records(two.far))]
  assert.deepEqual(
    legs.map((leg) => leg.endedBy),
    ['caller', 'caller', 'callee', 'callee'],
  )
  await edges.callsAre({ 'edge-a': 0, 'edge-b': 0 })
})

test('a call that rings through A is given up, declined, and not answered', async () => {
  const bob = phones[0] as Phone
  const given = await itsp.call({ from: '+12065550100', to: '+14255551002' })
  const ringing = await bob.nextCall(WITHIN)
  void given.hangUp()
  assert.equal((await ringing.ended).why, 'cancelled')
  const declined = await itsp.call({ from: '+12065550100', to: '+14255551002' })
  ;(await bob.nextCall(WITHIN)).reject(486)
  assert.equal((await declined.ended).status, 486)
})

test('kill -9 of A: a UDP phone without NAT is rung through B at once, one over TLS when it registers there', async () => {
  const alice = await phoneAt('alice', `udp://${A}:${ports.inside}`, A)
  const first = await rings(alice, '+14255551001')
  await first.far.hangUp()
  await edges.end(a, 'SIGKILL')
  const straight = await rings(alice, '+14255551001')
  await straight.near.hangUp()

  const bob = await phoneAt('bob', `tls://${B}:${ports.tls}`, OUTSIDE)
  const again = await rings(bob, '+14255551002')
  await again.far.hangUp()
  // the flow that went with A is told once, by the edge that is left; that of the phone which lives is not
  await until('one removed', () => removed.length > 0)
  const gone = bound.filter((b) => b.user === 'bob' && b.edge === 'edge-a').map((b) => b.bindingId)
  assert.deepEqual(
    removed.map((b) => [b.user, b.why, gone.includes(b.bindingId)]),
    [['bob', 'flow-failed', true]],
  )
})
