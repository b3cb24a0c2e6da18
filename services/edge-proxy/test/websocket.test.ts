import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { WebSocket } from 'ws'
import { openWebSocket } from '../src/adapters/websocket.ts'
import { type RawPeer, rawPeer, registerUser, requestOf } from './raw-peer.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let folder: string
let nats: PrivateNats
let edge: TestEdge

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-web-'))
  const pair = await (await makeAuthority(folder, 'ca')).issue('edge', 'DNS:acme.example,IP:127.0.0.1')
  nats = await startPrivateNats()
  const document = testConfiguration()
  const web = { web: { url: 'ws://127.0.0.1:0' }, browser: { url: 'wss://127.0.0.1:0', ...pair } }
  edge = await startEdgeForTest({
    nats,
    document: { ...document, edge: { ...document.edge, listen: { ...document.edge.listen, ...web } } },
  })
})
after(async () => {
  await edge?.close()
  await nats?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What a browser writes: it knows no address of its own. */
const host = `${randomBytes(6).toString('hex')}.invalid`
const via = (peer: RawPeer) => ({
  via: `SIP/2.0/${peer.transport} ${host};branch=z9hG4bK${randomBytes(8).toString('hex')}`,
})

for (const [transport, listener] of [
  ['WS', 'web'],
  ['WSS', 'browser'],
] as const) {
  test(`a browser registers over ${transport} and is reached over that connection, its contact being nowhere`, async () => {
    const peer = await rawPeer(transport, { port: edge.port(listener) }, { from: '127.0.0.2' })
    const browser = { ...peer, ask: (request: Parameters<RawPeer['ask']>[0]) => peer.ask(request, via(peer)) }
    const contact = `<sip:alice@${host};transport=ws>`
    const answer = await registerUser(browser, 'alice', PASSWORDS.ALICE_PASSWORD, { contact })
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('contact') ?? '', new RegExp(`sip:alice@${host};transport=ws`))
    // RFC 7118 5.3
    assert.doesNotMatch(answer.headers.get('via') ?? '', /received/)
    const [binding] = edge.core.edge.bindings.of('alice')
    const wire = binding?.wire()
    assert.equal(wire?.transport, transport)
    assert.equal(wire?.remoteAddress, '127.0.0.2')
    const phone = await rawPeer('UDP', { port: edge.port('inside') })
    assert.equal((await registerUser(phone, 'bob', PASSWORDS.BOB_PASSWORD)).status, 200)
    const message = requestOf(phone, 'MESSAGE', {
      user: 'bob',
      uri: 'sip:alice@acme.example',
      to: '<sip:alice@acme.example>',
      body: 'hello',
      contentType: 'text/plain',
    })
    const delivered = phone.ask(message)
    const received = await peer.next((m) => m.kind === 'request' && m.method === 'MESSAGE')
    assert.ok(received.kind === 'request')
    assert.match(received.headers.get('via') ?? '', new RegExp(`^SIP/2\\.0/${transport} 127\\.0\\.0\\.1:`))
    assert.equal(received.uri, `sip:alice@${host};transport=ws`)
    peer.answer(received, 200)
    assert.equal((await delivered).status, 200)
    phone.close()
    peer.close()
    await peer.closed
    for (let i = 0; i < 1000 && edge.core.edge.bindings.of('alice').length > 0; i++) await pause(10)
    assert.equal(edge.core.edge.bindings.of('alice').length, 0, 'the flow is gone, and the binding with it')
  })
}

test('RFC 7118 4.1: the subprotocol is sip; without it, or without an upgrade, nothing is opened', async () => {
  const url = `ws://127.0.0.1:${edge.port('web')}`
  const open = new WebSocket(url, ['chat', 'sip'])
  await once(open, 'open')
  assert.equal(open.protocol, 'sip')
  open.terminate()
  for (const protocols of [[], ['chat']]) {
    const refused = new WebSocket(url, protocols)
    const [error] = (await once(refused, 'error')) as [Error]
    assert.match(error.message, /400/)
  }
  const plain = await fetch(url.replace('ws', 'http'))
  assert.equal(plain.status, 426)
})

test('RFC 7118 6: a double CRLF is answered with one; rubbish, a message too long and a half-open socket harm nobody', async () => {
  const peer = await rawPeer('WS', { port: edge.port('web') })
  peer.send('\r\n\r\n')
  for (let i = 0; i < 1000 && peer.other.length === 0; i++) await pause(10)
  assert.equal(peer.other[0]?.toString(), '\r\n')
  const long = await rawPeer('WS', { port: edge.port('web') })
  long.send('A'.repeat(300 * 1024))
  await long.closed
  const stuck = connectTcp(edge.port('web'), '127.0.0.1')
  stuck.write('GET / HTTP/1.1\r\n')
  peer.send('rubbish')
  const whole = requestOf(peer, 'OPTIONS', { body: 'x'.repeat(2000), contentType: 'text/plain' })
  // RFC 7118 5: the message says how long it is, Content-Length need not
  whole.headers.remove('content-length')
  assert.equal((await peer.ask(whole, via(peer))).status, 200)
  stuck.destroy()
  peer.close()
})

test('a silent connection is closed, and one that answers no ping; one that does lives on', async () => {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  const clock = {
    now: () => now,
    wall: () => now,
    setTimer: (ms: number, run: () => void) => {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return timer
    },
    clearTimer: (timer: object) => void timers.delete(timer as never),
  }
  const turn = async (ms: number) => {
    for (const until = now + ms; now < until; now += 1000) {
      for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.run()
      await pause(2)
    }
  }
  let received = 0
  const failures: string[] = []
  const document = testConfiguration()
  const listen = { web: { url: 'ws://127.0.0.1:0' } }
  const configured = resolveConfiguration({ ...document, edge: { ...document.edge, listen } }).edge.listen.web
  assert.ok(configured)
  const inward = {
    received: (_outcome: unknown, wire: { keepUntil(ms: number): void }) => {
      received++
      wire.keepUntil(1e9)
    },
    failed: (_wire: unknown, why: string) => void failures.push(why),
  }
  const none = { request: false, require: false, authorities: [] }
  const listener = await openWebSocket(configured, none, {}, clock, inward)
  const silent = await rawPeer('WS', { port: listener.port })
  const held = await rawPeer('WS', { port: listener.port })
  const dead = new WebSocket(`ws://127.0.0.1:${listener.port}`, ['sip'], { autoPong: false })
  await once(dead, 'open')
  const hello = requestOf(held, 'OPTIONS')
  const text = `OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/WS h;branch=z9hG4bKheld\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n`
  assert.ok(hello)
  held.send(text)
  dead.send(text)
  for (let i = 0; i < 1000 && received < 2; i++) await pause(10)
  await turn(36_000)
  await silent.closed
  await turn(80_000)
  if (dead.readyState !== WebSocket.CLOSED) await once(dead, 'close')
  assert.equal(listener.connections(), 1)
  assert.deepEqual(failures.sort(), ['idle', 'no answer to a ping'])
  held.close()
  await held.closed
  await listener.close()
})

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
