/**
 * An edge is lost under calls of every kind: with SRTP, past the edge, of phones over TLS, through another edge; and one
 * that lives, but is cut off from NATS (docs/adr/0150, 0151). There is no TCP for phones: edges reach each other over UDP.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import type { Phone } from '@tandem/testing/phone.ts'
import type { CallHandle } from '@tandem/testing/sip-call.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { type BrokenLine, startLine } from './broken-line.ts'
import { until, WITHIN } from './edge-processes.ts'
import { HandCaller, sdp } from './hand-call.ts'
import {
  decide,
  ERIN,
  ends,
  inTurn,
  killed,
  OUTSIDE,
  PASSWORD,
  PSTN,
  recorded,
  secureAnew,
  secureCall,
  secureEnds,
  USERS,
} from './lost-calls.ts'
import { type RawPeer, rawPeer, registerUser } from './raw-peer.ts'
import { PASSWORDS } from './start-edge.ts'
import { A, B, hearing, startTwoEdges, type Talk, type TwoEdges } from './two-edges.ts'

let folder: string
let house: TwoEdges
let line: BrokenLine

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-lost-'))
  const pair = await (await makeAuthority(folder, 'ca')).issue('edge', 'DNS:acme.example')
  house = await startTwoEdges({
    listen: ({ more }) => ({ remote: { url: `tls://127.0.0.1:${more}`, ...pair, digest: ['md5'] } }),
    document: {
      sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us-hq', mediaBypass: true } },
      users: USERS,
    },
    edge: { registration: { minimum: '1s' } },
    decide,
  })
  line = await startLine(house.nats.port)
  await house.edges.start('edge-a', A)
})
after(async () => {
  await house?.close()
  await line?.close()
  await rm(folder, { recursive: true, force: true })
})

const edgeB = () => house.edges.start('edge-b', B, `nats://127.0.0.1:${line.port}`)
const tls = (address: string) => `tls://${address}:${house.ports.more}`
const outside = (user: string, address: string) =>
  house.phoneAt(user, address, user === 'bob' ? PASSWORDS.BOB_PASSWORD : PASSWORD, {
    server: tls(address),
    bind: OUTSIDE,
  })

/** What a phone at home says of itself. */
const PRIVATE = '<sip:dave@192.168.1.7:5060>'
const behindNat = async (address: string): Promise<RawPeer> => {
  const peer = await rawPeer('UDP', { port: house.ports.inside, address }, { from: OUTSIDE })
  house.atClose.push(() => peer.close())
  assert.equal((await registerUser(peer, 'dave', PASSWORD, { contact: PRIVATE })).status, 200)
  return peer
}

/** The PSTN calls in at A, whose phone hangs on B. */
const callsIn = async (phone: Phone, number: string): Promise<Talk> => {
  const far = await house.itsp.call({ from: PSTN, to: number })
  const refused = far.ended.then(({ status }) => assert.fail(`${number} is not rung: ${status}`))
  const near = await Promise.race([phone.nextCall(WITHIN), refused])
  await near.answer()
  await far.answered
  await hearing([near, far])
  return [near, far]
}

const neighbours = async (caller: Phone, callee: Phone): Promise<Talk> => {
  const near = await caller.call('1004')
  const far = await callee.nextCall(WITHIN)
  await far.answer()
  await near.answered
  await hearing([near, far])
  return [near, far]
}

/** RFC 4568 10.1: what the bus keeps of calls tells nobody their keys. */
const keysStandSealed = async (calls: number): Promise<void> => {
  const sealed = async () => [...(await house.heldCalls()).values()].filter((held) => held.includes('"sealed:1:'))
  await until('calls with keys are written down', async () => (await sealed()).length === calls)
  for (const [id, held] of await house.heldCalls()) assert.doesNotMatch(held, /inline:/, id)
}

