import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { makeAuthority } from '@tandem/testing/certificates.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { openTcp } from '../src/adapters/tcp.ts'
import { rawPeer, registerUser, requestOf } from './raw-peer.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let edge: TestEdge
const password = PASSWORDS.ALICE_PASSWORD

before(async () => {
  nats = await startPrivateNats()
  edge = await startEdgeForTest({ nats })
  const secrets = join(edge.env.TANDEM_DATA as string, 'secrets', 'certs')
  await (await makeAuthority(secrets, 'ca')).issue('edge', 'DNS:acme.example')
  const document = testConfiguration()
  await edge.apply({
    ...document,
    edge: {
      ...document.edge,
      listen: {
        ...document.edge.listen,
        remote: { url: 'tls://127.0.0.1:0', certificate: 'certs/edge.pem', privateKey: 'certs/edge.key' },
      },
    },
  })
})
after(async () => {
  await edge.close()
  await nats.close()
})

test('a phone registers over TLS from another network, and is reached over its own connection', async () => {
  const phone = await rawPeer('TLS', { port: edge.port('remote') }, { from: '127.0.0.2' })
  const answer = await registerUser(phone, 'alice', password)
  assert.equal(answer.status, 200)
  const [binding] = edge.core.edge.bindings.of('alice')
  assert.equal(binding?.site, undefined)
  assert.equal(binding?.wire()?.transport, 'TLS')
  assert.equal(binding?.wire()?.remoteAddress, '127.0.0.2')
  phone.close()
  await phone.closed
  for (let i = 0; i < 100 && edge.core.edge.bindings.of('alice').length > 0; i++) await pause(10)
  assert.equal(edge.core.edge.bindings.of('alice').length, 0, 'the flow is gone, and the binding with it')
})

test('TLS 1.1 is refused', async () => {
  const port = edge.port('remote')
  const { connect } = await import('node:tls')
  const failed = await new Promise<boolean>((done) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
    } as never)
    socket.on('secureConnect', () => done(false))
    socket.on('error', () => done(true))
    socket.on('close', () => done(true))
  })
  assert.ok(failed)
})

test('messages are found in a stream however it is cut, and a double CRLF is answered with one', async () => {
  const phone = await rawPeer('TCP', { port: edge.port('inside-tcp') })
  phone.send('\r\n\r\n')
  const one = requestOf(phone, 'OPTIONS')
  const two = requestOf(phone, 'OPTIONS', { body: 'x'.repeat(2000), contentType: 'text/plain' })
  for (const [n, request] of [one, two].entries()) {
    request.headers.prepend('Via', `SIP/2.0/TCP 127.0.0.1:${phone.port};branch=z9hG4bKcut${phone.port}${n}`)
  }
  const bytes = Buffer.concat([writeMessage(one), writeMessage(two)])
  for (let at = 0; at < bytes.length; at += 97) {
    phone.send(bytes.subarray(at, at + 97))
    await pause(1)
  }
  for (const request of [one, two]) {
    const id = request.headers.get('call-id')
    const answer = await phone.next((m) => m.headers.get('call-id') === id)
    assert.equal(answer.kind === 'response' && answer.status, 200)
  }
  assert.equal(Buffer.concat([...phone.other]).toString(), '\r\n')
  phone.close()
})

test('a stream that is no SIP is closed, and the listener lives on', async () => {
  const rubbish = await rawPeer('TCP', { port: edge.port('inside-tcp') })
  rubbish.send(Buffer.alloc(80_000, 'A'))
  await rubbish.closed
  const phone = await rawPeer('TCP', { port: edge.port('inside-tcp') })
  assert.equal((await phone.ask(requestOf(phone, 'OPTIONS'))).status, 200)
  phone.close()
})

test('malformed datagrams never end the edge', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const good = writeMessage(requestOf(phone, 'OPTIONS'))
  let seed = 1
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return seed % n
  }
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(good)
    for (let j = 0; j < 1 + random(20); j++) bytes[random(bytes.length)] = random(256)
    phone.send(i % 5 === 0 ? bytes.subarray(0, random(bytes.length)) : bytes)
  }
  for (const text of [
    '',
    '\r\n\r\n',
    '\0',
    'INVITE',
    'INVITE sip:x SIP/2.0\r\n\r\n',
    'SIP/2.0 200 OK\r\n\r\n',
    'ACK sip:x SIP/2.0\r\nVia: x\r\n\r\n',
  ])
    phone.send(text)
  await pause(50)
  assert.equal((await phone.ask(requestOf(phone, 'OPTIONS'))).status, 200)
  phone.close()
})

test('none of the messages of RFC 4475 ends the edge, over UDP or TCP', async () => {
  const folder = new URL('../../../tests/conformance/rfc4475/', import.meta.url)
  const files = ['valid', 'invalid'].flatMap((kind) =>
    readdirSync(new URL(kind, folder)).map((f) => new URL(`${kind}/${f}`, folder)),
  )
  assert.ok(files.length >= 49)
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  for (const file of files) {
    const bytes = readFileSync(file)
    phone.send(bytes)
    const stream = await rawPeer('TCP', { port: edge.port('inside-tcp') })
    stream.send(bytes)
    await pause(1)
    stream.close()
  }
  assert.equal((await phone.ask(requestOf(phone, 'OPTIONS'))).status, 200)
  phone.close()
})

