/** Whole calls that go on to the next address or trunk (edge.md E5, RFC 3263 4.3): ICMP, 503, silence; REGISTER too. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { type CallEdge, plan, startCallEdge, toTrunk } from './call-edge.ts'
import { type CarrierSide, carrierSide, eventually, ok, registrar } from './carrier-side.ts'
import { startNameServer, type TestNames } from './dns-server.ts'
import { bodyOf, HandCallee, HandCaller, sdp } from './hand-call.ts'
import { pause } from './hand-house.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

/** Longer than a hand waits: what comes in its time came by no timer. */
const NO_TIMER_MS = 25_000

let names: TestNames
let house: CallEdge
let near: RawPeer
let first: RawPeer
let second: RawPeer

before(async () => {
  names = await startNameServer()
  const dead = await steadyPort()
  const [callerPort, firstPort, secondPort] = [await steadyPort(), await steadyPort(), await steadyPort()]
  srv('half', [dead, '127.0.0.81'], [secondPort, '127.0.0.83'])
  srv('both', [firstPort, '127.0.0.82'], [secondPort, '127.0.0.83'])
  const trunk = (to: string, from: string[]) => ({ to: [to], from, listener: 'carrier', options: { interval: '1h' } })
  house = await startCallEdge({
    edge: { dns: [names.server] },
    trunks: {
      caller: trunk(`sip:127.0.0.1:${callerPort}`, [`127.0.0.1:${callerPort}`]),
      dead: trunk(`sip:127.0.0.84:${dead}`, ['127.0.0.84']),
      half: trunk('sip:half.example', ['127.0.0.81']),
      both: trunk('sip:both.example', ['127.0.0.82', '127.0.0.83']),
    },
    document: {
      emergency: { numbers: ['911'], trunks: ['dead', 'both'], timers: { noResponse: '25s', tryingOnly: '25s' } },
    },
  })
  const edge = { port: house.edge.port('carrier') }
  near = await rawPeer('UDP', edge, { port: callerPort })
  first = await rawPeer('UDP', edge, { from: '127.0.0.82', port: firstPort })
  second = await rawPeer('UDP', edge, { from: '127.0.0.83', port: secondPort })
  for (const peer of [first, second]) answerOptions(peer)
})
after(async () => {
  await house?.close()
  for (const peer of [near, first, second]) peer?.close()
  names?.close()
})

/** `NAME.example` is a name with an SRV record for each address, tried in that order. */
function srv(name: string, ...addresses: [port: number, address: string][]): void {
  const owner = `_sip._udp.${name}.example`
  const host = (i: number) => `h${i}.${name}.example`
  names.zone.set(
    `SRV ${owner}`,
    addresses.map(([port], i) => ({
      type: 'SRV',
      name: owner,
      ttl: 60,
      data: { priority: i + 1, weight: 0, port, target: host(i) },
    })),
  )
  for (const [i, [, address]] of addresses.entries())
    names.zone.set(`A ${host(i)}`, [{ type: 'A', name: host(i), ttl: 60, data: address }])
}

function answerOptions(peer: RawPeer): void {
  peer
    .next((m) => m.kind === 'request' && m.method === 'OPTIONS', 120_000)
    .then(
      (m) => {
        peer.reply(m as SipRequest, 200)
        answerOptions(peer)
      },
      () => {},
    )
}

let numbers = 12_065_550_700

/** Dials over these trunks; `call.callee` takes the INVITE at one of the hands. */
function dial(trunks: readonly string[], noResponseMs = NO_TIMER_MS) {
  const number = String(++numbers)
  house.route(() => plan(trunks.map((trunk) => toTrunk(trunk, number, { noResponseMs, onlyTryingMs: NO_TIMER_MS }))))
  const started = performance.now()
  const caller = new HandCaller(near, number, house.edge.port('carrier'), { body: sdp(40_000) })
  return { caller, at: (peer: RawPeer) => HandCallee.take(peer, number), ms: () => performance.now() - started }
}

async function talk(caller: HandCaller, callee: HandCallee): Promise<void> {
  callee.says(200, 'z', { body: sdp(40_002) })
  await callee.asked('ACK', 'z')
  const answer = await caller.hears(200)
  assert.match(bodyOf(answer), /^m=audio/m)
  caller.ack(answer)
  const hung = caller.hangUp()
  callee.reply(await callee.asked('BYE', 'z'), 200)
  await hung
}