test('an edge is killed: calls with SRTP, past the edge and of phones over TLS go on at the other, and so do those that it passed on', {
  timeout: 120_000,
}, async () => {
  const doomed = await edgeB()
  // another phone of his at the same address, which knows nothing of his calls
  await outside('bob', A)
  const [bob, erin] = [await outside('bob', B), await outside('erin', B)]
  await until('A can know', async () => (await house.boundAt('edge-b')).includes('erin'))
  const [inside, dave] = [await house.phoneAt('alice', B, PASSWORD), await house.phoneAt('dave', B, PASSWORD)]
  const [encrypted, overTls, past, through] = await Promise.all([
    Promise.all([secureCall(house, '2065550161'), secureCall(house, '2065550162')]),
    Promise.all([house.talk(bob, '2065550163'), house.talk(bob, '2065550164')]),
    inTurn(() => neighbours(inside, dave)),
    inTurn(() => callsIn(erin, ERIN)),
  ])
  const direct = ([near, far]: Talk) => {
    for (const [here, there] of [
      [near, far],
      [far, near],
    ] as const)
      assert.equal(here.audio.from, `${there.audio.address}:${there.audio.port}`, 'not through an edge')
  }
  past.forEach(direct)
  const mapped = await behindNat(B)
  const natted = new HandCaller(mapped, '92065550165', house.ports.inside, {
    ...{ user: 'dave', contact: PRIVATE, body: sdp(40_000) },
  })
  natted.ack(await natted.hears(200))
  await house.edges.callsAre({ 'edge-a': 2, 'edge-b': 7 })
  // what erin is rung with offers her keys, too: she is on TLS
  await keysStandSealed(encrypted.length + through.length)

  await killed(house, doomed, 9)
  // his NAT lets nobody else in; at the other edge he comes from another port
  mapped.close()
  natted.peer = await behindNat(A)
  natted.reply(await natted.asked('INVITE'), 200, { body: sdp(40_000), headers: [['Contact', PRIVATE]] })
  await natted.asked('ACK')
  assert.equal((await natted.ask('BYE')).status, 200)
  await recorded(house, natted.invite.headers.get('call-id') ?? '', 'caller', 1)
  await Promise.all([...encrypted.map((talk) => secureAnew(talk, A)), ...[...past, ...through].map(hearing)])
  past.forEach(direct)

  // phones over TLS come back at the other edge, and are told at once
  for (const phone of [bob, erin]) await phone.moveTo(tls(A))
  const told = (call: CallHandle) => call.requests.some((r) => r.method === 'INVITE')
  // who asks for something in his call without a registration has come back as well
  assert.equal((await through[0][0].send('OPTIONS')).status, 200)
  await until('the phone is told', () => told(through[0][0]))
  const registered = performance.now()
  await Promise.all([bob.register(), erin.register()])
  for (const [near] of [...overTls, ...through]) await until('the phone is told', () => told(near))
  const ms = performance.now() - registered
  assert.ok(ms < whenBusy(3000), `told after ${Math.round(ms)} ms`)
  await Promise.all([...overTls, ...through].map(hearing))
  for (const [near] of [...overTls, ...through]) {
    assert.ok(near.audio.from?.startsWith(`${A}:`))
    assert.match(near.dialog?.remoteTarget ?? '', new RegExp(`@${A}:${house.ports.more};transport=tls$`))
  }

  await secureEnds(house, encrypted[0], 'caller')
  await secureEnds(house, encrypted[1], 'callee')
  for (const talks of [past, overTls]) {
    await ends(talks[0], 0)
    await recorded(house, talks[0][0].callId, 'caller', 1)
    await ends(talks[1], 1)
    await recorded(house, talks[1][0].callId, 'callee', 1)
  }
  // those were at A from the beginning
  await ends(through[0], 0)
  await recorded(house, through[0][0].callId, 'callee', 0)
  await ends(through[1], 1)
  await recorded(house, through[1][0].callId, 'caller', 0)
  await until('nothing is left in the bucket', async () => (await house.keys()).length === 0)
})

test('an edge that is cut off from NATS and lives keeps its calls; its phones are rung through it, and reach help', {
  timeout: 120_000,
}, async () => {
  await edgeB()
  const erin = await outside('erin', B)
  // what A hears of it is over before its call
  await erin.register({ expires: 2 })
  await until('A can know', async () => (await house.boundAt('edge-b')).includes('erin'))
  const dave = await house.phoneAt('dave', B, PASSWORD)
  const stays = await house.talk(dave, '2065550171')
  await until('it is written down', async () => (await house.keys()).length === 1)
  await line.cut()
  const leaseIsOver = sleep(3500)
  const help = await dave.call('911')
  const psap = await house.itsp.nextInvite((i) => i.number === '911' && i.call !== undefined, WITHIN)
  await help.answered
  await hearing([help, psap.call as CallHandle])
  await help.hangUp()
  const refused = await (await dave.call('92065550172')).ended
  assert.deepEqual([refused.why, refused.status], ['rejected', 503])

  await leaseIsOver
  // nobody has taken its call
  await house.edges.callsAre({ 'edge-a': 0 })
  const [rung] = await Promise.all([callsIn(erin, ERIN), hearing(stays)])
  assert.ok(stays[0].audio.from?.startsWith(`${B}:`))
  await ends(rung, 0)

  await line.mend()
  await until('it is back', async () => (await house.edges.calls())['edge-b'] === 1)
  await ends(stays, 1)
  await recorded(house, stays[0].callId, 'callee', 0)
  await recorded(house, help.callId, 'caller', 0)
})