test('a connection is used again, and one that is refused is said at once', async () => {
  const { wires } = edge.core.edge
  const port = await steadyPort()
  const server = createServer().listen(port, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const [one, two] = await Promise.all([
    wires.to('inside', 'TCP', '127.0.0.1', port),
    wires.to('inside', 'TCP', '127.0.0.1', port),
  ])
  assert.equal(one, two)
  assert.equal(one.listener, 'inside-tcp')
  assert.equal(
    one.localPort,
    edge.port('inside-tcp'),
    'the peer reaches us at the listener, not at the port of the connection',
  )
  const uri = parseUri(`sip:localhost:${port};transport=tcp`)
  assert.ok(uri)
  assert.equal((await wires.toUri('inside', uri))[0], one, 'a name leads to the same place')
  await new Promise((done) => server.close(done) && (one as never as { close(why: string): void }).close('test'))
  await assert.rejects(wires.to('inside', 'TCP', '127.0.0.1', port), /ECONNREFUSED/)
})

test('a phone is served over IPv6', async (t) => {
  if (!Object.values(networkInterfaces()).some((all) => all?.some((a) => a.address === '::1')))
    return t.skip('no ::1 here')
  const other = await startEdgeForTest({
    nats,
    node: 'edge-six',
    document: {
      ...testConfiguration(),
      edge: { listen: { six: { url: 'udp://[::1]:0' } }, media: { relay: 'embedded', address: '::1' } },
    },
  })
  t.after(() => other.close())
  const phone = await rawPeer('UDP', { port: other.port('six'), address: '::1' }, { from: '::1' })
  const answer = await phone.ask(requestOf(phone, 'OPTIONS'), {
    via: `SIP/2.0/UDP [::1]:${phone.port};branch=z9hG4bKsix;rport`,
  })
  assert.equal(answer.status, 200)
  phone.close()
})

test('OPTIONS says what the edge can do', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const answer = await phone.ask(requestOf(phone, 'OPTIONS'))
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('allow') ?? '', /INVITE.*REGISTER/)
  assert.match(answer.headers.get('accept') ?? '', /application\/sdp/)
  assert.match(answer.headers.get('supported') ?? '', /timer/)
  phone.close()
})

test('requests that cannot be served are refused as the RFC says', async () => {
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  const status = async (request: Parameters<typeof phone.ask>[0]) => await phone.ask(request)
  assert.equal((await status(requestOf(phone, 'INVITE', { uri: 'http://acme.example' }))).status, 416)
  const required = await status(
    requestOf(phone, 'INVITE', { uri: 'sip:1002@acme.example', headers: [['Require', 'nothingSupportsThis']] }),
  )
  assert.equal(required.status, 420)
  assert.equal(required.headers.get('unsupported'), 'nothingSupportsThis')
  const looping = requestOf(phone, 'INVITE', { uri: 'sip:1002@acme.example' })
  looping.headers.set('Max-Forwards', '0')
  assert.equal((await status(looping)).status, 483)
  const known = await status(requestOf(phone, 'PRACK'))
  assert.equal(known.status, 481)
  assert.equal((await status(requestOf(phone, 'REFER'))).status, 603, 'a transfer is asked for inside its call')
  const unknown = await status(requestOf(phone, 'FETCH'))
  assert.equal(unknown.status, 501)
  assert.match(unknown.headers.get('allow') ?? '', /INVITE/)
  assert.equal((await status(requestOf(phone, 'BYE', { to: '<sip:bob@acme.example>;tag=nobody' }))).status, 481)
  phone.close()
})

test('a port in use is said with the name and the url of the listener', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => holder.once('listening', done))
  const { port } = holder.address() as { port: number }
  const document = testConfiguration()
  const url = `tcp://127.0.0.1:${port}`
  const taken = { ...document, edge: { ...document.edge, listen: { ...document.edge.listen, extra: { url } } } }
  await assert.rejects(edge.apply(taken), new RegExp(`listener extra \\(${url}\\): the port is in use`))
  holder.close()
  const phone = await rawPeer('UDP', { port: edge.port('inside') })
  assert.equal((await phone.ask(requestOf(phone, 'OPTIONS'))).status, 200, 'what was open stays open')
  phone.close()
})

test('a message that drips in is given up, a silent connection is closed, one that is held is not', async () => {
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
  const turn = (ms: number) => {
    now += ms
    for (const timer of [...timers]) if (timer.at <= now && timers.delete(timer)) timer.run()
  }
  let received = 0
  const failures: string[] = []
  const configured = resolveConfiguration(testConfiguration()).edge.listen['inside-tcp']
  assert.ok(configured)
  const listener = await openTcp(configured, clock, {
    received: (_outcome, wire) => {
      received++
      wire.keepUntil(1e9)
    },
    failed: (_wire, why) => void failures.push(why),
  })
  const dripping = await rawPeer('TCP', { port: listener.port })
  const silent = await rawPeer('TCP', { port: listener.port })
  const held = await rawPeer('TCP', { port: listener.port })
  dripping.send('OPTIONS sip:x SIP/2.0\r\nVia: ')
  const hello = requestOf(held, 'OPTIONS')
  hello.headers.prepend('Via', 'SIP/2.0/TCP h;branch=z9hG4bKheld')
  held.send(writeMessage(hello))
  for (let i = 0; i < 1000 && received === 0; i++) await pause(10)
  await pause(50)
  turn(11_000)
  await dripping.closed
  assert.equal(listener.connections(), 2)
  turn(31_000)
  await silent.closed
  turn(700_000)
  assert.equal(listener.connections(), 1)
  assert.deepEqual(failures, ['a message did not come to its end', 'idle'])
  held.close()
  await held.closed
  await listener.close()
})

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