test('nobody listens at the first address of a trunk (ICMP): the call stands over the next one at once', async (t) => {
  const { caller, at, ms } = dial(['half'])
  const callee = await at(second)
  t.diagnostic(`the INVITE is at the second address after ${ms().toFixed(0)} ms`)
  await talk(caller, callee)
  const failed = (await house.ended(3)).find((r) => r.sipStatus === 503)
  assert.equal(failed?.setupMs, undefined)
})

test('nobody listens at any address of a trunk: the next trunk has the call at once', async (t) => {
  const { caller, at, ms } = dial(['dead', 'both'])
  const callee = await at(first)
  t.diagnostic(`the INVITE is at the second trunk after ${ms().toFixed(0)} ms`)
  await talk(caller, callee)
})

test('a call for help: the next rung at once, too, while the first one is asked on', async (t) => {
  house.route(() => undefined)
  const started = performance.now()
  const call = await house.alice.call('911')
  const callee = await HandCallee.take(first, '911')
  t.diagnostic(`the INVITE is at the second rung after ${(performance.now() - started).toFixed(0)} ms`)
  callee.says(200, 'z', { body: sdp(40_002) })
  await callee.asked('ACK', 'z')
  await call.answered
  const hung = call.hangUp()
  callee.reply(await callee.asked('BYE', 'z'), 200)
  await hung
})

test('RFC 3263 4.3: 503 at the first address: the next one has the call', async () => {
  const { caller, at } = dial(['both'])
  const refusing = await at(first)
  refusing.says(503, 'y')
  await talk(caller, await at(second))
})

test('silence at the first address: the next one has the call after the time of the trunk', async () => {
  const { caller, at } = dial(['both'], 300)
  await at(first)
  await talk(caller, await at(second))
})

test('any other word is the carrier itself speaking: no other address is asked', async () => {
  const { caller, at } = dial(['both'])
  const refusing = await at(first)
  refusing.says(404, 'y')
  caller.ack(await caller.hears(404))
  assert.equal(
    second.received.some((m) => m.kind === 'request' && m.method === 'INVITE'),
    false,
  )
})

test('RFC 3263 4.3: a registrar that answers 503, or nothing, at its first SRV address is asked at the next, and calls follow', async () => {
  const busy = await carrierSide((got) => got.reply(got.request.method === 'REGISTER' ? 503 : 200), '127.0.0.85')
  const silent = await carrierSide(() => {}, '127.0.0.86')
  const taking: CarrierSide[] = []
  for (const address of ['127.0.0.87', '127.0.0.88'])
    taking.push(await carrierSide(registrar({ password: PASSWORDS.ITSP_PASSWORD }), address))
  const [one, two] = taking as [CarrierSide, CarrierSide]
  srv('overloaded', [busy.port, busy.address], [one.port, one.address])
  srv('silent', [silent.port, silent.address], [two.port, two.address])
  const base = testConfiguration()
  const trunk = (name: string) => ({
    to: [`sip:${name}.example`],
    listener: 'carrier',
    register: { registrar: `sip:${name}.example`, user: 'acme', password: { env: 'ITSP_PASSWORD' } },
  })
  const lab: TestEdge = await startEdgeForTest({
    document: {
      ...base,
      edge: { ...base.edge, dns: [names.server] },
      trunks: { overloaded: trunk('overloaded'), silent: trunk('silent') },
    },
  })
  for (const [name, side] of [
    ['overloaded', one],
    ['silent', two],
  ] as const) {
    await eventually(`${name} registered`, () =>
      side.of('REGISTER').some((g) => g.request.headers.has('authorization')),
    )
    // until the answer is here calls have the order of the records; then the flow that is registered
    let address: string | undefined
    for (let i = 0; i < 500 && address !== side.address; i++) {
      address = (await lab.core.edge.trunks.paths(name, 'one'))[0]?.wire.remoteAddress
      await pause(20)
    }
    assert.equal(address, side.address)
  }
  assert.equal(busy.of('REGISTER').length, 1)
  busy.serve = ok
  await lab.close()
  for (const side of [busy, silent, ...taking]) side.close()
})

test('after all that nothing is left', async () => {
  await eventually('no call', () => house.calls.status().calls === 0 && house.calls.status().legs === 0)
})
