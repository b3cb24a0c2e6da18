import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Body } from '@tandem/contracts/contract.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import { SecurityRefused } from '@tandem/contracts/security.ts'
import { rawPeer, registerUser, requestOf, withCredentials } from './raw-peer.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge } from './start-edge.ts'

let edge: TestEdge
const bound: Body<typeof RegistrationBound>[] = []
const removed: Body<typeof RegistrationRemoved>[] = []
const refused: Body<typeof SecurityRefused>[] = []
const alice = { user: 'alice', password: PASSWORDS.ALICE_PASSWORD }

before(async () => {
  edge = await startEdgeForTest()
  const console = await edge.nats.bus('console')
  console.hear(RegistrationBound, (b) => void bound.push(b))
  console.hear(RegistrationRemoved, (b) => void removed.push(b))
  console.hear(SecurityRefused, (b) => void refused.push(b))
  await console.flush()
})
after(() => edge.close())

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 750 && !holds(); i++) await new Promise((done) => setTimeout(done, 20))
  assert.ok(holds())
}

for (const algorithm of ['MD5', 'SHA-256']) {
  test(`a phone registers with ${algorithm} and its binding is told`, async () => {
    const phone = await rawPeer('UDP', { port: edge.port('inside') })
    const answer = await registerUser(phone, alice.user, alice.password, { algorithm })
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('contact') ?? '', new RegExp(`:${phone.port}>;expires=300`))
    const [binding] = edge.core.edge.bindings.of('alice')
    assert.equal(binding?.source, `127.0.0.1:${phone.port}`)
    assert.equal(binding?.wire()?.remotePort, phone.port)
    assert.equal(binding?.site, 'hq')
    await eventually(() => bound.some((b) => b.user === 'alice' && b.contact.includes(String(phone.port))))
    const gone = await registerUser(phone, alice.user, alice.password, { headers: [['Expires', '0']] })
    assert.equal(gone.status, 200)
    assert.equal(gone.headers.get('contact'), undefined)
    assert.equal(edge.core.edge.bindings.of('alice').length, 0)
    await eventually(() => removed.some((b) => b.contact.includes(String(phone.port)) && b.why === 'unregistered'))
    phone.close()
  })
}

test('both algorithms are offered, each in a field of its own, in the order of the listener', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const answer = await phone.ask(requestOf(phone, 'REGISTER'))
  assert.equal(answer.status, 401)
  const offered = answer.headers.getAll('www-authenticate').map((c) => /algorithm=([\w-]+)/.exec(c)?.[1])
  assert.deepEqual(offered, ['MD5', 'SHA-256'])
  phone.close()
})

test('a wrong password is challenged again, and told as a security fact', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const answer = await registerUser(phone, 'alice', 'guess')
  assert.equal(answer.status, 401)
  assert.equal(edge.core.edge.bindings.of('alice').length, 0)
  await eventually(() => refused.some((r) => r.why === 'wrong password' && r.source.endsWith(`:${phone.port}`)))
  phone.close()
})

test('a replayed Authorization gets 401 with stale=true, and the next count passes', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const request = requestOf(phone, 'REGISTER')
  const challenge = await phone.ask(request)
  const good = withCredentials(request, challenge, alice)
  assert.equal((await phone.ask(good)).status, 200)
  const replay = withCredentials(request, challenge, alice, { cseq: 3 })
  const answer = await phone.ask(replay)
  assert.equal(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate') ?? '', /stale=true/)
  assert.equal((await phone.ask(withCredentials(request, challenge, alice, { cseq: 4, nc: 2 }))).status, 200)
  assert.equal((await registerUser(phone, 'alice', alice.password, { headers: [['Expires', '0']] })).status, 200)
  phone.close()
})

test('a user may not register another one', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const request = requestOf(phone, 'REGISTER', { user: 'bob' })
  const challenge = await phone.ask(request)
  assert.equal((await phone.ask(withCredentials(request, challenge, alice))).status, 403)
  phone.close()
})

test('an unknown user learns nothing', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  assert.equal((await registerUser(phone, 'mallory', 'x')).status, 401)
  phone.close()
})

test('a phone behind a NAT is answered where it really is, and reached there', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const request = requestOf(phone, 'REGISTER', { contact: '<sip:alice@192.168.1.20:5060>' })
  const via = (n: number) => `SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKnat${phone.port}${n};rport`
  const challenge = await phone.ask(request, { via: via(1) })
  assert.match(challenge.headers.get('via') ?? '', new RegExp(`rport=${phone.port};?.*received=127\\.0\\.0\\.1`))
  const answer = await phone.ask(withCredentials(request, challenge, alice), { via: via(2) })
  assert.equal(answer.status, 200)
  const [binding] = edge.core.edge.bindings.of('alice')
  assert.equal(binding?.contact.uriText, 'sip:alice@192.168.1.20:5060')
  assert.equal(binding?.wire()?.remotePort, phone.port)
  await registerUser(phone, 'alice', alice.password, { headers: [['Expires', '0']], contact: '*' })
  assert.equal(edge.core.edge.bindings.of('alice').length, 0)
  phone.close()
})

test('too short an interval gets 423 with Min-Expires', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const answer = await registerUser(phone, 'alice', alice.password, { headers: [['Expires', '10']] })
  assert.equal(answer.status, 423)
  assert.equal(answer.headers.get('min-expires'), '60')
  phone.close()
})

test('an INVITE over the flow that registered needs no password, from another one it does', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const stranger = await rawPeer('UDP', { port: edge.port('inside') })
  await registerUser(phone, 'alice', alice.password)
  const invite = (peer: typeof phone) => requestOf(peer, 'INVITE', { uri: 'sip:1002@acme.example' })
  // 501: the calls of this test edge are not there; the door is
  assert.equal((await phone.ask(invite(phone))).status, 501)
  const challenge = await stranger.ask(invite(stranger))
  assert.equal(challenge.status, 407)
  const again = withCredentials(invite(stranger), challenge, alice)
  assert.equal((await stranger.ask(again)).status, 501)
  await registerUser(phone, 'alice', alice.password, { headers: [['Expires', '0']] })
  assert.equal((await phone.ask(invite(phone))).status, 407)
  phone.close()
  stranger.close()
})

test('nobody who dials an emergency number from a site is asked for a password', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  for (const dialled of ['911', '9911', '933']) {
    assert.equal((await phone.ask(requestOf(phone, 'INVITE', { uri: `sip:${dialled}@acme.example` }))).status, 501)
  }
  const urn = requestOf(phone, 'INVITE', { uri: 'urn:service:sos' })
  assert.equal((await phone.ask(urn)).status, 501)
  const outside = await rawPeer('UDP', { port: edge.port('inside') }, { from: '127.0.0.9' })
  assert.equal((await outside.ask(requestOf(outside, 'INVITE', { uri: 'sip:911@acme.example' }))).status, 407)
  phone.close()
  outside.close()
})
