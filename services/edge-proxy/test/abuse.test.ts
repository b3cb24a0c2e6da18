import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SecurityRefused } from '@tandem/contracts/security.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { createAbuseGuard, isScanner, STRANGER, STRIKES } from '../src/domain/abuse-guard.ts'
import type { Calls, Peer } from '../src/edge.ts'
import { isResponse, type RawPeer, rawPeer, registerUser, requestOf } from './raw-peer.ts'
import { noCalls, PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let edge: TestEdge
const facts: { source: string; why: string }[] = []
const peers: Peer[] = []
const open: RawPeer[] = []

const calls = (): Calls => ({
  ...noCalls(),
  onInvite(transaction, _wire, peer) {
    peers.push(peer)
    transaction.reply(486)
  },
})

before(async () => {
  nats = await startPrivateNats()
  const console = await nats.bus('console')
  console.hear(SecurityRefused, (b) => void facts.push(b))
  await console.flush()
  edge = await startEdgeForTest({
    nats,
    createCalls: calls,
    document: testConfiguration({
      trunks: { 'itsp-a': { to: ['sip:127.0.0.1:9'], from: ['127.0.0.77'], listener: 'carrier', emergency: true } },
    }),
  })
})
after(async () => {
  for (const peer of open) peer.close()
  await edge.close()
  await nats.close()
})

async function peerAt(from: string, listener = 'inside'): Promise<RawPeer> {
  const peer = await rawPeer('UDP', { port: edge.port(listener) }, { from })
  open.push(peer)
  return peer
}

let branches = 0
function post(peer: RawPeer, method: string, parts: Parameters<typeof requestOf>[2] = {}): void {
  const request = requestOf(peer, method, parts)
  request.headers.prepend('Via', `SIP/2.0/UDP ${peer.address}:${peer.port};branch=z9hG4bKp${++branches};rport`)
  peer.send(writeMessage(request))
}

async function posts(peer: RawPeer, count: number, method: string, parts: Parameters<typeof requestOf>[2] = {}) {
  for (let i = 0; i < count; i++) {
    post(peer, method, parts)
    if (i % 50 === 49) await pause(5)
  }
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))
const answers = (peer: RawPeer) => peer.received.filter(isResponse).length
const alice = { user: 'alice', uri: 'sip:911@acme.example' }

async function isSilentTo(peer: RawPeer, method = 'OPTIONS'): Promise<void> {
  post(peer, method)
  await assert.rejects(peer.next(isResponse, 400), /nothing came/)
}

test('a flood from one address gets a bounded number of answers and disturbs neither a registered phone nor a trunk', async () => {
  const phone = await peerAt('127.0.0.60')
  assert.equal((await registerUser(phone, 'bob', PASSWORDS.BOB_PASSWORD)).status, 200)
  const trunk = await peerAt('127.0.0.77', 'carrier')
  const flooder = await peerAt('127.0.0.60')
  const started = performance.now()
  await posts(flooder, 1500, 'REGISTER', { user: 'bob' })
  const call = phone.ask(requestOf(phone, 'INVITE', { user: 'bob', uri: 'sip:1001@acme.example' }))
  const incoming = trunk.ask(requestOf(trunk, 'INVITE', { uri: 'sip:+14255551001@127.0.0.1' }))
  await posts(flooder, 500, 'REGISTER', { user: 'bob' })
  assert.equal((await call).status, 486)
  assert.equal((await incoming).status, 486)
  await pause(100)
  const seconds = (performance.now() - started) / 1000
  const got = answers(flooder)
  assert.ok(got >= 50 && got <= STRANGER.burst + STRANGER.perSecond * (seconds + 1), `${got} answers in ${seconds} s`)
  assert.ok(edge.core.dropped() > 1000)
})

test('a carrier with 200 INVITE a second is never banned, whatever it sends', async () => {
  const carrier = await peerAt('127.0.0.77', 'carrier')
  const ids = new Set<string>()
  for (let i = 0; i < 400; i++) {
    const callId = `fast-${i}`
    ids.add(callId)
    post(carrier, 'INVITE', { callId, uri: 'sip:+14255559999@127.0.0.1', headers: [['User-Agent', 'sipcli/1.8']] })
    if (i % 10 === 9) await pause(50)
  }
  for (let i = 0; i < 750 && !all(); i++) await pause(20)
  assert.ok(all(), 'every INVITE got its answer')
  assert.ok(peers.slice(-100).every((p) => p.kind === 'trunk'))

  function all(): boolean {
    const said = new Set(carrier.received.filter(isResponse).map((r) => r.headers.get('call-id') ?? ''))
    return [...ids].every((id) => said.has(id))
  }
})

test('a scanner gets no answer, nor does anybody at its address but a registered phone', async () => {
  const phone = await peerAt('127.0.0.62')
  await registerUser(phone, 'alice', PASSWORDS.ALICE_PASSWORD)
  const scanner = await peerAt('127.0.0.62')
  post(scanner, 'OPTIONS', { headers: [['User-Agent', 'friendly-scanner']] })
  await assert.rejects(scanner.next(isResponse, 400), /nothing came/)
  await isSilentTo(await peerAt('127.0.0.62'))
  const connection = await rawPeer('TCP', { port: edge.port('inside-tcp') }, { from: '127.0.0.62' })
  await connection.closed
  assert.equal((await phone.ask(requestOf(phone, 'INVITE', { uri: 'sip:1002@acme.example' }))).status, 486)
  assert.ok(facts.some((f) => f.source.startsWith('127.0.0.62:') && /^banned for 60 s: scanner/.test(f.why)))
})

test('who tries one unknown extension after the other is shut out', async () => {
  const prober = await peerAt('127.0.0.63')
  for (let i = 0; i < STRIKES + 5; i++) post(prober, 'REGISTER', { user: `${2000 + i}` })
  await pause(200)
  assert.ok(answers(prober) <= STRIKES)
  await isSilentTo(await peerAt('127.0.0.63'))
})

test('who guesses passwords is shut out, and security facts are told once a minute', async () => {
  const guesser = await peerAt('127.0.0.64')
  for (let i = 0; i < STRIKES; i++) {
    await registerUser(guesser, 'alice', `guess-${i}`).catch(() => {})
    if (i === STRIKES - 3) assert.equal(facts.filter((f) => f.source.startsWith('127.0.0.64:')).length, 1)
  }
  await isSilentTo(await peerAt('127.0.0.64'))
  const told = facts.filter((f) => f.source.startsWith('127.0.0.64:')).map((f) => f.why)
  assert.deepEqual(told, ['wrong password', 'banned for 60 s: wrong password'])
})

test('a call for help from a site is answered in the middle of a flood from the same address', async () => {
  const flooder = await peerAt('127.0.0.1')
  await posts(flooder, 4000, 'REGISTER', { user: 'alice', headers: [['User-Agent', 'sipvicious']] })
  const dropped = edge.core.dropped()
  await posts(flooder, 50, 'REGISTER', { user: 'alice' })
  const victim = await peerAt('127.0.0.1')
  assert.equal((await victim.ask(requestOf(victim, 'INVITE', alice))).status, 486)
  assert.deepEqual(peers.at(-1), { kind: 'unknown', site: 'hq' })
  assert.ok(edge.core.dropped() > dropped, 'the flood was being dropped')
})

test('bans grow, strikes are forgiven, and the table is bounded', () => {
  const guard = createAbuseGuard(3)
  const ban = (now: number) => {
    for (let i = 0; i < STRIKES; i++) {
      const ms = guard.strike('192.0.2.1', 1, now)
      if (ms !== undefined) return ms
    }
    return undefined
  }
  assert.equal(ban(0), 60_000)
  assert.ok(guard.banned('192.0.2.1', 59_999) && !guard.banned('192.0.2.1', 60_000))
  assert.equal(ban(60_000), 240_000)
  assert.equal(ban(400_000), 960_000)
  assert.equal(ban(1_000_000_000), 60_000, 'forgotten after a day')
  for (let i = 0; i < 100; i++) assert.equal(guard.strike('192.0.2.2', 1, i * 31_000), undefined, 'an old password')
  assert.equal(guard.strike('2001:db8::1', Number.POSITIVE_INFINITY, 0), 60_000)
  assert.ok(guard.banned('2001:db8:0:0:ffff::2', 1), 'one /64 is one source')
  assert.ok(!guard.banned('2001:db8:0:1::2', 1))
  for (let i = 0; i < 100; i++) guard.admits(`198.51.100.${i}`, STRANGER, 0)
  assert.equal(guard.size, 3)
  assert.ok(
    isScanner('friendly-scanner') && isScanner('SIPVicious 0.3') && !isScanner('Yealink T46') && !isScanner(undefined),
  )
})
